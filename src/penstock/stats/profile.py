"""Profiles: what a table looks like, small enough to keep and to add up.

A reference profile fixes the bins of every number and the levels of every text. A profile of later
rows is counted on the same bins and levels, so profiles add (`merge` is associative, and the profile
of two halves is the profile of the whole) and any two of them can be compared (`distance`).

    numeric, temporal   64 quantile bins of the reference, an exact bin for every value that is more
                        than one bin's share, and how much is below, above, null, NaN or infinite
    levels              the reference's 1024 most frequent texts, categories or truth values, and one
                        count for all others
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isfinite, nan
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from penstock.errors import UsageError
from penstock.stats.columns import Column, LevelColumn, Moments, NumericColumn, first_unseen, merged

FORMAT = "penstock.profile/2"
BINS = 64
LEVELS = 1024
LONGEST_LEVEL = 100  # characters; longer texts that begin alike are one level

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """A table's columns, counted.

    Profile.build(training)              the reference
    Profile.build(window, reference)     later rows, on the reference's bins; columns that it lacks are left out
    """

    rows: int
    columns: Mapping[str, Column]

    @classmethod
    def build(cls, frame: pl.DataFrame, reference: "Profile | None" = None) -> "Profile":
        """Count the rows of `frame`. UsageError when a column of the reference is missing or of another kind."""
        if reference is None:
            return cls(frame.height, {series.name: _reference(series) for series in frame})
        lacking = sorted(set(reference.columns) - set(frame.columns))
        if lacking:
            raise UsageError(f"the rows lack columns of the reference profile: {', '.join(lacking)}")
        columns = {name: _counted(frame[name], column) for name, column in reference.columns.items()}
        return cls(frame.height, columns)

    def merge(self, other: "Profile") -> "Profile":
        """The profile of both tables' rows. ValueError when they were not counted on the same reference."""
        if set(self.columns) != set(other.columns):
            raise ValueError("the profiles have different columns")
        columns = {name: merged(column, other.columns[name]) for name, column in self.columns.items()}
        return Profile(self.rows + other.rows, columns)

    def to_json(self) -> dict[str, Any]:
        """A JSON value; numbers that JSON cannot hold (moments that overflowed) become null."""
        columns = [{"name": name, "kind": column.kind, **asdict(column)} for name, column in self.columns.items()]
        return {"format": FORMAT, "rows": self.rows, "columns": [_json(column) for column in columns]}

    @classmethod
    def from_json(cls, value: Any) -> "Profile":
        """The profile that `to_json` wrote. ValueError for anything else."""
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ValueError(f"not a profile: expected a JSON object of format {FORMAT}")
        return cls(value["rows"], {fields["name"]: _column_of(fields) for fields in value["columns"]})


def _reference(series: pl.Series) -> Column:
    """Of rows that fix the bins or levels for all later ones."""
    if _is_numeric(series.dtype):
        return _numeric(series, edges=None)
    return _levels(series, levels=None)


def _counted(series: pl.Series, like: Column) -> Column:
    """Of later rows."""
    if series.dtype == pl.Null:
        series = series.cast(pl.Float64 if like.kind == "numeric" else pl.String)
    elif not _same_kind(series.dtype, like):
        what = f"column {series.name!r} is {series.dtype} and cannot be counted on its reference"
        raise UsageError(what, expected=_expected(like))
    if isinstance(like, NumericColumn):
        counted = _numeric(series, edges=like.edges)
        return replace(counted, temporal=like.temporal)
    return _levels(series, levels=like.levels)


