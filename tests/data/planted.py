"""Tables with nothing wrong, and what the bench says of tables."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from penstock.data import BenchReport, Context, Finding, bench_frames

START = datetime(2024, 1, 1)


def clean(rows: int = 2000, *, seed: int = 0) -> pl.DataFrame:
    """Orders: a number of each kind, a category, a time, a name. Nothing is wrong with them."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "id": [f"o{seed}-{i}" for i in range(rows)],
            "at": [START + timedelta(hours=i) for i in range(rows)],
            "size": rng.normal(size=rows),
            "price": rng.lognormal(size=rows),
            "age": rng.integers(18, 90, rows),
            "shop": rng.choice(["north", "south", "west"], rows),
        }
    )


def shapes(rows: int, *, seed: int) -> pl.DataFrame:
    """A column of every shape that clean data come in: short and heavy tails, many zeros, whole numbers, long tails."""
    rng = np.random.default_rng(seed)
    level = np.char.add("v", rng.zipf(1.5, rows).clip(max=200).astype(str))
    return pl.DataFrame(
        {
            "normal": rng.normal(size=rows),
            "uniform": rng.random(rows),
            "exponential": rng.exponential(size=rows),
            "lognormal": rng.lognormal(0, 2, rows),
            "cents": rng.lognormal(size=rows).round(2),
            "t2": rng.standard_t(2, rows),
            "cauchy": rng.standard_cauchy(rows),
            "pareto": rng.pareto(1.2, rows),
            "zeros": rng.exponential(size=rows) * (rng.random(rows) < 0.1),
            "count": rng.poisson(0.5, rows),
            "whole": rng.poisson(30, rows),
            "gaps": np.where(rng.random(rows) < 0.03, np.nan, rng.normal(size=rows)),
            "flag": rng.random(rows) < 0.3,
            "few": rng.choice(list("abcdefghijkl"), rows),
            "long_tail": level,
        }
    )


def report(
    rows: pl.DataFrame, before: pl.DataFrame | None = None, depth: str = "quick", **known: object
) -> BenchReport:
    """What the bench says, given what is known about the table."""
    earlier = before.lazy() if before is not None else None
    return bench_frames(rows.lazy(), earlier, context=Context(**known), depth=depth)


def found(rows: pl.DataFrame, before: pl.DataFrame | None = None, **known: object) -> list[Finding]:
    """The findings."""
    return list(report(rows, before, **known).findings)


def kinds(findings: list[Finding]) -> set[str]:
    """Kinds of the warnings and errors."""
    return {finding.kind for finding in findings if finding.serious}


def only(findings: list[Finding], kind: str) -> Finding:
    """The one finding of a kind."""
    (one,) = [finding for finding in findings if finding.kind == kind]
    return one


def selected(rows: pl.DataFrame, finding: Finding) -> pl.DataFrame:
    """The rows that a finding's filter selects, as `penstock data show` would."""
    return rows.lazy().filter(pl.sql_expr(finding.filter)).collect()
