"""Rows to judge by that are among the rows to learn from."""

from collections.abc import Iterator

import polars as pl

from penstock.data.bench.duplicate_rows import telling
from penstock.data.bench.facts import Facts, sampled
from penstock.data.bench.finding import Finding
from penstock.data.bench.labels import features_of
from penstock.data.split import holdout_mask
from penstock.errors import UsageError

ROWS = 200_000


def overlap(facts: Facts) -> Iterator[Finding]:
    """Rows of the holdout whose features a row of the training has too, where that is no coincidence."""
    context, names = facts.context, features_of(facts)
    if facts.target is None or context.holdout is None or not names or facts.now.height < 2:
        return
    wanted = list(dict.fromkeys([*names, *context.identifying, facts.target]))
    rows = sampled(facts.now.rows.select(wanted), facts.now.height, ROWS).filter(pl.col(facts.target).is_not_null())
    held = _held_out(facts, rows)
    if held is None or held.all() or not held.any():
        return
    marked = rows.select(names).with_columns(held.alias(HELD))
    groups = marked.group_by(names).agg(held=pl.col(HELD).sum(), rows=pl.len())
    both = groups.filter((pl.col("held") > 0) & (pl.col("held") < pl.col("rows")))
    count = int(both.get_column("held").sum())
    if not count or not telling(facts, names, groups.height):
        return
    share = count / int(held.sum())
    some = "" if rows.height == facts.now.height else f" (of a sample of {rows.height:,} rows)"
    yield Finding(
        "overlap", "error" if share >= 0.01 else "warn", (),
        f"{count:,} rows of the holdout, {share:.1%} of it, have a twin in the training{some}",
        why="a model is judged by rows that it has learned by heart",
        do="keep one of each in a transform, or name as `data.key` what the twins share, so that they stay together",
        count=count, share=share,
        evidence={"holdout": context.holdout},
    )  # fmt: skip


HELD = "__row__"  # reserved: no column of the data has this name


def _held_out(facts: Facts, rows: pl.DataFrame) -> pl.Series | None:
    """Which rows the project would hold out; None where it cannot say."""
    context = facts.context
    strata = facts.target if context.task != "regression" else None
    try:
        return holdout_mask(
            rows, str(context.holdout), time=context.time, key=context.key, strata=strata, seed=context.seed
        )
    except UsageError:
        return None  # a row without a time: the check of missing values has told that
