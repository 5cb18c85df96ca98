"""Counting rows on the bins and levels of a column: a table of bins for numbers, one grouping for texts."""

from dataclasses import replace
from functools import reduce

import numpy as np
import polars as pl

from penstock.errors import UsageError
from penstock.stats import distinct
from penstock.stats.columns import UNSEEN, Column, LevelColumn, Moments, NumericColumn, first_unseen
from penstock.stats.grid import STEP, Floats, places

LONGEST_LEVEL = 100  # characters; longer texts that begin alike are one level


def counted(series: pl.Series, like: Column) -> Column:
    """Rows on the bins or levels of `like`. UsageError for another kind of column."""
    if series.dtype != pl.Null and not _same_kind(series.dtype, like):
        what = f"column {series.name!r} is {series.dtype} and cannot be counted on its reference"
        raise UsageError(what, expected=_expected(like))
    return _numeric(series, like) if isinstance(like, NumericColumn) else _levels(series, like)


def is_numeric(dtype: pl.DataType) -> bool:
    """Whether a column of this type is counted as numbers."""
    return dtype.is_numeric() or dtype.is_temporal()


def numbers_of(series: pl.Series) -> Floats:
    """Of a column of numbers or times, without nulls; times in seconds."""
    return _seconds_or_numbers(series).drop_nulls().to_numpy()


def levels_of(series: pl.Series) -> pl.DataFrame:
    """Every text once (`level`), and in how many rows it is (`rows`), without nulls.

    Lists, structs and bytes have no levels: only whether they are there is counted.
    """
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        return pl.DataFrame(schema={"level": pl.String, "rows": pl.UInt32})
    found = series.alias("level").drop_nulls().value_counts(name="rows").with_columns(pl.col("level").cast(pl.String))
    if not (found["level"].str.len_bytes() > LONGEST_LEVEL).any():
        return found
    return found.group_by(pl.col("level").str.head(LONGEST_LEVEL)).agg(pl.col("rows").sum())


def _same_kind(dtype: pl.DataType, like: Column) -> bool:
    if isinstance(like, LevelColumn):
        return not is_numeric(dtype)
    return is_numeric(dtype) and dtype.is_temporal() == like.temporal


def _expected(like: Column) -> str:
    if isinstance(like, LevelColumn):
        return "texts or truth values"
    return "times" if like.temporal else "numbers"


def _numeric(series: pl.Series, like: NumericColumn) -> NumericColumn:
    values = numbers_of(series)
    finite, odd = _finite(values)
    found = places(finite, np.asarray(like.edges)) if like.edges else np.ones(len(finite), dtype=np.intp)
    counts = np.bincount(found, minlength=len(like.counts) + 2)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.bincount(found, weights=finite, minlength=len(counts))
    return NumericColumn(
        temporal=like.temporal,
        rows=len(series),
        nulls=series.null_count(),
        nans=int(np.isnan(odd).sum()),
        low_infinities=int(np.isneginf(odd).sum()),
        high_infinities=int(np.isposinf(odd).sum()),
        below=int(counts[0]),
        above=int(counts[-1]),
        counts=tuple(counts[1:-1].tolist()),
        edges=like.edges,
        sums=tuple(sums.tolist()),
        minimum=float(finite.min()) if len(finite) else None,
        maximum=float(finite.max()) if len(finite) else None,
        moments=_moments(finite),
        distinct=distinct.numbers(finite),
    )


def _finite(values: Floats) -> tuple[Floats, Floats]:
    """The finite numbers, and the others."""
    finite = np.isfinite(values)
    return (values, values[:0]) if finite.all() else (values[finite], values[~finite])


def _seconds_or_numbers(series: pl.Series) -> pl.Series:
    if series.dtype == pl.Date:
        return series.to_physical().cast(pl.Float64) * 86_400  # days: a cast panics beyond the calendar
    if isinstance(series.dtype, pl.Datetime):
        return series.dt.epoch("us").cast(pl.Float64) / 1e6
    if isinstance(series.dtype, pl.Duration):
        return series.dt.total_microseconds().cast(pl.Float64) / 1e6
    if series.dtype == pl.Time:
        return series.to_physical().cast(pl.Float64) / 1e9
    return series.cast(pl.Float64)


def _moments(values: Floats) -> Moments:
    """Part by part, so that what is made on the way stays in the processor's cache."""
    parts = (_moments_of(values[start : start + STEP]) for start in range(0, len(values), STEP))
    return reduce(Moments.merge, parts, Moments())


def _moments_of(values: Floats) -> Moments:
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.mean())
        return Moments(len(values), mean, float(np.square(values - mean).sum()))


def _levels(series: pl.Series, like: LevelColumn) -> LevelColumn:
    found = levels_of(series)
    listed = found["level"].is_in(pl.Series(like.levels, dtype=pl.String).implode())
    known, unseen = dict(found.filter(listed).iter_rows()), found.filter(~listed)
    counts = tuple(known.get(level, 0) for level in like.levels)
    return replace(
        like,
        rows=len(series),
        nulls=series.null_count(),
        counts=counts,
        others=len(series) - series.null_count() - sum(counts),
        unseen=first_unseen(unseen.bottom_k(UNSEEN, by="level").iter_rows()),  # Polars' order is Python's
        distinct=distinct.texts(found["level"]),
    )