def _is_numeric(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal()


def _is_temporal(column: Column) -> bool:
    return isinstance(column, NumericColumn) and column.temporal


def _same_kind(dtype: pl.DataType, like: Column) -> bool:
    if like.kind == "levels":
        return not _is_numeric(dtype)
    return _is_numeric(dtype) and dtype.is_temporal() == _is_temporal(like)


def _expected(like: Column) -> str:
    if like.kind == "levels":
        return "texts or truth values"
    return "times" if _is_temporal(like) else "numbers"


def _numeric(series: pl.Series, edges: tuple[float, ...] | None) -> NumericColumn:
    values = _seconds_or_numbers(series).drop_nulls().to_numpy()
    finite = np.sort(values[np.isfinite(values)])
    grid = np.asarray(_edges(finite) if edges is None else edges, dtype=np.float64)
    below_edge = np.searchsorted(finite, grid, side="left")
    low, high = (int(below_edge[0]), int(below_edge[-1])) if len(grid) else (0, 0)
    starts = below_edge if len(grid) else np.zeros(1, dtype=np.intp)
    return NumericColumn(
        temporal=series.dtype.is_temporal(),
        rows=len(series),
        nulls=series.null_count(),
        nans=int(np.isnan(values).sum()),
        low_infinities=int(np.isneginf(values).sum()),
        high_infinities=int(np.isposinf(values).sum()),
        below=low,
        above=len(finite) - high,
        counts=tuple(np.diff(below_edge).tolist()),
        edges=tuple(grid.tolist()),
        sums=_sums(finite, starts),
        minimum=float(finite[0]) if len(finite) else None,
        maximum=float(finite[-1]) if len(finite) else None,
        moments=_moments(finite),
    )


def _seconds_or_numbers(series: pl.Series) -> pl.Series:
    if series.dtype == pl.Date:
        series = series.cast(pl.Datetime("us"))
    if isinstance(series.dtype, pl.Datetime):
        return series.dt.epoch("us").cast(pl.Float64) / 1e6
    if isinstance(series.dtype, pl.Duration):
        return series.dt.total_microseconds().cast(pl.Float64) / 1e6
    if series.dtype == pl.Time:
        return series.to_physical().cast(pl.Float64) / 1e9
    return series.cast(pl.Float64)


def _edges(ordered: Floats) -> Floats:
    """Quantiles, each once; a value that takes more than one bin's share gets a bin of its own."""
    n = len(ordered)
    if n == 0:
        return ordered
    bins = min(BINS, n)
    points, times = np.unique(ordered[(np.arange(bins) * n) // bins], return_counts=True)
    atoms = points[times > 1]
    with np.errstate(over="ignore"):
        ends = np.nextafter(np.append(atoms, ordered[-1]), np.inf)
    return np.unique(np.concatenate([points, ends[np.isfinite(ends)]]))


def _sums(ordered: Floats, starts: npt.NDArray[np.intp]) -> tuple[float, ...]:
    """Of what is before the first start, between each two, and from the last on."""
    parts = np.split(ordered, starts)
    with np.errstate(over="ignore", invalid="ignore"):
        return tuple(float(part.sum()) for part in parts)


def _moments(values: Floats) -> Moments:
    if not len(values):
        return Moments()
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.mean())
        return Moments(len(values), mean, float(np.square(values - mean).sum()))


def _levels(series: pl.Series, levels: tuple[str, ...] | None) -> LevelColumn:
    texts = _texts(series).drop_nulls()
    found = dict(texts.value_counts().iter_rows())
    if levels is None:
        levels = ("false", "true") if series.dtype == pl.Boolean else _most_frequent(found)
    counts = tuple(found.pop(level, 0) for level in levels)
    filled = len(series) - series.null_count()
    return LevelColumn(
        len(series), series.null_count(), levels, counts, filled - sum(counts), first_unseen(found.items())
    )


def _texts(series: pl.Series) -> pl.Series:
    """Lists, structs and bytes have no levels: only whether they are there is counted."""
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        return pl.Series(series.name, [], dtype=pl.String)
    return series.cast(pl.String).str.head(LONGEST_LEVEL)


def _most_frequent(found: Mapping[str, int]) -> tuple[str, ...]:
    ranked = sorted(found, key=lambda level: (-found[level], level))
    return tuple(sorted(ranked[:LEVELS]))


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _json(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_json(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _column_of(fields: Mapping[str, Any]) -> Column:
    kept: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    del kept["name"]
    if kept.pop("kind") == LevelColumn.kind:
        unseen = tuple((level, count) for level, count in kept.pop("unseen"))
        return LevelColumn(**kept, unseen=unseen)
    moments: Mapping[str, Any] = kept.pop("moments")
    known: dict[str, Any] = {name: _number(value) for name, value in moments.items()}
    sums = tuple(_number(value) for value in kept.pop("sums"))
    return NumericColumn(**kept, sums=sums, moments=Moments(**known))


def _number(value: Any) -> Any:
    return nan if value is None else value
