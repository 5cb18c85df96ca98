"""Columns that hold the same as another one."""

from collections.abc import Iterator

import polars as pl

from penstock.data.bench.facts import Facts, is_number, is_plain
from penstock.data.bench.finding import Finding, Severity

ALIKE = 0.9999  # correlation of two columns that say the same
CORRELATED = 300  # columns compared pair by pair


def duplicate_columns(facts: Facts) -> Iterator[Finding]:
    """Columns that hold the same as another one, or nearly."""
    if facts.now.height < 10:
        return
    equal = _equal_columns(facts)
    for first, second in equal:
        seen = facts.context.reaches_model(first) and facts.context.reaches_model(second)
        what = f"{second!r} is equal to {first!r} in every row"
        yield _columns(first, second, what, "warn" if seen else "info", {})
    taken = {second for _, second in equal}
    for first, second, correlation in _alike_columns(facts, taken):
        what = f"{second!r} says the same as {first!r}: their correlation is {correlation:.5f}"
        yield _columns(first, second, what, "info", {"correlation": correlation})


def _columns(first: str, second: str, what: str, severity: Severity, evidence: dict[str, float]) -> Finding:
    return Finding(
        "duplicate_columns", severity, (first, second), what,
        why="importance is shared out between copies, and one of them is paid for without use",
        do="keep the one that the source maintains",
        evidence=evidence,
    )  # fmt: skip


def _equal_columns(facts: Facts) -> list[tuple[str, str]]:
    """Pairs that a sample cannot tell apart, and then not all rows either; the one that comes first stands first."""
    names = _varying(facts)
    if len(names) < 2:
        return []
    place = pl.int_range(pl.len(), dtype=pl.UInt64) * 2 + 1  # equal values in another order are another column
    sums = facts.now.sample.select((pl.col(name).hash() * place).sum() for name in names).row(0)
    firsts: dict[tuple[str, int], str] = {}
    alike = [
        firsts.setdefault((str(facts.now.schema[name]), found), name) for name, found in zip(names, sums, strict=True)
    ]
    pairs = [(first, name) for first, name in zip(alike, names, strict=True) if first != name]
    if not pairs:
        return []
    differ = [pl.col(a).ne_missing(pl.col(b)).any().alias(str(i)) for i, (a, b) in enumerate(pairs)]
    found = facts.now.rows.select(differ).collect(engine="streaming").row(0)
    return [pair for pair, differs in zip(pairs, found, strict=True) if not differs]


def _varying(facts: Facts) -> list[str]:
    columns = facts.now.columns
    return [
        name for name, dtype in facts.now.schema.items()
        if is_plain(dtype) and not columns[name].constant and name != facts.context.target
    ]  # fmt: skip


def _alike_columns(facts: Facts, taken: set[str]) -> Iterator[tuple[str, str, float]]:
    """Pairs of numbers with a correlation of nearly one, in rows where both are known."""
    names = [
        name for name in _varying(facts)
        if is_number(facts.now.schema[name]) and name not in taken and facts.now.columns[name].missing == 0
        and facts.now.columns[name].infinities == 0
    ][:CORRELATED]  # fmt: skip
    if len(names) < 2 or facts.now.height < 30:
        return
    import numpy as np

    matrix = facts.now.sample.select(pl.col(name).cast(pl.Float64) for name in names).to_numpy()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        found = np.corrcoef(matrix, rowvar=False)
    for i, j in zip(*np.nonzero(np.triu(np.abs(found) >= ALIKE, 1)), strict=True):
        yield names[i], names[j], float(found[i, j])
