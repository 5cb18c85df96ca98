"""Checks of one column at a time: its type, what is missing, what never varies, its times, its classes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import exp, lgamma
from sys import float_info
from typing import Any, cast

import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.facts import Facts
from penstock.data.bench.finding import Finding, Severity

MOSTLY = 0.5  # of the rows without a value
NOTABLE = 0.05  # of the rows; also the least rise of a share that is told
FEWEST = 10  # rows before "never varies" means something
SURE = 1e-6  # the largest p-value of a rise
NAMED = 50  # classes that are kept


def schema(facts: Facts) -> Iterator[Finding]:
    """Columns that came, went or changed their type."""
    if facts.before is None:
        return
    now, before = facts.now.schema, facts.before.schema
    for name in before:
        if name not in now:
            yield _schema(facts, name, f"column {name!r} is gone; it was {before[name]}")
        elif now[name] != before[name]:
            evidence = {"before": str(before[name]), "after": str(now[name])}
            yield _schema(facts, name, f"column {name!r} was {before[name]} and is {now[name]}", evidence)
    for name in now:
        if name not in before:
            yield Finding(
                "schema", "info", (name,), f"column {name!r} is new: {now[name]}",
                why="code that does not expect it does not use it",
                do="add it to the contract, and to data.request if it is known when a prediction is asked for",
            )  # fmt: skip


def _schema(facts: Facts, name: str, what: str, evidence: dict[str, str] | None = None) -> Finding:
    context = facts.context
    needed = name in (*context.identifying, context.target, *context.request)
    return Finding(
        "schema", "error" if needed else "warn", (name,), what,
        why="a model trained on the column before cannot use it now",
        do="find out at the source whether the change is meant; then change the contract and the code with it",
        evidence=evidence or {},
    )  # fmt: skip


def missing(facts: Facts) -> Iterator[Finding]:
    """Columns without values: empty, mostly empty, emptier than before, or where a value is needed."""
    rows = facts.now.height
    for name, column in facts.now.columns.items():
        share = facts.now.missing_share(name)
        rise = _rise(facts, name)
        severity = _missing_severity(facts, name, share, rise)
        if severity is None:
            continue
        before, told, whose = "", share, "the rows"
        if rise and facts.before:
            before = f"; {facts.before.missing_share(name):.1%} before"
            told = facts.batch.missing_share(name)
            whose = "the rows" if facts.batch is facts.now else "the new rows"
        empty = "has no value in any row" if column.missing == rows else f"has no value in {told:.1%} of {whose}"
        yield Finding(
            "missing", severity, (name,), f"{name!r} {empty}{before}",
            why="a model learns from gaps as if they were values, and takes a failing source for a fact",
            do="ask the source why; if it is normal, say so with `nullable` in the contract",
            count=column.missing, share=share,
            filter=sql.is_missing(name, nan=column.nans > 0),
            evidence={"nulls": column.nulls, "nans": column.nans, "rise": rise},
        )  # fmt: skip


def _missing_severity(facts: Facts, name: str, share: float, rise: float | None) -> Severity | None:
    if not share:
        return None
    if name in facts.context.identifying:
        return "error"
    if name == facts.context.target:  # rows that wait for their outcome are normal
        return "info" if share >= NOTABLE else None
    if share >= MOSTLY or rise:
        return "warn" if facts.context.reaches_model(name) else "info"
    return "info" if share >= NOTABLE else None


def _rise(facts: Facts, name: str) -> float | None:
    """By how much the share without a value rose from the rows before, if that is much and no chance."""
    before, batch = facts.before, facts.batch
    if before is None or name not in before.columns or not before.height or not batch.height:
        return None
    was, now = before.missing_share(name), batch.missing_share(name)
    if now - was < NOTABLE:
        return None
    gone, there = batch.columns[name].missing, before.columns[name].missing
    return now - was if _chance(gone, batch.height, gone + there, batch.height + before.height) < SURE else None


def _chance(found: int, drawn: int, marked: int, rows: int) -> float:
    """How likely so many or more of the `marked` among all rows are among those `drawn` (Fisher's exact test).

    A batch may be a single row, of which a normal number knows nothing.
    """

    def ways(of: int, take: int) -> float:
        return lgamma(of + 1) - lgamma(take + 1) - lgamma(of - take + 1)

    total, every = 0.0, ways(rows, drawn)
    for hits in range(found, min(drawn, marked) + 1):
        term = exp(ways(marked, hits) + ways(rows - marked, drawn - hits) - every)
        total += term
        if term <= total * float_info.epsilon:  # the terms fall from here on
            break
    return total


def infinite(facts: Facts) -> Iterator[Finding]:
    """Numbers that are not finite."""
    for name, column in facts.now.columns.items():
        if column.infinities:
            yield Finding(
                "outlier", "warn" if facts.context.reaches_model(name) else "info", (name,),
                f"{name!r} is infinite in {column.infinities:,} rows",
                why="sums and means of the column are infinite too, and most models refuse it",
                do="look for a division by zero at the source, or bound the column in the contract",
                count=column.infinities, share=column.infinities / facts.now.height,
                filter=f"{sql.column(name)} IN ({sql.INFINITIES})",
            )  # fmt: skip


def constant(facts: Facts) -> Iterator[Finding]:
    """Columns with one value in every row."""
    if facts.now.height < FEWEST:
        return
    for name, column in facts.now.columns.items():
        if not column.constant or column.missing or name == facts.context.target:
            continue
        varied = facts.before is not None and name in facts.before.columns and not facts.before.columns[name].constant
        severity: Severity = "warn" if varied or name in facts.context.request else "info"
        value = str(facts.now.sample.get_column(name)[0])[:40]
        yield Finding(
            "constant", severity, (name,),
            f"{name!r} is {value!r} in every row" + ("; it varied before" if varied else ""),
            why="what never varies cannot tell rows apart",
            do="find out whether the source is stuck; otherwise leave the column out",
            evidence={"value": value},
        )  # fmt: skip


# --- times ---------------------------------------------------------------------------------------


def freshness(facts: Facts) -> Iterator[Finding]:
    """A newest row that is too old, or no newer than before although rows came."""
    time = facts.context.time
    if time is None or time not in facts.now.schema or not facts.now.schema[time].is_temporal():
        return
    newest = _newest(facts.now.rows, time)
    if newest is None:
        return
    limit, published = facts.context.limit, facts.context.published
    if limit is not None and published is not None and published - newest > limit:
        yield _stale(time, f"the newest {time!r} is {newest:%Y-%m-%d %H:%M}, {_days(published - newest)} before this "
                     f"version was published; the objective allows {_days(limit)}")  # fmt: skip
    before = _newest(facts.before.rows, time) if facts.before and time in facts.before.schema else None
    if before is not None and newest <= before and facts.batch.height and not _is_same(facts):
        yield _stale(time, f"no row is newer than before: {time!r} ends at {newest:%Y-%m-%d %H:%M}")


def _stale(time: str, what: str) -> Finding:
    return Finding(
        "freshness", "warn", (time,), what,
        why="a model learns from a world that has gone on",
        do="see whether the source still delivers",
    )  # fmt: skip


def _newest(rows: pl.LazyFrame, time: str) -> datetime | None:
    dtype = rows.collect_schema()[time]
    aware = getattr(dtype, "time_zone", None) is not None
    if not isinstance(dtype, pl.Date | pl.Datetime):
        return None
    target = pl.Datetime("us", "UTC") if aware else pl.Datetime("us")
    newest = cast("datetime | None", rows.select(pl.col(time).cast(target).max()).collect().item())
    return newest if newest is None or newest.tzinfo else newest.replace(tzinfo=UTC)


def _is_same(facts: Facts) -> bool:
    """Whether rows were corrected and none added: then nothing newer is expected."""
    return facts.before is not None and facts.before.height >= facts.now.height


def _days(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:,.1f} days" if hours >= 48 else f"{hours:,.1f} hours"


# --- the target ----------------------------------------------------------------------------------

RARE_CLASS, FEW_ROWS = 0.01, 20


def class_balance(facts: Facts) -> Iterator[Finding]:
    """Classes that are too rare to learn or to judge."""
    target = facts.target
    if target is None or facts.context.task not in ("binary", "multiclass"):
        return
    value = pl.col(target).cast(pl.String)
    counts = facts.now.rows.select(value).drop_nulls().group_by(target).len("rows").sort("rows", target).collect()
    shares: dict[str, Any] = dict(counts.iter_rows())
    rows = sum(shares.values())
    if not rows:
        return
    evidence = {"classes": dict(list(shares.items())[:NAMED])}
    if len(shares) == 1:
        only = next(iter(shares))
        yield _balance("error", target, f"every row has {target!r} = {only}: there is nothing to learn", evidence)
        return
    rare = {name: count for name, count in shares.items() if count < FEW_ROWS or count / rows < RARE_CLASS}
    if rare:
        said = ", ".join(f"{name} ({count:,} rows, {count / rows:.2%})" for name, count in list(rare.items())[:5])
        yield _balance("warn", target, f"rare in {target!r}: {said}", evidence)


def _balance(severity: Severity, target: str, what: str, evidence: dict[str, Any]) -> Finding:
    return Finding(
        "class_balance", severity, (target,), what,
        why="a model that never answers a rare class is nearly always right, and too few rows judge nothing",
        do="collect more rows of it, weight it in the training, and judge by cost or recall instead of accuracy",
        evidence=evidence,
    )  # fmt: skip
