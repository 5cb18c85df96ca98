"""Columns whose values are spread otherwise than before."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from penstock.data.bench.facts import Facts, Side, is_number
from penstock.data.bench.finding import Finding, Severity
from penstock.stats import NumericColumn, Profile, Shift, shifts

LARGE = 0.1  # the debiased PSI from which a shift usually matters
GAPS = 0.02  # more or fewer missing values that are told with a shift
BARS = 24
NAMED = 12  # levels in the picture
ENOUGH = 50  # rows on either side


def shift(facts: Facts) -> Iterator[Finding]:
    """Columns that moved by more than chance explains and by enough to matter."""
    for one in _shifts(facts):
        if not one.shifted:
            continue
        seen = facts.context.reaches_model(one.column)
        severity: Severity = "warn" if one.drift.debiased >= LARGE and seen else "info"
        yield Finding(
            "shift", severity, (one.column,),
            f"{one.column!r} is spread otherwise than before: PSI {one.drift.debiased:.3f}" + _gaps(one),
            why="a model is asked about rows unlike those that it learned from",
            do="find out what changed in the world or at the source; then retrain on rows like those to come",
            evidence={**asdict(one.drift), "picture": picture(facts, one.column)},
        )  # fmt: skip


def _gaps(one: Shift) -> str:
    """That it is, or is also, a matter of missing values."""
    change = one.missing_change
    return f", with {abs(change):.1%} {'more' if change > 0 else 'fewer'} missing" if abs(change) >= GAPS else ""


def _shifts(facts: Facts) -> tuple[Shift, ...]:
    if facts.profiles is None or facts.before is None or min(facts.before.height, facts.batch.height) < ENOUGH:
        return ()
    names = [name for name in facts.profiles[0].columns if not moves_on(facts, name)]
    reference, current = (
        Profile(one.rows, {name: one.columns[name] for name in names}) for one in facts.profiles
    )  # fmt: skip
    return shifts(reference, current)


def moves_on(facts: Facts, name: str) -> bool:
    """Whether a column names rows or times, so that new rows have new values: that is no shift."""
    dtype, column = facts.batch.schema[name], facts.batch.columns[name]
    if name in facts.context.identifying or dtype.is_temporal():
        return True
    own = (column.distinct or 0) >= 0.9 * facts.batch.height
    if dtype.is_integer():
        assert facts.profiles is not None
        was, now = (profile.columns[name] for profile in facts.profiles)
        beyond = isinstance(was, NumericColumn) and isinstance(now, NumericColumn) and not sum(now.counts)
        return own and beyond
    return own and not is_number(dtype)


def picture(facts: Facts, name: str) -> dict[str, Any]:
    """How a column is spread now and before, as shares: of a number's bars or of the most frequent levels."""
    assert facts.before is not None
    sides = (facts.before, facts.batch)
    if is_number(facts.batch.schema[name]):
        return _bars(sides, name)
    levels = [dict(_levels(side, name)) for side in sides]
    most = sorted({*levels[0], *levels[1]}, key=lambda level: -max(one.get(level, 0.0) for one in levels))[:NAMED]
    return {"levels": most, "before": [levels[0].get(one, 0.0) for one in most],
            "now": [levels[1].get(one, 0.0) for one in most]}  # fmt: skip


def _bars(sides: tuple[Side, Side], name: str) -> dict[str, Any]:
    values = [_finite(side.sample.get_column(name)) for side in sides]
    both = np.concatenate(values)
    if not len(both):
        return {}
    low, high = np.quantile(both, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, BARS + 1)
    counts = [np.histogram(np.clip(one, edges[0], edges[-1]), edges)[0] / max(len(one), 1) for one in values]
    return {"edges": edges.tolist(), "before": counts[0].tolist(), "now": counts[1].tolist()}


def _finite(values: pl.Series) -> Any:
    array = values.drop_nulls().cast(pl.Float64).to_numpy()
    return array[np.isfinite(array)]


def _levels(side: Side, name: str) -> Iterator[tuple[str, float]]:
    values = side.sample.get_column(name).cast(pl.String).fill_null("(none)")
    counts = values.value_counts(sort=True, name="rows").head(200)
    for level, rows in counts.iter_rows():
        yield level[:60], rows / max(values.len(), 1)
