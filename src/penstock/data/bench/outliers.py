"""Values that stand apart from all others of their column."""

from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf, isfinite
from typing import Any, cast

import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.decades import Copy, too_large
from penstock.data.bench.facts import SAMPLE, Facts, is_number
from penstock.data.bench.finding import Finding

MOST = 0.02  # of the rows: what is more frequent is a kind of row and no outlier
EXTREMES = 2_000  # of all rows, on each side
FEWEST = 50  # values with one of their own, before any can stand apart
NEARLY_RATIO = 1.5 * (1 - 1e-12)  # of tails.RATIO, which is taken of logarithms
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
RARELY = 0.2  # of the values are whole, or they say nothing about a lost comma
SHOWN = 40  # values kept for the picture


def outliers(facts: Facts) -> Iterator[Finding]:
    """Columns with values far from all others, as wrong units, typing errors and codes for "unknown" leave them."""
    for name in facts.now.schema:
        if not _has_tails(facts, name):
            continue
        low, high = _bounds(facts, name)
        if isfinite(low) or isfinite(high):
            yield _finding(facts, name, low, high)
        if not isfinite(high) and is_number(facts.now.schema[name]):
            yield from _too_large(facts, name)


def _has_tails(facts: Facts, name: str) -> bool:
    dtype = facts.now.schema[name]
    sized = is_number(dtype) or isinstance(dtype, pl.Date | pl.Datetime)
    return sized and name not in facts.context.key and not facts.now.columns[name].constant


