"""Claim: clean tables raise at most 0.2 alarms in 1,000 comparisons of a column, and planted drift is found.

Two independent draws of the same distributions, compared by `shifts` as it is by default, over and over; then draws
that were moved by a little more each time. The shares that were found are on stderr.
"""

import sys
from collections.abc import Callable

import numpy as np
import polars as pl
from harness import Claim, report

from penstock.stats import Profile, shifts

TABLES = {1_000: 1500, 10_000: 400, 100_000: 60}
REPEATS = 25
LIMIT = 0.2  # alarms in 1,000 comparisons
SURE = 0.95  # share of the planted drifts that is found

Rng = np.random.Generator


def main() -> int:
    return report([clean(), *planted(10_000), *planted(1_000)])


def clean() -> Claim:
    alarms = comparisons = 0
    for rows, tables in TABLES.items():
        rng = np.random.default_rng(rows)
        found = [each.shifted for _ in range(tables) for each in shifts(*pair(table(rng, rows), table(rng, rows)))]
        print(f"  {rows:,} rows: {sum(found)} alarms of {len(found):,}", file=sys.stderr, flush=True)
        alarms, comparisons = alarms + sum(found), comparisons + len(found)
    rate = 1000 * alarms / comparisons
    name = f"false alarms in {comparisons:,} comparisons"
    return Claim(name, rate, LIMIT, "limit", "at most the limit", rate <= LIMIT, "per 1,000")


def planted(rows: int) -> list[Claim]:
    """The smallest strength of every kind that is found nearly always, in a table with seven clean columns."""
    claims = []
    for kind, (strengths, draw, limit) in DRIFTS.items():
        shares = {strength: power(rows, draw, strength) for strength in strengths}
        shown = ", ".join(f"{strength:g}: {share:.0%}" for strength, share in shares.items())
        print(f"  {rows:,} rows, {kind}: {shown}", file=sys.stderr, flush=True)
        least = min((strength for strength, share in shares.items() if share >= SURE), default=float("inf"))
        bound = limit[rows]
        claims.append(Claim(f"{kind} found at {rows:,} rows", least, bound, "limit", "at most", least <= bound, ""))
    return claims


def power(rows: int, draw: Callable[[Rng, int, float], np.ndarray], strength: float) -> float:
    rng = np.random.default_rng(int(1000 * strength) + rows)
    found = 0
    for _ in range(REPEATS):
        before, later = (table(rng, rows).with_columns(moved=pl.Series(draw(rng, rows, by))) for by in (0.0, strength))
        found += {each.column: each.shifted for each in shifts(*pair(before, later))}["moved"]
    return found / REPEATS


def pair(before: pl.DataFrame, later: pl.DataFrame) -> tuple[Profile, Profile]:
    reference = Profile.build(before)
    return reference, Profile.build(later, reference)


def table(rng: Rng, rows: int) -> pl.DataFrame:
    """Seven clean columns."""
    numbers = {
        "normal": rng.normal(size=rows),
        "lognormal": rng.lognormal(size=rows),
        "t2": rng.standard_t(2, rows),
        "zeros": np.where(rng.random(rows) < 0.6, 0.0, rng.exponential(size=rows)),
    }
    levels = {f"{size} levels": zipf(rng, rows, size) for size in (12, 200, 1000)}
    return pl.DataFrame({**numbers, **levels})


def zipf(rng: Rng, rows: int, levels: int, exponent: float = 1.1) -> np.ndarray:
    weights = 1 / np.arange(1, levels + 1) ** exponent
    return rng.choice(levels, rows, p=weights / weights.sum()).astype(str)


# what moves: strengths, how rows are drawn, and the strength that must be found in so many rows
DRIFTS = {
    "a mean moved by standard deviations": (
        (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
        lambda rng, rows, by: rng.normal(by, 1, rows),
        {10_000: 0.2, 1_000: 0.4},
    ),
    "a spread wider by": (
        (0.1, 0.15, 0.2, 0.3, 0.4, 0.5),
        lambda rng, rows, by: rng.normal(0, 1 + by, rows),
        {10_000: 0.2, 1_000: 0.4},
    ),
    "missing values more by": (
        (0.005, 0.01, 0.02, 0.05, 0.1),
        lambda rng, rows, by: np.where(rng.random(rows) < by, np.nan, rng.normal(size=rows)),
        {10_000: 0.02, 1_000: 0.05},
    ),
    "12 levels flatter by an exponent of": (
        (0.1, 0.2, 0.3, 0.4, 0.6, 0.8),
        lambda rng, rows, by: zipf(rng, rows, 12, 1.1 - by),
        {10_000: 0.3, 1_000: 0.6},
    ),
}


if __name__ == "__main__":
    raise SystemExit(main())
