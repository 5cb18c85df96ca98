import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from data.planted import clean, found, only, selected, shapes
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.bench import facts, outliers
from penstock.data.bench.tails import bound, bounds


def with_values(rows: pl.DataFrame, column: str, values: Sequence[object]) -> pl.DataFrame:
    """The first rows have these values."""
    planted = pl.Series(column, values, dtype=rows[column].dtype)
    return rows.with_columns(pl.concat([planted, rows[column].tail(rows.height - len(values))]))


@pytest.mark.parametrize(
    ("column", "value", "rows"),
    [
        ("size", 1000.0, 1), ("size", 10.0, 3), ("size", -6.0, 20), ("price", 1e5, 1), ("price", 500.0, 3),
        ("price", 100.0, 20), ("age", 999, 1), ("age", -1, 5), ("age", 200, 40),
        ("at", datetime(1970, 1, 1), 3), ("at", datetime(2999, 1, 1), 1),
    ],
)  # fmt: skip
def test_values_far_from_all_others(column: str, value: object, rows: int) -> None:
    table = with_values(clean(), column, [value] * rows)
    finding = only(found(table), "outlier")
    assert finding.columns == (column,)
    assert finding.count == rows
    assert selected(table, finding)[column].to_list() == [value] * rows


def test_what_is_said_of_far_values() -> None:
    finding = only(found(with_values(clean(), "size", [1000.0])), "outlier")
    said = r"'size': 1 row is far from all others, above \d{3}(\.\d)?; the middle 98 % are -2\.\d+ to 2\.\d+"
    assert re.fullmatch(said, finding.what)
    assert (finding.evidence["low"], finding.evidence["far"], finding.share) == (None, [1000.0], 1 / 2000)
    assert 4 < finding.evidence["high"] < 1000


def test_what_is_frequent_is_a_kind_of_row() -> None:
    assert [f.kind for f in found(with_values(clean(), "size", [1000.0] * 100))] == []


def test_times_with_a_zone_and_dates() -> None:
    rows = clean().with_columns(
        zoned=pl.col("at").dt.replace_time_zone("UTC"), day=pl.date(2020, 1, 1) + pl.duration(days=pl.int_range(2000))
    )
    rows = with_values(rows, "zoned", [datetime(1900, 1, 1, tzinfo=UTC)])
    rows = with_values(rows, "day", [datetime(9999, 12, 31).date()] * 2)
    findings = {f.columns[0]: f for f in found(rows) if f.kind == "outlier"}
    assert {name: selected(rows, one).height for name, one in findings.items()} == {"zoned": 1, "day": 2}


def test_nan_and_infinity_are_not_among_the_selected() -> None:
    rows = with_values(clean(), "price", [float("nan"), float("inf"), None, 1e7, 1e7])
    finding = next(f for f in found(rows) if f.kind == "outlier" and "far" in f.what)
    assert selected(rows, finding)["price"].to_list() == [1e7, 1e7]


def test_few_outliers_among_many_rows_are_found_outside_of_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "SAMPLE", 500)
    monkeypatch.setattr(outliers, "SAMPLE", 500)
    for seed in range(5):
        rows = clean(5000, seed=seed).with_columns(
            size=pl.when(pl.int_range(pl.len()) == 1234).then(500.0).otherwise("size")
        )
        assert only(found(rows), "outlier").count == 1


def test_shapes_of_clean_data_have_no_outliers() -> None:
    # at most 1 in 1,000 per tail where it is a Pareto tail, fewer where it is lighter: 1.4 in these 900 columns
    alarms = [f.columns for seed in range(60) for f in found(shapes(1000, seed=seed)) if f.kind == "outlier"]
    assert len(alarms) <= 5, alarms


def test_a_pareto_tail_alarms_no_more_than_allowed() -> None:
    rng = np.random.default_rng(0)
    alarms = sum(np.isfinite(bound(np.sort(rng.pareto(1.0, 1000))[::-1], 20)) for _ in range(3000))
    assert alarms <= 3 + 3 * np.sqrt(3)


def test_the_innermost_gap_is_the_bound() -> None:
    body = np.random.default_rng(0).random(500) + 0.01
    distances = np.sort(np.concatenate([body, [50.0] * 5, [9000.0]]))[::-1]
    assert 1.01 < bound(distances, 20) < 50
    assert bound(distances[::50], 20) == np.inf


@given(st.lists(st.floats(-1e6, 1e6), min_size=100, max_size=200), st.lists(st.floats(-1e9, 1e9), max_size=4))
def test_no_column_with_a_bound_is_passed_over(plain: list[float], far: list[float]) -> None:
    values = pl.Series(plain + far)
    middle, most = float(np.median(values)), max(1, int(outliers.MOST * len(values)))
    low, high = bounds(values.to_numpy(), middle, most)
    assert outliers.may_stand_apart(values, middle, most) or np.isinf([low, high]).all()


@pytest.mark.parametrize("name", ["normal", "uniform", "exponential", "whole"])
def test_most_clean_columns_are_not_even_judged(name: str) -> None:
    values = shapes(3000, seed=1)[name].cast(pl.Float64)
    assert not outliers.may_stand_apart(values, float(np.median(values)), 60)
