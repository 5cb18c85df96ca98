"""Rows that are there more than once."""

from collections.abc import Iterator, Sequence
from math import floor, log10

import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.facts import Facts, is_plain
from penstock.data.bench.finding import Finding, Severity
from penstock.data.reserved import RAW

TELLING = 0.95  # of the different rows have a value of their own in a column: who shares it is a copy
ROWS_AT_ONCE = 10_000_000  # row hashes held at once
HASH = RAW + "hash"
FEW = 4  # a quarter of the rows: more are not worth picking out
DIGITS = 3  # of a typical deviation in which near-duplicates agree


def telling(facts: Facts, names: Sequence[str], different: int) -> bool:
    """Whether one of these columns alone tells the `different` rows apart, so that equal rows are no coincidence."""
    return any((facts.now.columns[name].distinct or 0) >= TELLING * different for name in names)


def duplicate_rows(facts: Facts) -> Iterator[Finding]:
    """Rows that are equal, and rows that are equal but for spelling and the last digits."""
    names = [name for name in facts.now.schema if name not in facts.context.key]
    if not names or facts.now.height < 2:
        return
    exact, groups = _repeats(facts.now.rows, facts.now.height, [pl.col(name) for name in names])
    apart = telling(facts, names, facts.now.height - exact + groups)
    if exact:
        key = f" but for {', '.join(facts.context.key)}" if facts.context.key else ""
        yield _rows(facts, names, exact, f"are equal to another row{key}", [sql.column(n) for n in names], apart)
    if apart and (near := _near(facts, names, exact)):
        yield _rows(facts, names, near, "are nearly equal to another row", _rounded(facts, names, DIGITS), apart)


def _near(facts: Facts, names: Sequence[str], exact: int) -> int:
    """How many rows are nearly equal to another one; 0 where that is chance, or only those that are equal."""
    fine, coarse = (_rounded(facts, names, digits) for digits in (DIGITS, DIGITS - 1))
    if not all(is_plain(facts.now.schema[name]) for name in names) or fine == [sql.column(name) for name in names]:
        return 0
    exactly = [name for name, text in zip(names, fine, strict=True) if text == sql.column(name)]
    rows = _agreeing(facts.now.rows, facts.now.height, exactly)
    if rows is None:
        return 0
    near, _ = _repeats(rows, facts.now.height, [pl.sql_expr(text) for text in fine])
    if near <= exact:
        return 0
    # copies stay as many when fewer digits count; rows that are neighbours by chance become ten times as many
    wide, _ = _repeats(rows, facts.now.height, [pl.sql_expr(text) for text in coarse])
    return near if wide - exact <= 2 * (near - exact) else 0


def _agreeing(rows: pl.LazyFrame, height: int, names: Sequence[str]) -> pl.LazyFrame | None:
    """The rows that share these columns with another one; None where no row does. Rounding texts and fractions of few
    rows is a small part of rounding those of all.
    """
    if not names:
        return rows
    keys = [pl.col(name) for name in names]
    slices = (ordered.filter(_follows(ordered)).unique() for ordered in _hashes(rows, height, keys))
    suspects = pl.concat([pl.Series(HASH, [], pl.UInt64), *slices])
    if suspects.len() * FEW > height:
        return rows
    wanted = suspects.to_frame().lazy()
    return rows.with_columns(_hash(keys)).join(wanted, on=HASH, how="semi").drop(HASH) if suspects.len() else None


def _rows(facts: Facts, names: Sequence[str], count: int, what: str, keys: Sequence[str], apart: bool) -> Finding:
    severity: Severity = "warn" if apart else "info"
    chance = "" if apart else "; the columns have so few values that this may be chance"
    return Finding(
        "duplicate_rows", severity, (), f"{count:,} rows {what}{chance}",
        why="what is there twice counts twice, and a copy in the holdout makes a model look better than it is",
        do="find out where they come from (two files? a join?), and keep one of each in a transform",
        count=count, share=count / facts.now.height,
        filter=sql.repeated(keys) if all(is_plain(facts.now.schema[name]) for name in names) else None,
    )  # fmt: skip


def _repeats(rows: pl.LazyFrame, height: int, keys: Sequence[pl.Expr]) -> tuple[int, int]:
    """How many rows share their keys with another one, in how many groups."""
    found = groups = 0
    for ordered in _hashes(rows, height, keys):
        later = _follows(ordered)
        first = later.shift(-1, fill_value=False) & ~later
        found, groups = found + int(later.sum()) + int(first.sum()), groups + int(first.sum())
    return found, groups


def _follows(ordered: pl.Series) -> pl.Series:
    """Which hashes are equal to the one before."""
    return (ordered == ordered.shift(1)).fill_null(value=False)


def _hashes(rows: pl.LazyFrame, height: int, keys: Sequence[pl.Expr]) -> Iterator[pl.Series]:
    """The hash of every row's keys, in order; a slice of them is in memory at a time."""
    for mine in in_slices(rows, height, keys):
        yield mine.collect(engine="streaming").to_series().sort()


def in_slices(rows: pl.LazyFrame, height: int, keys: Sequence[pl.Expr], **more: pl.Expr) -> Iterator[pl.LazyFrame]:
    """The hash of every row's keys as HASH, and what `more` is asked of it, as many as memory should hold at a time.

    Rows with the same keys come together.
    """
    slices = height // ROWS_AT_ONCE + 1
    every = rows.select(_hash(keys), **more)
    for number in range(slices):
        yield every if slices == 1 else every.filter(pl.col(HASH) % slices == number)


def _hash(keys: Sequence[pl.Expr]) -> pl.Expr:
    return pl.struct(key.alias(str(i)) for i, key in enumerate(keys)).hash().alias(HASH)


def _rounded(facts: Facts, names: Sequence[str], digits: int) -> list[str]:
    """Every column as SQL: texts without case and blanks, fractions to so many digits of their deviation."""
    return [_rounded_one(facts, name, digits) for name in names]


def _rounded_one(facts: Facts, name: str, digits: int) -> str:
    dtype, value = facts.now.schema[name], sql.column(name)
    if isinstance(dtype, pl.String):
        return f"LOWER(TRIM({value}))"
    if not dtype.is_float():
        return value
    spread = _spread(facts.now.sample.get_column(name))
    return f"ROUND({value} / {10.0 ** (floor(log10(spread)) - digits + 1)!r})" if spread else value


def _spread(values: pl.Series) -> float:
    """A typical deviation: half of what the middle half of the values takes."""
    finite = values.drop_nulls().cast(pl.Float64)
    finite = finite.filter(finite.is_finite())
    low, high = finite.quantile(0.25), finite.quantile(0.75)
    return (high - low) / 2 if low is not None and high is not None and high > low else 0.0
