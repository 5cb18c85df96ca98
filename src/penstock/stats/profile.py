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
from math import isfinite, nan, sqrt
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from penstock.errors import UsageError

FORMAT = "penstock.profile/1"
BINS = 64
LEVELS = 1024
LONGEST_LEVEL = 100  # characters; longer texts that begin alike are one level

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of finite values; they merge (Chan, Golub and LeVeque 1979)."""

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation (of the values, not of a population they stand for)."""
        return sqrt(self.m2 / self.count) if self.count else 0.0

    def merge(self, other: "Moments") -> "Moments":
        """Of both together."""
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.count / count)
        m2 = self.m2 + other.m2 + gap * gap * (self.count * (other.count / count))
        return Moments(count, mean, m2)


@dataclass(frozen=True)
class NumericColumn:
    """Numbers, or times as seconds (since 1970, or since midnight).

    Bin i holds `edges[i] <= value < edges[i + 1]`; `below` and `above` are what the reference never had.
    """

    kind: ClassVar[str] = "numeric"
    temporal: bool
    rows: int
    nulls: int
    nans: int
    low_infinities: int
    high_infinities: int
    below: int
    above: int
    counts: tuple[int, ...]
    edges: tuple[float, ...]
    minimum: float | None
    maximum: float | None
    moments: Moments

    @property
    def missing(self) -> int:
        """Nulls and NaNs."""
        return self.nulls + self.nans

    def merge(self, other: "NumericColumn") -> "NumericColumn":
        """Of both together. ValueError for other bins."""
        if (self.edges, self.temporal) != (other.edges, other.temporal):
            raise ValueError("the profiles have different references, so their bins do not add")
        sums = {name: getattr(self, name) + getattr(other, name) for name in _NUMERIC_SUMS}
        return replace(
            self,
            **sums,
            counts=_added(self.counts, other.counts),
            minimum=_first(min, self.minimum, other.minimum),
            maximum=_first(max, self.maximum, other.maximum),
            moments=self.moments.merge(other.moments),
        )


@dataclass(frozen=True)
class LevelColumn:
    """Texts, categories or truth values. `others` counts what is none of the reference's `levels`."""

    kind: ClassVar[str] = "levels"
    rows: int
    nulls: int
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    others: int

    @property
    def missing(self) -> int:
        """Nulls."""
        return self.nulls

    def merge(self, other: "LevelColumn") -> "LevelColumn":
        """Of both together. ValueError for other levels."""
        if self.levels != other.levels:
            raise ValueError("the profiles have different references, so their levels do not add")
        sums = {name: getattr(self, name) + getattr(other, name) for name in ("rows", "nulls", "others")}
        return replace(self, **sums, counts=_added(self.counts, other.counts))


Column = NumericColumn | LevelColumn
_NUMERIC_SUMS = ("rows", "nulls", "nans", "low_infinities", "high_infinities", "below", "above")


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
        merged = {name: _merged(column, other.columns[name]) for name, column in self.columns.items()}
        return Profile(self.rows + other.rows, merged)

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


def missing_rate(column: Column) -> float:
    """Share of rows that are null or NaN; 0 without rows."""
    return column.missing / column.rows if column.rows else 0.0


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
    counts = tuple(found.get(level, 0) for level in levels)
    filled = len(series) - series.null_count()
    return LevelColumn(len(series), series.null_count(), levels, counts, filled - sum(counts))


def _texts(series: pl.Series) -> pl.Series:
    """Lists, structs and bytes have no levels: only whether they are there is counted."""
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        return pl.Series(series.name, [], dtype=pl.String)
    return series.cast(pl.String).str.head(LONGEST_LEVEL)


def _most_frequent(found: Mapping[str, int]) -> tuple[str, ...]:
    ranked = sorted(found, key=lambda level: (-found[level], level))
    return tuple(sorted(ranked[:LEVELS]))


def _merged(a: Column, b: Column) -> Column:
    if isinstance(a, NumericColumn) and isinstance(b, NumericColumn):
        return a.merge(b)
    if isinstance(a, LevelColumn) and isinstance(b, LevelColumn):
        return a.merge(b)
    raise ValueError("the profiles have different kinds of column, so they do not add")


def _added(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _first(choose: Any, a: float | None, b: float | None) -> float | None:
    known = [value for value in (a, b) if value is not None]
    return choose(known) if known else None


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _json(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and not isfinite(value) else value


def _column_of(fields: Mapping[str, Any]) -> Column:
    kept: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    del kept["name"]
    if kept.pop("kind") == LevelColumn.kind:
        return LevelColumn(**kept)
    moments: Mapping[str, Any] = kept.pop("moments")
    known: dict[str, Any] = {name: nan if value is None else value for name, value in moments.items()}
    return NumericColumn(**kept, moments=Moments(**known))
