"""What the checks look at: rows, counted once for all of them.

Numbers over all rows come from streaming passes; what needs rows side by side sees a sample that depends on
nothing but how many rows there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from penstock.data.bench.context import Context

if TYPE_CHECKING:
    from penstock.stats import Profile

SAMPLE = 50_000  # rows that are held at once
_KNUTH = 2_654_435_761  # a multiplicative hash of the row number (Knuth, TAOCP 6.4) spreads the sample evenly
_RANGE = 2**32


class ColumnFacts(NamedTuple):
    """A column over all rows. `distinct` is an estimate; None where values have no order or hash."""

    dtype: pl.DataType
    nulls: int
    nans: int
    infinities: int
    distinct: int | None
    constant: bool

    @property
    def missing(self) -> int:
        """Nulls and NaNs."""
        return self.nulls + self.nans


@dataclass(frozen=True)
class Side:
    """Rows with what was counted about them."""

    rows: pl.LazyFrame

    @cached_property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Column types by name."""
        return dict(self.rows.collect_schema())

    @cached_property
    def height(self) -> int:
        """How many rows."""
        return int(self.rows.select(pl.len()).collect().item())

    @cached_property
    def columns(self) -> Mapping[str, ColumnFacts]:
        """Every column, counted in one pass."""
        wanted = {
            f"{position}:{fact}": expression
            for position, (name, dtype) in enumerate(self.schema.items())
            for fact, expression in _facts(pl.col(name), dtype).items()
        }
        if not wanted:
            return {}
        row = self.rows.select(**wanted).collect(engine="streaming").row(0, named=True)
        return {
            name: _column_facts(dtype, {fact: row.get(f"{position}:{fact}") for fact in _FACTS})
            for position, (name, dtype) in enumerate(self.schema.items())
        }

    @cached_property
    def sample(self) -> pl.DataFrame:
        """At most about SAMPLE rows, in order, the same ones every time."""
        return sampled(self.rows, self.height, SAMPLE)

    def missing_share(self, name: str) -> float:
        """Of a column's rows; 0 without rows."""
        return self.columns[name].missing / self.height if self.height else 0.0

    def counted(self, conditions: Mapping[str, str]) -> dict[str, int]:
        """How many rows each SQL condition selects, in one pass."""
        if not conditions:
            return {}
        # a condition is a text that somebody will filter with: counted by itself, it cannot say another number
        sums = [pl.sql_expr(text).sum().alias(name) for name, text in conditions.items()]
        found = self.rows.select(sums).collect(engine="streaming").row(0, named=True)
        return {name: int(count or 0) for name, count in found.items()}


@dataclass(frozen=True)
class Facts:
    """What a check is given.

    now     every row of the version
    batch   the rows that are compared with `before`: those that are new, or all of them
    kept    the profile of `before`, as far as it was kept; other columns are counted again
    """

    now: Side
    batch: Side
    before: Side | None
    context: Context
    kept: "Profile | None" = None

    @property
    def target(self) -> str | None:
        """The target, where these rows have it and its values are plain."""
        name = self.context.target
        return name if name and name in self.now.schema and is_plain(self.now.schema[name]) else None

    @property
    def comparable(self) -> list[str]:
        """Columns that now and before have with the same type."""
        if self.before is None:
            return []
        return [name for name, dtype in self.batch.schema.items() if self.before.schema.get(name) == dtype]

    @cached_property
    def profiles(self) -> "tuple[Profile, Profile] | None":
        """The profile of the rows before and of the batch, on the same bins; None where there is no before.

        What says which row it is and when is other in every row, so it is not in there.
        """
        if self.before is None or not self.comparable:
            return None
        from penstock.stats import Profile

        names = [name for name in self.comparable if self._is_counted(name)]
        kept = {name: column for name, column in self.kept.columns.items() if name in names} if self.kept else {}
        lacking = [name for name in names if name not in kept]
        built = Profile.build(self.before.rows.select(lacking)).columns if lacking else {}
        reference = Profile(self.before.height, {name: {**kept, **built}[name] for name in names})
        return reference, Profile.build(self.batch.rows.select(names), reference)

    def _is_counted(self, name: str) -> bool:
        dtype = self.batch.schema[name]
        return is_plain(dtype) and not dtype.is_temporal() and name not in self.context.identifying

    @property
    def profile(self) -> "Profile | None":
        """Of every row of the version, of columns that the bins of the rows before still fit; None without a before."""
        if self.profiles is None:
            return None
        from penstock.stats import Profile, fits

        before, batch = self.profiles
        every = batch if self.batch is self.now else before.merge(batch)
        return Profile(every.rows, {name: column for name, column in every.columns.items() if fits(column)})


def sampled(rows: pl.LazyFrame, height: int, most: int) -> pl.DataFrame:
    """About `most` of `height` rows, spread over all of them, in order."""
    if height <= most:
        return rows.collect()
    line = most * _RANGE // height
    place = (pl.col(ROW).cast(pl.UInt64) * _KNUTH) % _RANGE
    return rows.with_row_index(ROW).filter(place < line).drop(ROW).collect(engine="streaming")


ROW = "__row__"  # reserved: no column of the data has this name


def is_plain(dtype: pl.DataType) -> bool:
    """Whether values are numbers, times, texts or truth values: no lists, structs or bytes."""
    return not dtype.is_nested() and dtype not in (pl.Binary, pl.Object, pl.Null, pl.Unknown)


def is_number(dtype: pl.DataType) -> bool:
    """Whether values are numbers with a size, so neither times nor truth values."""
    return dtype.is_numeric()


def is_text(dtype: pl.DataType) -> bool:
    """Whether values are names of something."""
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


_FACTS = ("nulls", "nans", "infinities", "distinct", "constant")


def _facts(value: pl.Expr, dtype: pl.DataType) -> dict[str, pl.Expr]:
    facts = {"nulls": value.null_count()}
    if dtype.is_float():
        facts |= {"nans": value.is_nan().sum(), "infinities": value.is_infinite().sum()}
    if is_plain(dtype):
        present = value.cast(pl.String) if isinstance(dtype, pl.Categorical | pl.Enum) else value
        facts |= {"distinct": present.approx_n_unique(), "constant": present.min().eq_missing(present.max())}
    return facts


def _column_facts(dtype: pl.DataType, found: Mapping[str, Any]) -> ColumnFacts:
    return ColumnFacts(
        dtype=dtype,
        nulls=found["nulls"] or 0,
        nans=found["nans"] or 0,
        infinities=found["infinities"] or 0,
        distinct=found["distinct"],
        constant=bool(found["constant"]),
    )
