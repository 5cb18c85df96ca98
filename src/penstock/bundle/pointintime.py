"""The point-in-time join: for each request the newest row of its entity that was known at that time.

One algorithm serves a training set of millions and a single request, so both see the same value.
Times are compared as microseconds since 1970 in UTC; a time without a zone counts as UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.errors import UsageError

AVAILABLE = "_available_at"
_ROW, _GROUP = "_penstock_row", "_penstock_group"  # of our own, beside a user's columns
Times = NDArray[np.int64]
_NEVER = np.iinfo(np.int64).min


def microseconds(times: pl.Series) -> Times:
    """Dates or times as microseconds since 1970 in UTC; a null as the least integer."""
    zone = times.dtype.time_zone if isinstance(times.dtype, pl.Datetime) else None
    if not isinstance(times.dtype, pl.Datetime | pl.Date):
        raise UsageError(
            f"column {times.name!r} is {times.dtype}, not a date or a time", hint=f"parse {times.name!r} to a Datetime"
        )
    numbers = times.cast(pl.Datetime("us", zone)).cast(pl.Int64)
    return (numbers.fill_null(_NEVER) if numbers.null_count() else numbers).to_numpy()


@dataclass(frozen=True)
class ViewRows:
    """A stored view's rows, indexed for the join. Build it once and use it for many requests."""

    entity: tuple[str, ...]
    features: pl.DataFrame  # sorted by entity and time, then one row of nulls
    ttl_us: int | None  # a row lives this long after it becomes available
    _groups: dict[tuple[object, ...], int]
    _moments: Times  # distinct times, ascending
    _keys: Times  # group * (moments + 1) + rank of the time, ascending
    _available: Times
    _rows: Times  # where each row was in the frame given

    @classmethod
    def of(
        cls, rows: pl.DataFrame, entity: Sequence[str], *, ttl_us: int | None = None, drop: Sequence[str] = ()
    ) -> "ViewRows":
        """Index rows that carry `entity` and `_available_at`. Of rows alike in both the last counts."""
        entity = tuple(entity)
        _refuse_floats(rows, entity)
        known = rows.with_row_index(_ROW).drop_nulls([*entity, AVAILABLE])
        groups = known.select(entity).unique(maintain_order=True).with_row_index(_GROUP)
        grouped = known.join(groups, on=entity, how="left", maintain_order="left")
        ordered = grouped.sort(_GROUP, AVAILABLE, maintain_order=True)
        available = microseconds(ordered[AVAILABLE])
        moments, rank = np.unique(available, return_inverse=True)
        features = ordered.drop(_ROW, _GROUP, AVAILABLE, *entity, *drop)
        return cls(
            entity=entity,
            features=features.vstack(features.clear(1)),
            ttl_us=ttl_us,
            _groups={key: number for number, key in enumerate(groups.select(entity).rows())},
            _moments=moments,
            _keys=ordered[_GROUP].to_numpy().astype(np.int64) * (len(moments) + 1) + rank + 1,
            _available=available,
            _rows=ordered[_ROW].to_numpy().astype(np.int64),
        )

    def at(self, entities: Sequence[pl.Series], times: Times) -> pl.DataFrame:
        """The features of each (entity, time): one row per time, in order, nulls where nothing was known."""
        found = self._find(entities, times)
        if len(found) == 1:  # a slice costs a fortieth of a gather
            return self.features.slice(int(found[0]), 1)
        return self.features[found]

    def rows_at(self, entities: Sequence[pl.Series], times: Times) -> Times:
        """Which of the rows given to `of` these (entity, time) look up, ascending."""
        found = self._find(entities, times)
        return np.unique(self._rows[found[found < len(self._rows)]])

    def _find(self, entities: Sequence[pl.Series], times: Times) -> Times:
        nothing = len(self._keys)
        groups = self._groups
        keys = zip(*(series.to_list() for series in entities), strict=True)
        group = np.fromiter((groups.get(key, -1) for key in keys), dtype=np.int64, count=len(times))
        if not nothing:
            return np.zeros(len(times), dtype=np.int64)
        width = len(self._moments) + 1
        wanted = group * width + np.searchsorted(self._moments, times, side="right")
        position = np.searchsorted(self._keys, wanted, side="right") - 1
        good = (group >= 0) & (position >= 0) & (self._keys[position] // width == group)
        if self.ttl_us is not None:
            good &= times - self._available[position] <= self.ttl_us
        return np.where(good, position, nothing)


def _refuse_floats(rows: pl.DataFrame, entity: Sequence[str]) -> None:
    for name in entity:
        if rows.schema[name].is_float():
            raise UsageError(
                f"entity {name!r} is {rows.schema[name]}: numbers with a fraction identify nothing",
                hint="cast it to Int64 or String",
            )
