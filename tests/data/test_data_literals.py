from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import check, parse_contract
from penstock.data.contracts.contract import Column, Contract
from penstock.data.contracts.literals import allowed, expected_of, strangers

MONEY = "Decimal(precision=10, scale=2)"
LONG = "Decimal(precision=38, scale=20)"
WHOLE = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.one_of(WHOLE, st.floats(-1e20, 1e20), st.decimals(-(10**6), 10**6, places=7).map(str))


@pytest.mark.parametrize(
    ("kind", "written", "held"),
    [
        ("Int64", (1, 1.0, "1", 2**53 + 1), [1, 1, 1, 2**53 + 1]),
        ("UInt64", (2**64 - 1,), [2**64 - 1]),
        ("Float64", (1, 0.1, "0.1", 2**53), [1.0, 0.1, 0.1, 2.0**53]),
        (MONEY, (1, 1.5, 1e-2, "1.50"), [Decimal("1.00"), Decimal("1.50"), Decimal("0.01"), Decimal("1.50")]),
        (LONG, ("0.12345678901234567890",), [Decimal("0.12345678901234567890")]),
        ("Boolean", (True, False, "true"), [True, False, True]),
        ("String", ("1", "", "true"), ["1", "", "true"]),
        ('Enum["a","b"]', ("a",), ["a"]),
        ("Date", ("2024-01-31",), [date(2024, 1, 31)]),
        ("Time", ("12:00",), [time(12)]),
        ("Datetime[us, UTC]", ("2024-01-31T00:00:00Z",), [datetime(2024, 1, 31, tzinfo=UTC)]),
    ],
)
def test_what_a_type_holds_exactly_is_a_value_of_it(kind, written, held):
    column = Column(type=kind, values=written)

    assert allowed(column).to_list() == held
    assert not list(strangers(column))


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("Int64", (1.5, True, "two", 2**63, 1e300), "a whole number from -9223372036854775808 to 9223372036854775807"),
        ("UInt8", (-1, 256), "a whole number from 0 to 255"),
        ("Float64", (2**53 + 1, True, "1e400", "nan?"), "a number that it can hold"),
        ("Float32", (2**24 + 1, 1e39), "a number that it can hold"),
        (MONEY, (1.555, 1e-3, "1e-3", "1.555", 123456789, True), "2 digits behind the point at most"),
        (LONG, (0.12345678901234567,), "one of more than 15 in quotes"),
        ("Boolean", (1, 0.0, "maybe"), "true or false"),
        ("String", (7, 1.5, True), "put quotes around it"),
        ("Categorical", (7,), "put quotes around it"),
        ('Enum["a","b"]', ("c", 1), "one of a, b"),
        ("Date", (5, True, 2024.0, "2024-02-30", "soon"), "as ISO 8601 writes it"),
        ("Datetime[us]", (5, "2024-02-30"), "as ISO 8601 writes it"),
        ("Duration[ms]", (1.5, True, "soon"), "a whole number, in ms"),
        ("List(Int64)", (1, "x"), "no `values`"),
    ],
)
def test_what_a_type_cannot_hold_exactly_is_none_of_its_values(kind, written, expected):
    column = Column(type=kind, values=written)

    assert [(place, repr(one)) for place, one in strangers(column)] == [*enumerate(map(repr, written))]
    assert expected in expected_of(column)


@given(WHOLE, NUMBERS, st.sampled_from(["min", "max"]))
def test_bounds_of_whole_numbers_are_exact(value, limit, side):
    column = Column(type="Int64", **{side: limit})
    number = Fraction(str(limit))
    possible = number <= 2**63 - 1 if side == "min" else number >= -(2**63)

    if possible:
        broken = check(Contract(columns={"a": column}), pl.DataFrame({"a": [value]})).bad_rows
        assert broken == (value < number if side == "min" else value > number)


@given(st.integers(-(10**10) + 1, 10**10 - 1), NUMBERS, st.sampled_from(["min", "max"]))
def test_bounds_of_decimals_are_exact(cents, limit, side):
    column = Column(type=MONEY, **{side: limit})
    number, value = Fraction(str(limit)), Decimal(cents).scaleb(-2)
    possible = number < 10**8 - 1 if side == "min" else number > 1 - 10**8

    if possible:
        rows = pl.DataFrame({"a": [value]}, schema={"a": pl.Decimal(10, 2)})
        broken = check(Contract(columns={"a": column}), rows).bad_rows
        assert broken == (Fraction(value) < number if side == "min" else Fraction(value) > number)


def test_bounds_of_times_are_exact_to_the_nanosecond():
    kind = "Datetime(time_unit='ns', time_zone=None)"
    limit = "2024-01-01 00:00:00.123456789"
    contract = Contract(columns={"a": Column(type=kind, min=limit, max=limit, values=(limit,))})
    moments = pl.Series("a", [1704067200123456788, 1704067200123456789]).cast(pl.Datetime("ns"))

    checked = check(contract, moments.to_frame())

    assert dict(checked.reasons) == {f"a: below {limit}": 1, "a: not one of the values": 1}


def test_a_bound_of_a_duration_counts_its_unit():
    contract = parse_contract("columns: {a: {type: 'Duration[ms]', min: 0, max: 1500}}")
    rows = pl.DataFrame({"a": pl.Series([-1, 0, 1500, 1501]).cast(pl.Duration("ms"))})

    assert dict(check(contract, rows).reasons) == {"a: below 0": 1, "a: above 1500": 1}
