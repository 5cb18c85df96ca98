"""Rows whose labels contradict each other."""

from collections.abc import Iterator

import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.duplicate_rows import telling
from penstock.data.bench.facts import Facts, is_plain
from penstock.data.bench.finding import Finding


def label_conflict(facts: Facts) -> Iterator[Finding]:
    """Equal rows with different classes, where equal rows are no coincidence."""
    target, names = facts.target, features_of(facts)
    if target is None or facts.context.task == "regression" or not names:
        return
    label = pl.col(target)
    groups = facts.now.rows.filter(label.is_not_null()).group_by(names).agg(
        rows=pl.len(), lowest=label.cast(pl.String).min(), highest=label.cast(pl.String).max()
    )  # fmt: skip
    torn = pl.col("lowest") != pl.col("highest")
    counts = groups.select(pl.col("rows").filter(torn).sum(), pl.len().alias("different"))
    count, different = counts.collect(engine="streaming").row(0)
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


def features_of(facts: Facts) -> list[str]:
    """The columns that a model may learn from: those of a request, without the row's name and time."""
    context = facts.context
    wanted = context.request or tuple(facts.now.schema)
    left_out = {*context.identifying, context.target}
    return [
        name for name in wanted
        if name in facts.now.schema and name not in left_out and is_plain(facts.now.schema[name])
    ]  # fmt: skip
