import numpy as np
import polars as pl
from data.planted import only, report, selected, shapes
from scipy.stats import norm, rankdata

from penstock.data.bench.isolation import normal_scores


def together(seed: int = 0, rows: int = 2000) -> np.ndarray:
    """Five columns that say nearly the same."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 1)) + 0.3 * rng.normal(size=(rows, 5))


def table(values: np.ndarray) -> pl.DataFrame:
    columns = {f"v{i}": column for i, column in enumerate(values.T)}
    return pl.DataFrame({"id": np.arange(len(values)), **columns})


def odd(values: np.ndarray, **known: object) -> tuple[pl.DataFrame, list]:
    rows = table(values)
    found = report(rows, depth="full", key=("id",), **known).findings
    return rows, [finding for finding in found if finding.kind == "multivariate_outlier"]


def test_rows_that_break_a_dependence() -> None:
    values = together()
    values[:6] = [2, -2, 2, -2, 2]
    rows, findings = odd(values)
    finding = only(findings, "multivariate_outlier")
    assert selected(rows, finding)["id"].to_list() == list(range(6))
    assert all({"v1", "v3"} <= set(row["columns"]) for row in finding.evidence["rows"])


def test_personal_data_are_not_shown() -> None:
    values = together()
    values[:6] = [2, -2, 2, -2, 2]
    _, findings = odd(values, private=("id", "v1"))
    finding = only(findings, "multivariate_outlier")
    shown = finding.evidence["rows"]
    assert (len(shown), finding.filter) == (6, None)
    assert not {"id", "v1"} & {name for row in shown for name in row["values"]}


def test_rows_alone_in_a_corner() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2000, 6))
    values[:10] = rng.choice([-3, 3], (10, 6))
    rows, findings = odd(values)
    assert set(selected(rows, only(findings, "multivariate_outlier"))["id"]) <= set(range(10))


def test_clean_data_have_none() -> None:
    findings = [report(shapes(1000, seed=seed), depth="full").findings for seed in range(5)]
    findings += [report(table(together(seed)), depth="full").findings for seed in range(5)]
    assert [one.what for each in findings for one in each if one.kind == "multivariate_outlier"] == []


def test_normal_scores_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).integers(0, 20, (500, 2)).astype(float)
    expected = norm.ppf((rankdata(values, axis=0) - 0.5) / 500)
    np.testing.assert_allclose(normal_scores(values), expected)
