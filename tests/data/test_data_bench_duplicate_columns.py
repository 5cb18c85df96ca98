import polars as pl
from data.planted import clean, found


def test_equal_columns_and_columns_that_say_the_same() -> None:
    rows = clean().with_columns(copy="shop", fahrenheit=pl.col("size") * 1.8 + 32)
    by_columns = {f.columns: f.severity for f in found(rows) if f.kind == "duplicate_columns"}
    assert by_columns == {("shop", "copy"): "warn", ("size", "fahrenheit"): "info"}


def test_columns_that_differ_in_one_row_are_not_equal() -> None:
    rows = clean().with_columns(copy=pl.when(pl.int_range(pl.len()) == 1999).then(pl.lit("x")).otherwise("shop"))
    assert found(rows) == []


def test_the_same_values_in_another_order_are_another_column() -> None:
    rows = clean().with_columns(copy=pl.col("shop").reverse())
    assert found(rows) == []
