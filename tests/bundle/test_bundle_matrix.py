from datetime import date

import numpy as np
import polars as pl
import pytest

from penstock.bundle.matrix import matrix
from penstock.errors import UsageError

KINDS = pl.Enum(["wet", "dry"])
ROWS = pl.DataFrame(
    {"a": [1.5, None], "b": [True, None], "c": pl.Series(["dry", None], dtype=KINDS), "d": [None, None], "e": [7, None]}
)


def test_what_is_no_number_has_one():
    nothing = np.nan
    found = matrix(ROWS, "LightGBM")
    assert np.array_equal(found, [[1.5, 1, 1, nothing, 7], [nothing] * 5], equal_nan=True)
    assert found.dtype == np.float64


def test_columns_are_found_by_name_where_all_are_known():
    rows = pl.DataFrame({"a": [1.0], "b": [2.0]})
    assert matrix(rows, "LightGBM", ["b", "a"]).tolist() == [[2, 1]]
    assert matrix(rows, "LightGBM", ["Column_0", "Column_1"]).tolist() == [[1, 2]]
    assert matrix(rows, "LightGBM", ["b"]).tolist() == [[2]]


@pytest.mark.parametrize("rows", [1, 5])
def test_plain_numbers_take_a_shorter_way_to_the_same(rows):
    frame = pl.DataFrame({"a": [0.5, None, 3.0, np.nan, 1.0], "b": [1.0, 2.0, 3.0, 4.0, None]})[:rows]
    longer = matrix(frame.with_columns(pl.col("b").cast(pl.Float32)), "LightGBM")
    assert np.array_equal(matrix(frame, "LightGBM"), longer, equal_nan=True)


@pytest.mark.parametrize("value", ["text", date(2024, 1, 1)])
def test_text_and_times_are_refused(value):
    with pytest.raises(UsageError, match=r"feature 'x' is \w+; PyTorch takes numbers"):
        matrix(pl.DataFrame({"x": [value]}), "PyTorch")
