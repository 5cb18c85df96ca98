"""Bench a version: read it from the store, run the checks, put what they say together."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from penstock.data.bench.checks import FULL, run_checks
from penstock.data.bench.context import Context
from penstock.data.bench.facts import SAMPLE, Facts, Side
from penstock.data.bench.finding import BenchReport, ColumnSummary, ranked
from penstock.store import Store, Table

if TYPE_CHECKING:
    from penstock.stats import Profile


def bench_frames(
    rows: pl.LazyFrame,
    before: pl.LazyFrame | None = None,
    *,
    batch: pl.LazyFrame | None = None,
    context: Context = Context(),  # noqa: B008  a frozen value
    depth: str = "quick",
    kinds: Collection[str] = (),
    names: Mapping[str, Any] | None = None,
) -> BenchReport:
    """Search rows for what is wrong with them, beside those `before` if there are any.

    `batch` are the rows that are compared with `before`, all of them by default; `names` says which dataset and
    commits these are.
    """
    return _report(_facts(rows, before, batch, context), depth, kinds, names or {})


def bench_version(
    store: Store,
    commit: str,
    against: str | None,
    context: Context,
    *,
    dataset: str,
    depth: str = "quick",
    kinds: Collection[str] = (),
    kept: "Profile | None" = None,
) -> "tuple[BenchReport, Profile | None]":
    """Bench a version against another one; the report, and what the next bench need not count again.

    Where `against` only lacks rows that were added since, the new ones are compared with it; otherwise all are.
    `kept` is the profile of `against` that its own bench came to. A profile is of all rows, without personal data
    and columns whose values have outgrown its bins; None where there was nothing to compare.
    """
    rows = store.scan(commit)
    before = store.scan(against) if against else None
    added = added_rows(store, commit, against) if against else None
    facts = replace(_facts(rows, before, added, context), kept=kept)
    names = {"dataset": dataset, "commit": commit, "against": against}
    return _report(facts, depth, kinds, names), _discreet(facts.profile, context)


def _discreet(profile: "Profile | None", context: Context) -> "Profile | None":
    if profile is None:
        return None
    columns = {name: column for name, column in profile.columns.items() if name not in context.private}
    return replace(profile, columns=columns)


def added_rows(store: Store, commit: str, against: str) -> pl.LazyFrame | None:
    """The rows of the parts that came since `against`; None where something else changed too, or nothing came."""
    now, before = store.manifest(commit), store.manifest(against)
    fresh = Counter(part.digest for part in now.parts) - Counter(part.digest for part in before.parts)
    kept = now.rows - before.rows
    parts = tuple(part for part in now.parts if part.digest in fresh)
    grown = now.schema == before.schema and parts and sum(part.rows for part in parts) == kept
    return store.rows(Table(now.schema, parts)) if grown else None


def _facts(rows: pl.LazyFrame, before: pl.LazyFrame | None, batch: pl.LazyFrame | None, context: Context) -> Facts:
    now = Side(rows)
    return Facts(now, Side(batch) if batch is not None else now, Side(before) if before is not None else None, context)


def _report(facts: Facts, depth: str, kinds: Collection[str], names: Mapping[str, Any]) -> BenchReport:
    nothing = not facts.now.height
    findings = run_checks(facts, depth, kinds)
    return BenchReport(
        dataset=names.get("dataset", ""),
        commit=names.get("commit", ""),
        against=names.get("against"),
        depth=depth,
        rows=facts.now.height,
        batch=facts.batch.height,
        rows_before=facts.before.height if facts.before else None,
        sampled=min(SAMPLE, facts.now.height) if depth == "full" and FULL and not nothing else 0,
        findings=ranked(findings),
        columns=tuple(_summaries(facts)),
    )


def _summaries(facts: Facts) -> list[ColumnSummary]:
    before = facts.before
    return [
        ColumnSummary(
            name,
            str(column.dtype),
            facts.now.missing_share(name),
            before.missing_share(name) if before and name in before.columns else None,
            column.distinct,
        )
        for name, column in facts.now.columns.items()
    ]
