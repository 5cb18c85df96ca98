import numpy as np
import polars as pl
import pytest
from data.planted import clean, only, report, shapes


def pairs(correlation: float, seed: int) -> pl.DataFrame:
    """Two normal columns; only how they depend on each other differs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=1500)
    return pl.DataFrame({"x": x, "y": correlation * x + np.sqrt(1 - correlation**2) * rng.normal(size=1500)})


@pytest.mark.parametrize(("now", "severity"), [(-0.9, "warn"), (0.75, "info")])
def test_columns_that_move_together_while_each_looks_as_before(now: float, severity: str) -> None:
    found = report(pairs(now, 1), pairs(0.9, 2), depth="full").findings
    finding = only(list(found), "multivariate_shift")
    assert finding.severity == severity
    assert {"shift"} & {one.kind for one in found} == set()
    assert set(finding.columns) == {"x", "y"}
    assert 0.5 < finding.evidence["low"] < finding.evidence["auc"] < finding.evidence["high"]


def test_the_column_that_gives_it_away_comes_first() -> None:
    found = report(clean().with_columns(pl.col("price") * 2), clean(seed=1), depth="full", key=("id",)).findings
    assert only(list(found), "multivariate_shift").columns[0] == "price"


def test_clean_data_are_not_told_apart() -> None:
    found = [report(shapes(600, seed=seed), shapes(600, seed=90 + seed), depth="full") for seed in range(5)]
    assert [one.what for each in found for one in each.findings if one.kind == "multivariate_shift"] == []
