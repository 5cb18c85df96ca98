import numpy as np
import polars as pl
import pytest
from data.planted import clean, found, only, selected, shapes

from penstock.data.bench.decades import too_large

Rng = np.random.Generator


def prices(rng: Rng, rows: int, spread: float) -> np.ndarray:
    return rng.lognormal(3, spread, rows).round(2) + 0.01


def planted(rng: Rng, rows: int, spread: float, times: int, share: float) -> tuple[pl.DataFrame, pl.Series]:
    """Prices of which some are so many times too large, and which these are."""
    wrong = rng.random(rows) < share
    values = prices(rng, rows, spread)
    return clean(rows).with_columns(price=np.where(wrong, (values * times).round(2), values)), pl.Series(wrong)


@pytest.mark.parametrize(
    ("spread", "times", "share"), [(0.3, 10, 0.04), (0.5, 100, 0.04), (0.7, 100, 0.03), (0.7, 1000, 0.04)]
)
def test_another_unit_in_some_rows(spread: float, times: int, share: float) -> None:
    rows, wrong = planted(np.random.default_rng(1), 10_000, spread, times, share)
    finding = only(found(rows), "outlier")
    assert (finding.evidence["times"], finding.severity, finding.columns) == (times, "warn", ("price",))
    assert "rows above" in finding.what
    told = selected(rows, finding)
    assert told.height == finding.count == pytest.approx(wrong.sum(), rel=0.03)
    assert told.join(rows.filter(wrong), on="id", how="semi").height >= 0.98 * finding.count


@pytest.mark.parametrize("spread", [1.0, 1.3])
def test_a_lost_decimal_comma_where_sizes_overlap(spread: float) -> None:
    rows, wrong = planted(np.random.default_rng(2), 20_000, spread, 100, 0.02)
    finding = only(found(rows), "outlier")
    assert "whole numbers above" in finding.what
    told = selected(rows, finding)
    assert told.height == finding.count
    assert told.join(rows.filter(wrong), on="id", how="semi").height >= 0.93 * finding.count >= 0.9 * wrong.sum()


def test_nearly_all_are_found() -> None:
    rng = np.random.default_rng(3)
    tables = [planted(rng, 10_000, 0.6, 100, 0.03)[0]["price"] for _ in range(40)]
    assert sum(too_large(values, values) is not None for values in tables) >= 32  # 95 % are expected, with chance less


def test_shapes_of_clean_data_have_no_copy() -> None:
    tables = (shapes(1000, seed=seed).select(pl.selectors.numeric()) for seed in range(200))
    columns = [column.drop_nulls().drop_nans() for table in tables for column in table]
    assert [column.name for column in columns if too_large(column.cast(pl.Float64), column.cast(pl.Float64))] == []


def test_large_prices_that_are_rounded_have_lost_no_comma() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        values = prices(rng, int(10 ** rng.uniform(3, 4.5)), rng.uniform(0.2, 1.6))
        rounded = pl.Series(np.where(values > 10 ** rng.uniform(0.5, 3), values.round(), values))
        assert too_large(rounded, rounded.filter(rounded == rounded.floor())) is None


@pytest.mark.parametrize("other", [30.0, 250.0])
def test_a_second_kind_of_row_that_is_no_power_of_ten_higher(other: float) -> None:
    rng = np.random.default_rng(5)
    rows = np.where(rng.random(20_000) < 0.03, other, 1) * prices(rng, 20_000, 0.5)
    assert too_large(pl.Series(rows), pl.Series(rows)) is None


def test_a_heap_of_one_value_is_no_copy() -> None:
    values = prices(np.random.default_rng(6), 10_000, 0.5)
    values[:300] = 2000.0
    assert too_large(pl.Series(values), pl.Series(values)) is None
