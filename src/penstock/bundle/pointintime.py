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
_ROW = "_penstock_row"  # a column of our own, beside a user's
Integers = NDArray[np.int64]
_NEVER = np.iinfo(np.int64).min


def microseconds(times: pl.Series) -> Integers:
    """Dates or times as microseconds since 1970 in UTC; a null as the least integer."""
    if not isinstance(times.dtype, pl.Datetime | pl.Date):
        raise UsageError(
            f"column {times.name!r} is {times.dtype}, not a date or a time", hint=f"parse {times.name!r} to a Datetime"
        )
    zone = times.dtype.time_zone if isinstance(times.dtype, pl.Datetime) else None
    numbers = times.cast(pl.Datetime("us", zone)).cast(pl.Int64)
    return (numbers.fill_null(_NEVER) if numbers.null_count() else numbers).to_numpy()


@dataclass(frozen=True)
class ViewRows:
    """A stored view's rows, indexed for the join. Build it once and use it for many requests.

    `_available` and `_rows` are ordered by entity and time; the rows of entity number g are those from
    `_starts[g]` up to `_starts[g + 1]`.
    """

    features: pl.DataFrame  # as given, then one row of nulls
    ttl_us: int | None  # a row lives this long after it becomes available
    _numbers: dict[tuple[object, ...], int]  # entity -> its number
    _starts: Integers
    _available: Integers
    _rows: Integers  # which row of `features`

    @classmethod
    def of(
        cls, rows: pl.DataFrame, entity: Sequence[str], *, ttl_us: int | None = None, drop: Sequence[str] = ()
    ) -> "ViewRows":
        """Index rows that carry `entity` and `_available_at`. Of rows alike in both the last counts."""
        _refuse_floats(rows, entity)
        keys = rows.select(*entity, AVAILABLE).with_row_index(_ROW).drop_nulls()
        in_time = pl.col(AVAILABLE, _ROW).sort_by(AVAILABLE, maintain_order=True)
        groups = keys.group_by(entity, maintain_order=True).agg(in_time)
        ordered = groups.select(pl.col(AVAILABLE, _ROW).explode())
        features = rows.drop(AVAILABLE, *entity, *drop)
        return cls(
            features=features.vstack(features.clear(1)),
            ttl_us=ttl_us,
            _numbers={key: number for number, key in enumerate(groups.select(entity).rows())},
            _starts=np.append(0, groups[_ROW].list.len().to_numpy().cumsum(dtype=np.int64)),
            _available=microseconds(ordered[AVAILABLE]),
            _rows=ordered[_ROW].to_numpy().astype(np.int64),
        )

    def at(self, entities: Sequence[pl.Series], times: Integers) -> pl.DataFrame:
        """The features of each (entity, time): one row per time, in order, nulls where nothing was known."""
        rows = self._find(entities, times)
        if len(rows) == 1:  # a slice costs a fortieth of a gather
            return self.features.slice(int(rows[0]), 1)
        return self.features[rows]

    def rows_at(self, entities: Sequence[pl.Series], times: Integers) -> Integers:
        """Which of the rows given to `of` these (entity, time) look up, ascending."""
        found = np.unique(self._find(entities, times))
        return found[found < self.features.height - 1]

    def _find(self, entities: Sequence[pl.Series], times: Integers) -> Integers:
        """The row of `features` for each (entity, time): the row of nulls where nothing was known."""
        keys = zip(*(series.to_list() for series in entities), strict=True)
        numbers = np.fromiter((self._numbers.get(key, -1) for key in keys), dtype=np.int64, count=len(times))
        found = np.full(len(times), self.features.height - 1)
        order = np.argsort(numbers, kind="stable")
        bounds = np.flatnonzero(np.diff(numbers[order])) + 1
        for asked in np.split(order, bounds):  # the requests of one entity
            if len(asked) and (number := numbers[asked[0]]) >= 0:
                found[asked] = self._newest(number, times[asked])
        return found

    def _newest(self, number: int, times: Integers) -> Integers:
        start, end = self._starts[number], self._starts[number + 1]
        available = self._available[start:end]
        place = np.searchsorted(available, times, side="right") - 1
        good = place >= 0
        if self.ttl_us is not None:
            good &= times - available[place] <= self.ttl_us
        return np.where(good, self._rows[start + place], self.features.height - 1)


def _refuse_floats(rows: pl.DataFrame, entity: Sequence[str]) -> None:
    for name in entity:
        if rows.schema[name].is_float():
            raise UsageError(
                f"entity {name!r} is {rows.schema[name]}: numbers with a fraction identify nothing",
                hint="cast it to Int64 or String",
            )