def _bounds(facts: Facts, name: str) -> tuple[float, float]:
    """Below and above which values stand apart; infinite where none does."""
    values = _sampled(facts, name)
    if values.n_unique() < FEWEST:
        return -inf, inf
    middle = cast("float", values.median())
    tails = [(values, max(1, int(MOST * len(values)))), (_extremes(facts, name, values), EXTREMES // 2)]
    found = [_apart(rows, middle, most) for rows, most in tails if may_stand_apart(rows, middle, most)]
    return max((low for low, _ in found), default=-inf), min((high for _, high in found), default=inf)


def _apart(rows: pl.Series, middle: float, most: int) -> tuple[float, float]:
    from penstock.data.bench.tails import bounds

    return bounds(rows.to_numpy(), middle, most)


def may_stand_apart(rows: pl.Series, middle: float, most: int) -> bool:
    """Whether one of the outermost values is so much farther from the middle than the next.

    In few columns one is; in all others no arrays need be made to judge the tails.
    """
    distances = rows - middle
    return any(_widest_step(side, most + 1) >= NEARLY_RATIO for side in (distances, -distances))


def _widest_step(distances: pl.Series, among: int) -> float:
    outermost = distances.filter(distances > 0).top_k(among).sort(descending=True)
    return cast("float | None", (outermost / outermost.shift(-1)).max()) or 0.0


def _extremes(facts: Facts, name: str, sample: pl.Series) -> pl.Series:
    """The lowest and the highest values of all rows, where the sample has not got every row."""
    if facts.now.height <= SAMPLE:
        return sample.clear()
    value = _finite(_as_number(pl.col(name), facts.now.schema[name]))
    low, high = sample.quantile(0.01, "linear"), sample.quantile(0.99, "linear")
    ends = [value.filter(value < low).bottom_k(EXTREMES), value.filter(value > high).top_k(EXTREMES)]
    lowest, highest = facts.now.rows.select(end.implode().alias(str(i)) for i, end in enumerate(ends)).collect().row(0)
    return pl.Series([*lowest, *highest], dtype=pl.Float64)


def _finding(facts: Facts, name: str, low: float, high: float) -> Finding:
    dtype = facts.now.schema[name]
    sides = [(">", high)] * isfinite(high) + [("<", low)] * isfinite(low)
    condition = " OR ".join(_beyond(name, dtype, sign, at) for sign, at in sides)
    count = facts.now.counted({"rows": condition})["rows"]
    values = _sampled(facts, name)
    quantiles = [values.quantile(at, "linear") for at in QUANTILES]
    far = values.filter((values < low) | (values > high))
    shown = " or ".join(f"{'above' if sign == '>' else 'below'} {_said(at, dtype)}" for sign, at in sides)
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    middle = f"the middle 98 % are {_said(quantiles[0], dtype)} to {_said(quantiles[-1], dtype)}"
    return Finding(
        "outlier", "warn" if facts.context.reaches_model(name) else "info", (name,),
        f"{name!r}: {rows} far from all others, {shown}; {middle}",
        why="a few such values decide means, scales and linear models",
        do="look at the rows: a wrong unit or a code for \"unknown\" belongs into the contract (`max`, `missing`)",
        count=count, share=count / facts.now.height, filter=condition,
        evidence={
            "low": low if isfinite(low) else None, "high": high if isfinite(high) else None,
            "quantiles": dict(zip(map(str, QUANTILES), quantiles, strict=True)),
            "far": _some(far),
            "temporal": dtype.is_temporal(),
        },
    )  # fmt: skip


def _too_large(facts: Facts, name: str) -> Iterator[Finding]:
    """Values that look a power of ten too large, told apart by their size, or by size and a fraction that they lack."""
    values = _sampled(facts, name)
    whole = values.filter(values == values.floor())
    if found := too_large(values, values):
        yield _shifted(facts, name, found, "rows", _beyond(name, facts.now.schema[name], ">", found.cut))
    elif whole.len() <= RARELY * values.len() and (found := too_large(values, whole)):
        condition = _beyond(name, facts.now.schema[name], ">", found.cut)
        value = sql.column(name)
        yield _shifted(facts, name, found, "whole numbers", f"({condition} AND {value} = FLOOR({value}))")


def _shifted(facts: Facts, name: str, found: Copy, which: str, condition: str) -> Finding:
    count = facts.now.counted({"rows": condition})["rows"]
    times, cut = 10**found.power, _said(found.cut, facts.now.schema[name])
    return Finding(
        "outlier", "warn" if facts.context.reaches_model(name) else "info", (name,),
        f"{name!r}: {count:,} {which} above {cut} look {times:,} times too large: spread as the others, but higher",
        why="a few such values decide means, scales and linear models",
        do="look at the rows: a lost decimal comma, or another unit; mend it at the source or in a transform",
        count=count, share=count / facts.now.height, filter=condition,
        evidence={"times": times, "above": found.cut},
    )  # fmt: skip


def _some(far: pl.Series) -> list[float]:
    """All of them, or as many as a picture shows, spread from the lowest to the highest."""
    last = far.len() - 1
    places = range(far.len()) if far.len() <= SHOWN else [last * i // (SHOWN - 1) for i in range(SHOWN)]
    return far.sort().gather(list(places)).to_list()


def _beyond(name: str, dtype: pl.DataType, sign: str, at: float) -> str:
    """A condition that no NaN and no infinity meets: to Polars a NaN is more than every number."""
    value = sql.column(name)
    if dtype.is_temporal():
        moment = datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
        zone = getattr(dtype, "time_zone", None)
        return f"{value} {sign} '{moment}'::timestamptz" if zone else f"{value} {sign} TIMESTAMP '{moment}'"
    if not dtype.is_float():
        return f"{value} {sign} {at!r}"
    end = "< CAST('inf' AS DOUBLE)" if sign == ">" else "> CAST('-inf' AS DOUBLE)"
    return f"({value} {sign} {at!r} AND {value} {end})"


def _said(value: Any, dtype: pl.DataType) -> str:
    if dtype.is_temporal():
        return f"{datetime.fromtimestamp(float(value), UTC):%Y-%m-%d %H:%M}"
    if dtype.is_integer() or abs(value) >= 1e6:
        return f"{float(value):,.0f}"
    return f"{float(value):,.4g}"


def _sampled(facts: Facts, name: str) -> pl.Series:
    """The finite values of a column, of the sample."""
    value = _as_number(pl.col(name), facts.now.schema[name])
    return facts.now.sample.select(_finite(value)).to_series()


def _as_number(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Numbers, and times as seconds since 1970."""
    if dtype.is_temporal():
        return value.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    return value.cast(pl.Float64)


def _finite(value: pl.Expr) -> pl.Expr:
    return value.filter(value.is_finite())
