from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from data.planted import clean, found, only, selected, shapes
from sklearn.metrics import roc_auc_score

from penstock.data.bench.leakage import foretold

EXAMPLES = {"target": "y", "key": ("id",), "time": "at"}


def noise(rows: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=rows)


def examples(rows: int = 2000) -> pl.DataFrame:
    table = clean(rows)
    return table.with_columns(y=table["size"] + pl.Series(noise(rows)) > 0)


def leaks(rows: pl.DataFrame, **known: object) -> dict[str, str]:
    findings = found(rows, **{**EXAMPLES, "task": "binary", **known})
    return {f.columns[0]: f.severity for f in findings if f.kind == "leakage"}


@pytest.mark.parametrize(("spread", "severity"), [(0.1, "error"), (0.37, "warn"), (1.0, None)])
def test_a_column_that_knows_a_class(spread: float, severity: str | None) -> None:
    rows = examples()
    rows = rows.with_columns(paid=rows["y"].cast(pl.Float64) + pl.Series(noise(2000, 6)) * spread)
    assert leaks(rows) == ({"paid": severity} if severity else {})


def test_gaps_texts_and_values_without_order_can_know_it_too() -> None:
    rows = examples().with_columns(
        gap=pl.when("y").then("price"),
        word=pl.when("y").then(pl.lit("done")).otherwise(pl.lit("open")),
        even=pl.col("y").cast(pl.Int64) + 2 * pl.Series(np.random.default_rng(1).integers(0, 20, 2000)),
    )
    assert leaks(rows) == {"gap": "error", "word": "error", "even": "error"}


def test_a_target_of_texts_that_should_be_numbers_is_foretold_by_nothing() -> None:
    assert leaks(clean().with_columns(y="shop"), task="regression") == {}


def test_one_of_several_classes_and_numbers() -> None:
    rows = clean().with_columns(
        y=pl.col("shop"), code=pl.col("shop").replace_strict({"north": 1, "south": 2, "west": 3})
    )
    assert leaks(rows.drop("shop"), task="multiclass") == {"code": "error"}
    rows = clean().with_columns(y=pl.col("size") * 100, cents=pl.col("size") + pl.Series(noise(2000, 6)) * 0.001)
    assert leaks(rows.drop("size"), task="regression") == {"cents": "error"}


def test_a_column_that_no_request_holds_cannot_leak() -> None:
    rows = examples().with_columns(paid="y")
    assert leaks(rows, request=("id", "at", "size")) == {"paid": "info"}


def test_names_of_rows_and_honest_columns_are_no_leak() -> None:
    alarms = {
        (seed, name)
        for seed in range(30)
        for name in leaks(shapes(1000, seed=seed).with_columns(y=pl.Series(noise(1000, seed) > 1)))
    }
    assert alarms == set()


def test_of_few_examples_of_a_class_nothing_is_said() -> None:
    place = pl.int_range(2000)
    assert leaks(clean().with_columns(y=place < 12, paid=pl.when(place < 12).then(1.0).otherwise(0.0))) == {}
    assert leaks(clean().with_columns(y=place < 60, paid=pl.when(place < 60).then(1.0).otherwise(0.0))) != {}


def test_what_is_later_than_the_request() -> None:
    rows = examples().with_columns(
        delivered=pl.col("at") + timedelta(hours=5), ordered=pl.col("at") - timedelta(hours=5)
    )
    finding = only(found(rows, **EXAMPLES, task="binary", request=("id", "at", "delivered", "ordered")), "leakage")
    assert finding.columns == ("delivered",)
    assert finding.count == selected(rows, finding).height == 2000
    number = rows.with_columns(large=pl.lit(1e18))  # to Polars a number may be later than a time
    assert [f for f in found(number, **EXAMPLES, task="binary", request=("large",)) if f.kind == "leakage"] == []


def test_what_comes_with_the_outcome() -> None:
    place = pl.int_range(pl.len())
    rows = examples().with_columns(y=pl.when(place < 1900).then("y"), fee=pl.when(place < 1900).then("price"))
    finding = only(found(rows, **EXAMPLES, task="binary", request=("id", "at", "fee", "size")), "leakage")
    assert (finding.columns, finding.severity) == (("fee",), "error")
    assert finding.count == selected(rows, finding).height == 1900
    assert finding.share == 1900 / 2000
    seldom = rows.with_columns(fee=pl.when(place < 1000).then("fee"))
    assert leaks(seldom, request=("id", "at", "fee", "size")) == {}


def test_the_score_is_the_area_under_the_curve_of_the_other_half() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, 1000)
    target = (rng.random(1000) < codes / 5).astype(float)
    half = rng.random(1000) < 0.5
    means = np.array(
        [
            (target[half & (codes == c)].sum() + target[half].mean()) / ((half & (codes == c)).sum() + 1)
            for c in range(5)
        ]
    )
    assert foretold(codes, target, half, "binary") == pytest.approx(roc_auc_score(target[~half], means[codes[~half]]))
