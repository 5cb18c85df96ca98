from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from data.planted import clean, found, kinds, only, selected
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from penstock.data import Context, bench_frames
from penstock.data.bench.columns import _chance

KNOWN = {"key": ("id",), "time": "at"}


def every(rows: pl.DataFrame, step: int, value: pl.Expr, column: str) -> pl.DataFrame:
    place = pl.int_range(pl.len()) % step == 0
    return rows.with_columns(pl.when(place).then(value).otherwise(pl.col(column)).alias(column))


def test_a_clean_table_has_no_findings() -> None:
    assert found(clean(), clean(seed=1), key=("id",)) == []


def test_columns_that_go_or_change_are_errors_where_they_are_needed() -> None:
    rows = clean().drop("shop", "price").with_columns(pl.col("age").cast(pl.String), new="size")
    by_column = {f.columns: f.severity for f in found(rows, clean(seed=1), request=("age",)) if f.kind == "schema"}
    assert by_column == {("shop",): "warn", ("price",): "warn", ("age",): "error", ("new",): "info"}


@pytest.mark.parametrize(("step", "severity"), [(1, "warn"), (2, "warn"), (10, "info"), (100, None)])
def test_missing_values_count_by_their_share(step: int, severity: str | None) -> None:
    rows = every(clean(), step, pl.lit(None), "price")
    findings = [f for f in found(rows) if f.kind == "missing"]
    assert [f.severity for f in findings] == ([severity] if severity else [])
    for finding in findings:
        assert (finding.count, finding.share) == (2000 // step, 1 / step)
        assert selected(rows, finding).height == finding.count


def test_nan_is_missing_and_its_filter_finds_it() -> None:
    rows = every(every(clean(), 3, pl.lit(float("nan")), "price"), 5, pl.lit(None), "price")
    finding = only(found(rows), "missing")
    assert finding.count == selected(rows, finding).height == rows["price"].fill_nan(None).null_count()


def test_a_rise_of_missing_values_is_a_warning() -> None:
    rows = every(clean(), 10, pl.lit(None), "price")
    assert only(found(rows, clean(seed=1)), "missing").severity == "warn"
    assert only(found(rows, every(clean(seed=1), 10, pl.lit(None), "price")), "missing").severity == "info"


@pytest.mark.parametrize(("new", "told"), [(1, False), (2, True), (40, True)])
def test_a_single_row_without_a_value_may_be_chance(new: int, told: bool) -> None:
    rows = clean(2000 + new).with_columns(price=pl.when(pl.int_range(pl.len()) >= 2000).then(None).otherwise("price"))
    before, batch = rows.head(2000), rows.tail(new)
    report = bench_frames(rows.lazy(), before.lazy(), batch=batch.lazy(), context=Context())
    findings = [one.what for one in report.findings if one.kind == "missing"]
    assert findings == (["'price' has no value in 100.0% of the new rows; 0.0% before"] if told else [])


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 400), st.integers(0, 400))
def test_the_chance_of_a_rise_is_that_of_the_hypergeometric_distribution(n: int, k: int, m: int, j: int) -> None:
    found, others = min(k, n), min(j, m)
    expected = hypergeom.sf(found - 1, n + m, found + others, n)
    if found / n > others / m:  # what a rise is
        assert _chance(found, n, found + others, n + m) == pytest.approx(expected, rel=1e-6)


def test_a_missing_key_is_an_error() -> None:
    assert only(found(every(clean(), 500, pl.lit(None), "id"), **KNOWN), "missing").severity == "error"


def test_infinite_numbers() -> None:
    rows = every(clean(), 400, pl.lit(float("-inf")), "price")
    finding = only(found(rows), "outlier")
    assert finding.count == selected(rows, finding).height == 5


def test_a_column_that_no_longer_varies_is_a_warning() -> None:
    rows = clean().with_columns(price=pl.lit(1.0))
    assert only(found(rows), "constant").severity == "info"
    assert only(found(rows, clean(seed=1)), "constant").severity == "warn"


@pytest.mark.parametrize("name", ["zz", "it's", 'a "b"'])
def test_a_new_category(name: str) -> None:
    rows = every(clean(), 100, pl.lit(name), "shop")
    finding = only(found(rows, clean(seed=1)), "category")
    assert (finding.severity, finding.count) == ("warn", 20)
    assert set(selected(rows, finding)["shop"]) == {name}


def test_more_new_categories_than_a_filter_lists() -> None:
    rows = clean().with_columns(shop=pl.concat_str(pl.lit("s"), pl.int_range(pl.len()) % 100))
    finding = next(f for f in found(rows, clean(seed=1)) if f.kind == "category" and f.count)
    assert finding.count == selected(rows, finding).height == 2000


def test_a_vanished_category() -> None:
    rows = clean().with_columns(pl.col("shop").replace("west", "south"))
    assert only(found(rows, clean(seed=1)), "category").evidence["vanished"].keys() == {"west"}


def test_rare_categories_come_and_go_by_chance() -> None:
    def tail(seed: int) -> pl.DataFrame:
        import numpy as np

        values = np.random.default_rng(seed).zipf(1.3, 2000).clip(max=10**6)
        return pl.DataFrame({"word": [f"w{value}" for value in values]})

    assert [f for seed in range(20) for f in found(tail(seed), tail(100 + seed)) if f.kind == "category"] == []


def test_no_newer_rows_and_rows_older_than_the_objective_allows() -> None:
    assert "freshness" not in kinds(found(clean(3000), clean(2000), **KNOWN))
    stuck = pl.concat([clean(), clean(500, seed=1)])
    assert "freshness" in kinds(found(stuck, clean(), **KNOWN))
    late = {"limit": timedelta(days=7), "published": datetime(2024, 6, 1, tzinfo=UTC)}
    assert "is 2024-03-24 07:00" in only(found(clean(), **KNOWN, **late), "freshness").what
    assert "freshness" not in kinds(found(clean(), **KNOWN, **{**late, "limit": timedelta(days=90)}))


@pytest.mark.parametrize(("events", "severity"), [(0, "error"), (5, "warn"), (200, None)])
def test_class_balance(events: int, severity: str | None) -> None:
    rows = clean().with_columns(late=pl.int_range(pl.len()) < events)
    findings = [f.severity for f in found(rows, target="late", task="binary") if f.kind == "class_balance"]
    assert findings == ([severity] if severity else [])


def test_values_of_personal_data_stand_in_no_finding() -> None:
    rows = every(clean(), 100, pl.lit("secret street"), "shop").with_columns(age=pl.lit(4711))
    for finding in found(rows, clean(seed=1), private=("shop", "age")):
        assert "secret street" not in str(finding)
        assert "4711" not in str(finding)
    assert {"category", "constant"} <= kinds(found(rows, clean(seed=1), private=("shop", "age")))
