"""Cutting examples into groups."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.validate.slices import MAX_VALUES, cut, cut_all


def sizes(column: pl.Series) -> dict[str, int]:
    groups = cut(column)
    return {name: len(groups.rows(code)) for code, name in enumerate(groups.names)}


def test_text_is_cut_by_value_and_missing_is_a_group() -> None:
    assert sizes(pl.Series("carrier", ["UA", None, "AA", "UA"])) == {"AA": 1, "UA": 2, "(missing)": 1}


def test_booleans_enums_and_small_numbers_are_cut_by_value() -> None:
    assert sizes(pl.Series("late", [True, False, True])) == {"false": 1, "true": 2}
    assert sizes(pl.Series("size", ["s", "l"], dtype=pl.Enum(["s", "m", "l"]))) == {"l": 1, "s": 1}
    assert sizes(pl.Series("hour", [10, 9, 10])) == {"9": 1, "10": 2}


def test_numbers_are_cut_into_quarters() -> None:
    column = pl.Series("distance", [float(k) for k in range(100)] + [None, float("nan")])
    assert sizes(column) == {"0 to <25": 25, "25 to <50": 25, "50 to <75": 25, "75 to 99": 25, "(missing)": 2}


def test_days_are_cut_into_quarters() -> None:
    column = pl.Series("day", [date(2013, 1, 1) + timedelta(days=k) for k in range(40)])
    assert sizes(column)["2013-01-01 to <2013-01-11"] == 10


def test_a_number_that_is_mostly_zero_has_fewer_quarters() -> None:
    column = pl.Series("rain", [0.0] * 80 + [k / 10 for k in range(1, 21)])
    assert sizes(column) == {"0 to <0.1": 80, "0.1 to 2": 20}


def test_rare_values_share_a_group() -> None:
    column = pl.Series("plane", [f"N{k:03}" for k in range(60) for _ in range(2 if k < MAX_VALUES else 1)])
    assert sizes(column)["(others)"] == 60 - MAX_VALUES


def test_an_empty_column_has_no_groups() -> None:
    assert cut(pl.Series("x", [], dtype=pl.String)).names == ()
    assert sizes(pl.Series("x", [None, None], dtype=pl.Float64)) == {"(missing)": 2}


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(allow_infinity=False)), max_size=80))
def test_every_row_is_in_exactly_one_group(values: list[float | None]) -> None:
    groups = cut(pl.Series("x", values, dtype=pl.Float64))
    rows = [row for code in range(len(groups.names)) for row in groups.rows(code)]
    assert sorted(rows) == list(range(len(values)))


def test_a_column_nobody_has_is_named_with_the_closest() -> None:
    request = pl.DataFrame({"carrier": ["UA"], "origin": ["EWR"]})
    with pytest.raises(UsageError, match="did you mean 'carrier'"):
        cut_all(["carier"], request)


def test_taking_rows_keeps_names() -> None:
    groups = cut(pl.Series("carrier", ["UA", "AA", "UA"])).take(np.array([0, 2]))
    assert (groups.names, groups.rows(1).tolist(), groups.label(1)) == (("AA", "UA"), [0, 1], "carrier=UA")
