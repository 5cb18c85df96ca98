"""Categories that are new, and categories that are gone."""

from collections.abc import Iterator
from math import exp, sqrt

import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.facts import Facts, is_text
from penstock.data.bench.finding import Finding
from penstock.stats import LevelColumn

SURE = 1e-6  # the largest p-value of a category that is gone
TAIL = 6  # deviations of the rows with new categories that a long tail brings
NAMED = 50  # categories that a filter lists


def categories(facts: Facts) -> Iterator[Finding]:
    """Categories that came or went, beyond what a long tail of rare ones brings by chance."""
    if facts.profiles is None or not facts.batch.height:
        return
    reference, current = facts.profiles
    for name, column in reference.columns.items():
        now = current.columns[name]
        if not isinstance(column, LevelColumn) or not isinstance(now, LevelColumn) or name in facts.context.identifying:
            continue
        if is_text(facts.batch.schema[name]):
            yield from _new(facts, name, column, now)
        yield from _vanished(facts, name, column, now)


def _new(facts: Facts, name: str, before: LevelColumn, now: LevelColumn) -> Iterator[Finding]:
    seen = before.rows - before.nulls
    if before.others or not seen or not now.others:
        return  # with more levels than a profile holds, nobody knows which are new
    # Good (1953): the share of values never seen is about that of the values seen once, give or take both counts
    ratio = (now.rows - now.nulls) / seen
    expected = ratio * sum(count == 1 for count in before.counts)
    if now.others <= expected + TAIL * sqrt(expected * (1 + ratio)) + TAIL * (expected > 0):
        return
    new = (
        facts.batch.rows.filter(~pl.col(name).cast(pl.String).is_in(list(before.levels)))
        .group_by(pl.col(name).cast(pl.String))
        .len("rows")
        .sort(["rows", name], descending=[True, False])
        .collect()
    )
    names, rows = new.get_column(name).to_list(), int(new.get_column("rows").sum())
    condition = sql.is_in(name, names) if len(names) <= NAMED else f"NOT ({sql.is_in(name, before.levels)})"
    shown = ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
    yield Finding(
        "category", "warn" if facts.context.reaches_model(name) else "info", (name,),
        f"{name!r} has {'a new category' if len(names) == 1 else f'{len(names):,} new categories'}: {shown}",
        why="a model has learned nothing about a category that it never saw",
        do="if it is a new spelling of an old one, mend it in a transform; else retrain with enough rows of it",
        count=rows, share=rows / facts.batch.height,
        filter=condition,
        evidence={"categories": dict(zip(names[:NAMED], new.get_column("rows").to_list(), strict=False))},
    )  # fmt: skip


def _vanished(facts: Facts, name: str, before: LevelColumn, now: LevelColumn) -> Iterator[Finding]:
    seen, there = before.rows - before.nulls, now.rows - now.nulls
    if not seen or not there:
        return
    pairs = zip(before.levels, before.counts, now.counts, strict=True)
    gone = {
        level: count for level, count, after in pairs if not after and exp(-there * count / seen) < SURE and count > 1
    }
    if gone:
        shown = ", ".join(map(repr, list(gone)[:5])) + (f" and {len(gone) - 5:,} more" if len(gone) > 5 else "")
        yield Finding(
            "category", "warn" if facts.context.reaches_model(name) else "info", (name,),
            f"{name!r} no longer has {shown}",
            why="rows are lacking, or the category has another name now",
            do="ask the source whether it stopped or was renamed",
            evidence={"vanished": dict(list(gone.items())[:NAMED])},
        )  # fmt: skip
