"""A column, counted: what a profile keeps of it, and how two counts of it add.

Every number here adds: counts exactly, moments and sums to rounding. So the order in which parts of a
table are merged does not matter, and who merges need not see the rows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import sqrt
from typing import ClassVar

from penstock.stats.distinct import Distinct

UNSEEN = 64  # named; all of them are counted


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
    `sums` are of the values below, in each bin, and above: two more than `counts`. `distinct` is of finite values.
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
    sums: tuple[float, ...]
    minimum: float | None
    maximum: float | None
    moments: Moments
    distinct: Distinct

    @classmethod
    def on(cls, edges: tuple[float, ...], *, temporal: bool) -> "NumericColumn":
        """No rows, on these edges."""
        bins = max(len(edges) - 1, 0)
        return cls(
            temporal=temporal,
            **dict.fromkeys(_NUMERIC_TOTALS, 0),
            counts=(0,) * bins,
            edges=edges,
            sums=(0.0,) * (bins + 2),
            minimum=None,
            maximum=None,
            moments=Moments(),
            distinct=Distinct(),
        )

    @property
    def missing(self) -> int:
        """Nulls and NaNs."""
        return self.nulls + self.nans

    def merge(self, other: "NumericColumn") -> "NumericColumn":
        """Of both together. ValueError for other bins."""
        if (self.edges, self.temporal) != (other.edges, other.temporal):
            raise ValueError("the profiles have different references, so their bins do not add")
        totals = {name: getattr(self, name) + getattr(other, name) for name in _NUMERIC_TOTALS}
        return replace(
            self,
            **totals,
            counts=_added(self.counts, other.counts),
            sums=tuple(x + y for x, y in zip(self.sums, other.sums, strict=True)),
            minimum=_first(min, self.minimum, other.minimum),
            maximum=_first(max, self.maximum, other.maximum),
            moments=self.moments.merge(other.moments),
            distinct=self.distinct.merge(other.distinct),
        )


@dataclass(frozen=True)
class LevelColumn:
    """Texts, categories or truth values.

    `others` counts what is none of the reference's `levels`, and `unseen` is how often each of those
    came: of the first 64 in the alphabet, because the first of two parts are among the first of each.
    """

    kind: ClassVar[str] = "levels"
    rows: int
    nulls: int
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    others: int
    unseen: tuple[tuple[str, int], ...]
    distinct: Distinct

    @classmethod
    def on(cls, levels: tuple[str, ...]) -> "LevelColumn":
        """No rows, on these levels."""
        return cls(0, 0, levels, (0,) * len(levels), 0, (), Distinct())

    @property
    def missing(self) -> int:
        """Nulls."""
        return self.nulls

    def merge(self, other: "LevelColumn") -> "LevelColumn":
        """Of both together. ValueError for other levels."""
        if self.levels != other.levels:
            raise ValueError("the profiles have different references, so their levels do not add")
        totals = {name: getattr(self, name) + getattr(other, name) for name in ("rows", "nulls", "others")}
        unseen = first_unseen((*self.unseen, *other.unseen))
        return replace(
            self,
            **totals,
            counts=_added(self.counts, other.counts),
            unseen=unseen,
            distinct=self.distinct.merge(other.distinct),
        )


Column = NumericColumn | LevelColumn
_NUMERIC_TOTALS = ("rows", "nulls", "nans", "low_infinities", "high_infinities", "below", "above")


def missing_rate(column: Column) -> float:
    """Share of rows that are null or NaN; 0 without rows."""
    return column.missing / column.rows if column.rows else 0.0


def merged(a: Column, b: Column) -> Column:
    """Of both together. ValueError when they were not counted on the same reference."""
    if isinstance(a, NumericColumn) and isinstance(b, NumericColumn):
        return a.merge(b)
    if isinstance(a, LevelColumn) and isinstance(b, LevelColumn):
        return a.merge(b)
    raise ValueError("the profiles have different kinds of column, so they do not add")


def emptied(column: Column) -> Column:
    """No rows, on the same bins or levels."""
    if isinstance(column, NumericColumn):
        return NumericColumn.on(column.edges, temporal=column.temporal)
    return LevelColumn.on(column.levels)


def first_unseen(counted: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The first 64 levels in the alphabet; counts of the same level are added."""
    totals: dict[str, int] = {}
    for level, count in counted:
        totals[level] = totals.get(level, 0) + count
    return tuple(sorted(totals.items())[:UNSEEN])


def _added(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _first(choose: Callable[[list[float]], float], a: float | None, b: float | None) -> float | None:
    known = [value for value in (a, b) if value is not None]
    return choose(known) if known else None
