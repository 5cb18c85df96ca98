from datetime import UTC, date, datetime, time
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import Column
from penstock.data.contracts.text import parsed, present


def parse(text: str | None, type_name: str, **settings: object) -> object:
    column = Column(type=type_name, **settings)
    return pl.DataFrame({"x": [text]}, schema={"x": pl.String}).select(parsed(pl.col("x"), column)).item()


@pytest.mark.parametrize(
    ("text", "type_name", "value"),
    [
        ("12", "Int64", 12),
        (" -4 ", "Int64", -4),
        ("3.0", "Int64", None),
        ("300", "Int8", None),
        ("1e3", "Float64", 1000.0),
        ("1,5", "Float64", None),
        ("1.50", "Decimal(precision=10, scale=2)", Decimal("1.50")),
        ("1.500", "Decimal(precision=10, scale=2)", Decimal("1.50")),
        ("-1.239", "Decimal(precision=10, scale=2)", None),
        ("0.001", "Decimal(precision=10, scale=2)", None),
        ("1e-3", "Decimal(precision=10, scale=2)", None),
        ("15e-1", "Decimal(precision=10, scale=2)", Decimal("1.50")),
        ("1.2345E+3", "Decimal(precision=10, scale=2)", Decimal("1234.50")),
        ("1e-999999999", "Decimal(precision=10, scale=2)", None),
        ("1e999999999", "Decimal(precision=10, scale=2)", None),
        ("apple", "Decimal(precision=10, scale=2)", None),
        ("1e", "Decimal(precision=10, scale=2)", None),
        ("1ee3", "Decimal(precision=10, scale=2)", None),
        ("7", "Decimal(precision=10, scale=0)", Decimal(7)),
        ("7.5", "Decimal(precision=10, scale=0)", None),
        ("2024-01-02 03:04:05", "Datetime(time_unit='ns', time_zone=None)", datetime(2024, 1, 2, 3, 4, 5)),
        ("3000-01-01 00:00:00", "Datetime(time_unit='ns', time_zone=None)", None),
        ("0024-01-05", "Datetime(time_unit='ns', time_zone=None)", None),
        ("1678-01-01", "Datetime(time_unit='ns', time_zone=None)", datetime(1678, 1, 1)),
        ("1677-12-31", "Datetime(time_unit='ns', time_zone=None)", None),
        ("2261-12-31", "Datetime(time_unit='ns', time_zone=None)", datetime(2261, 12, 31)),
        ("True", "Boolean", True),
        ("0", "Boolean", False),
        ("maybe", "Boolean", None),
        ("2013-02-29", "Date", None),
        ("2013-02-28", "Date", date(2013, 2, 28)),
        ("2013-02-28T05:15", "Datetime[us]", datetime(2013, 2, 28, 5, 15)),
        ("2013-02-28 05:15:01.25", "Datetime[us]", datetime(2013, 2, 28, 5, 15, 1, 250000)),
        ("2013-02-28", "Datetime[us]", datetime(2013, 2, 28)),
        ("2013-02-28T05:15:00Z", "Datetime[us]", None),
        ("2013-02-28T05:15:00Z", "Datetime[us, UTC]", datetime(2013, 2, 28, 5, 15, tzinfo=UTC)),
        ("2013-02-28T05:15:00+02:00", "Datetime[us, UTC]", datetime(2013, 2, 28, 3, 15, tzinfo=UTC)),
        ("05:15", "Time", time(5, 15)),
        ("", "Int64", None),
        ("  ", "String", None),
        (" x ", "String", " x "),
        (None, "String", None),
    ],
)
def test_parsed(text: str | None, type_name: str, value: object) -> None:
    assert parse(text, type_name) == value


@pytest.mark.parametrize(
    ("text", "mark", "value"),
    [
        ("1.234,5", ",", 1234.5),
        ("-12,5", ",", -12.5),
        ("1\u00a0234", ",", 1234.0),
        ("1,5E+03", ",", 1500.0),
        ("1,234.5", ".", 1234.5),
        ("1'234.5", ".", 1234.5),
        ("12.34,5", ",", None),
        ("1.5", ",", None),
        ("1,5", ".", None),
        ("1,", ",", None),
        (",5", ",", None),
        ("--1", ",", None),
    ],
)
def test_a_decimal_mark(text: str, mark: str, value: float | None) -> None:
    assert parse(text, "Float64", decimal=mark) == value


@given(st.floats(-1e12, 1e12).map(lambda number: round(number, 2)))
def test_a_number_comes_back_whoever_wrote_it(number: float) -> None:
    english = f"{number:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert parse(english, "Float64", decimal=".") == parse(german, "Float64", decimal=",") == number


def test_a_format_and_words_for_no_value() -> None:
    assert parse("28/02/2013", "Date", format="%d/%m/%Y") == date(2013, 2, 28)
    assert parse("2013-02-28", "Date", format="%d/%m/%Y") is None
    column = Column(type="Int64", missing=("NA",))
    assert pl.select(present(pl.lit(" NA "), column).is_null()).item()
    assert pl.select(present(pl.lit("NaN"), column)).item() == "NaN"


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_integer_comes_back(number: int) -> None:
    assert parse(str(number), "Int64") == number


@given(st.floats(allow_nan=False))
def test_every_float_comes_back(number: float) -> None:
    assert parse(repr(number), "Float64") == number


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_every_time_comes_back(moment: datetime) -> None:
    assert parse(moment.isoformat(), "Datetime[us]") == moment
    assert parse(str(moment), "Datetime[us]") == moment
