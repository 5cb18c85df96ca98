import polars as pl
import pytest

from penstock.data import parse_contract
from penstock.data.contracts.conditions import fault_of, looks_around, sql

COLUMN = pl.col("a")
CONTRACT = parse_contract("columns: {a: {type: Int64}, b: {type: Int64}, s: {type: String}}")


@pytest.mark.parametrize(
    "expression",
    [
        COLUMN > 1,
        COLUMN.is_in([1, 2]),
        COLUMN.is_in(pl.Series([1, 2]).implode()),
        sql("a IN (1, 2) AND b BETWEEN 1 AND 3 OR COALESCE(a, b) > 2"),
        sql("CASE WHEN a > 1 THEN b > 2 ELSE TRUE END"),
        pl.when(COLUMN > 1).then(pl.col("b") > 2).otherwise(statement=True),
        COLUMN.map_elements(bool, return_dtype=pl.Boolean),
        COLUMN.map_batches(lambda values: values > 1, return_dtype=pl.Boolean, is_elementwise=True),
    ],
)
def test_a_condition_on_one_row(expression: pl.Expr) -> None:
    assert not looks_around(expression)
    assert fault_of(CONTRACT, expression) is None


@pytest.mark.parametrize(
    "expression",
    [
        COLUMN.mean() < COLUMN,
        COLUMN.shift(1) > 0,
        COLUMN.cum_sum() > 0,
        COLUMN.is_duplicated(),
        COLUMN.forward_fill() > 0,
        COLUMN.rolling_mean(3) > 1,
        (COLUMN > 1).over("b"),
        COLUMN.first() > 3,
        pl.len() > 3,
        COLUMN.map_batches(lambda values: values > values.mean(), return_dtype=pl.Boolean),
    ],
)
def test_a_condition_on_more_than_one_row(expression: pl.Expr) -> None:
    assert fault_of(CONTRACT, expression) == (
        "it looks at more than one row",
        "a condition on the columns of one row",
    )


def test_what_is_no_condition() -> None:
    assert fault_of(CONTRACT, pl.col("c") > 1) == ("unknown column 'c' (there is: a, b, s)", None)
    assert fault_of(CONTRACT, COLUMN + 1) == ("it gives a Int64", "a condition that is true or false")
    with pytest.raises(ValueError, match="unable to parse"):
        sql("a >")
