"""Rows whose labels contradict each other."""

from collections.abc import Iterator, Sequence

import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.duplicate_rows import HASH, in_slices, telling
from penstock.data.bench.facts import Facts, is_plain
from penstock.data.bench.finding import Finding


def label_conflict(facts: Facts) -> Iterator[Finding]:
    """Equal rows with different classes, where equal rows are no coincidence."""
    target, names = facts.target, features_of(facts)
    if target is None or facts.context.task == "regression" or not names:
        return
    count, different = _torn(facts, names, target)
    if not count or not telling(facts, names, different):
        return
    over = f"OVER (PARTITION BY {', '.join(map(sql.column, names))}, {sql.column(target)} IS NULL)"
    value = f"CAST({sql.column(target)} AS VARCHAR)"
    yield Finding(
        "label_conflict", "warn", (target,), f"{count:,} rows are equal to another row but have another {target!r}",
        why="no model can be right about both, and at least one of the labels is wrong or comes too early",
        do="look at the rows; keep the newest label of each, or find the column that would tell them apart",
        count=count, share=count / facts.now.height,
        filter=f"{sql.column(target)} IS NOT NULL AND MIN({value}) {over} <> MAX({value}) {over}",
    )  # fmt: skip


def _torn(facts: Facts, names: Sequence[str], target: str) -> tuple[int, int]:
    """How many rows are equal to another one with another label, and how many different rows there are."""
    found = different = 0
    labelled = facts.now.rows.filter(pl.col(target).is_not_null())
    label = pl.col(target).hash()
    for rows in in_slices(labelled, facts.now.height, [pl.col(name) for name in names], label=label):
        groups = rows.group_by(HASH).agg(rows=pl.len(), torn=pl.col("label").min() != pl.col("label").max())
        counts = groups.select(pl.col("rows").filter("torn").sum(), pl.len().alias("different"))
        torn, apart = counts.collect(engine="streaming").row(0)
        found, different = found + int(torn or 0), different + int(apart)
    return found, different


def features_of(facts: Facts) -> list[str]:
    """The columns that a model may learn from: those of a request, without the row's name and time."""
    context = facts.context
    wanted = context.request or tuple(facts.now.schema)
    left_out = {*context.identifying, context.target}
    return [
        name for name in wanted
        if name in facts.now.schema and name not in left_out and is_plain(facts.now.schema[name])
    ]  # fmt: skip
