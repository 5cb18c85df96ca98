"""Values that stand apart from all others of their column."""

from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf, isfinite
from typing import Any

import numpy as np
import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.facts import SAMPLE, Facts, is_number
from penstock.data.bench.finding import Finding
from penstock.data.bench.tails import Floats, bound

MOST = 0.02  # of the rows: what is more frequent is a kind of row and no outlier
EXTREMES = 2_000  # of all rows, on each side
FEWEST = 50  # values with one of their own, before any can stand apart
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
SHOWN = 40  # values kept for the picture


def outliers(facts: Facts) -> Iterator[Finding]:
    """Columns with values far from all others, as wrong units, typing errors and codes for "unknown" leave them."""
    for name, dtype in facts.now.schema.items():
        if name in facts.context.key or not (is_number(dtype) or isinstance(dtype, pl.Date | pl.Datetime)):
            continue
        values = _numbers(facts.now.sample.get_column(name))
        if facts.now.columns[name].constant or len(np.unique(values)) < FEWEST:
            continue
        low, high = _bounds(facts, name, values)
        if isfinite(low) or isfinite(high):
            yield _finding(facts, name, values, low, high)


def _bounds(facts: Facts, name: str, values: Floats) -> tuple[float, float]:
    """Below and above which values stand apart; infinite where none does."""
    middle = float(np.median(values))
    rare = _extremes(facts, name, values)
    most = max(1, int(MOST * len(values)))
    high = min(_bound(values - middle, most), _bound(rare - middle, EXTREMES // 2))
    low = min(_bound(middle - values, most), _bound(middle - rare, EXTREMES // 2))
    return middle - low, middle + high


def _bound(distances: Floats, most: int) -> float:
    outside = np.sort(distances[distances > 0])[::-1]
    # where half of a column is one value, the others are few: those that stand apart must be fewer still
    return bound(outside, min(most, len(outside) // 5)) if len(outside) else inf


def _extremes(facts: Facts, name: str, values: Floats) -> Floats:
    """The outermost values of all rows, where the sample has not got every row."""
    if facts.now.height <= SAMPLE:
        return np.empty(0)
    value = _as_number(pl.col(name), facts.now.schema[name])
    low, high = np.quantile(values, [0.01, 0.99])
    ends = [value.filter(value > high).top_k(EXTREMES), value.filter(value < low).bottom_k(EXTREMES)]
    return np.concatenate([_finite(facts.now.rows.select(end).collect().to_series()) for end in ends])


def _finding(facts: Facts, name: str, values: Floats, low: float, high: float) -> Finding:
    dtype = facts.now.schema[name]
    sides = [(">", high)] * isfinite(high) + [("<", low)] * isfinite(low)
    condition = " OR ".join(_beyond(name, dtype, sign, at) for sign, at in sides)
    count = facts.now.counted({"rows": condition})["rows"]
    quantiles = np.quantile(values, QUANTILES)
    far = values[(values < low) | (values > high)]
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
            "quantiles": dict(zip(map(str, QUANTILES), quantiles.tolist(), strict=True)),
            "far": _some(far),
            "temporal": dtype.is_temporal(),
        },
    )  # fmt: skip


def _some(far: Floats) -> list[float]:
    """The farthest values, or as many spread over them."""
    spread = np.linspace(0, len(far) - 1, min(len(far), SHOWN)).astype(np.intp)
    return [float(value) for value in np.sort(far)[spread]]


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


def _numbers(values: pl.Series) -> Floats:
    frame = values.to_frame()
    return _finite(frame.select(_as_number(pl.col(values.name), values.dtype)).to_series())


def _as_number(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Numbers, and times as seconds since 1970."""
    if dtype.is_temporal():
        return value.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    return value.cast(pl.Float64)


def _finite(values: pl.Series) -> Floats:
    array = values.drop_nulls().to_numpy()
    return np.asarray(array[np.isfinite(array)], dtype=np.float64)
