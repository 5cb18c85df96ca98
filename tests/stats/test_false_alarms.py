"""What `shifts` says of clean and of drifted tables; `benchmarks/false_alarms.py` is the long version."""

import numpy as np
import polars as pl
import pytest

from penstock.stats import Profile, shifts


def zipf(rng, rows, levels, exponent=1.1):
    weights = 1 / np.arange(1, levels + 1) ** exponent
    return rng.choice(levels, rows, p=weights / weights.sum()).astype(str)


def table(rng, rows):
    numbers = {
        "normal": rng.normal(size=rows),
        "lognormal": rng.lognormal(size=rows),
        "t2": rng.standard_t(2, rows),
        "zeros": np.where(rng.random(rows) < 0.6, 0.0, rng.exponential(size=rows)),
    }
    levels = {f"{size} levels": zipf(rng, rows, size) for size in (12, 200, 1000)}
    return pl.DataFrame({**numbers, **levels})


def shifted(before, later):
    reference = Profile.build(before)
    return {each.column for each in shifts(reference, Profile.build(later, reference)) if each.shifted}


@pytest.mark.parametrize(("rows", "tables"), [(200, 40), (1000, 40), (10_000, 5)])
def test_clean_tables_raise_no_alarm(rows, tables):
    rng = np.random.default_rng(rows)
    assert [shifted(table(rng, rows), table(rng, rows)) for _ in range(tables)] == [set()] * tables


@pytest.mark.parametrize(
    "moved",
    [
        lambda rng, rows: {"normal": rng.normal(0.25, 1, rows)},
        lambda rng, rows: {"normal": rng.normal(0, 1.25, rows)},
        lambda rng, rows: {"lognormal": rng.lognormal(size=rows) * 1.3},
        lambda rng, rows: {"zeros": np.where(rng.random(rows) < 0.7, 0.0, rng.exponential(size=rows))},
        lambda rng, rows: {"12 levels": zipf(rng, rows, 12, 0.7)},
        lambda rng, rows: {"200 levels": zipf(rng, rows, 200, 0.8)},
        lambda rng, rows: {"t2": pl.Series(rng.standard_t(2, rows)).set(pl.Series(rng.random(rows) < 0.05), None)},
    ],
    ids=["mean", "spread", "scale", "share of zeros", "12 levels", "200 levels", "missing"],
)
def test_planted_drift_is_found_and_nothing_besides(moved):
    rng = np.random.default_rng(31)
    before, later = table(rng, 5000), table(rng, 5000)
    drifted = moved(rng, 5000)
    assert shifted(before, later.with_columns(**{name: pl.Series(of) for name, of in drifted.items()})) == set(drifted)
