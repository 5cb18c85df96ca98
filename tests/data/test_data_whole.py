from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import check, parse_contract
from penstock.data.contracts.whole import dataset_faults, stale


def faults(contract: str, **columns: list[object]) -> list[tuple[str, str, str, bool]]:
    frame = pl.DataFrame(columns)
    found = dataset_faults(parse_contract(contract), frame.lazy(), frame.height)
    return [(fault.rule, fault.found, fault.expected, fault.fatal) for fault in found]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ("max: 20%", []),
        ("max: 10%", [("q", "20% of the rows", "at most 10%", True)]),
        ("min: 30%", [("q", "20% of the rows", "at least 30%", True)]),
        ("min: 30%, tolerance: 10%", [("q", "20% of the rows", "at least 30%", False)]),
        ("max: 10%, severity: warn", [("q", "20% of the rows", "at most 10%", False)]),
        ("max: 10%, severity: warn, tolerance: 10%", []),
    ],
)
def test_a_ratio_keeps_its_bounds(bounds: str, expected: list[object]) -> None:
    contract = f"columns: {{a: {{type: Int64}}}}\nratios: [{{name: q, expression: a > 4, {bounds}}}]"
    assert faults(contract, a=[1, 2, 3, None, 5]) == expected


@given(st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=40), st.integers(0, 100))
def test_a_ratio_counts_the_rows_for_which_its_condition_is_true(values: list[int | None], percent: int) -> None:
    contract = parse_contract(
        f"columns: {{a: {{type: Int64}}}}\nratios: [{{name: q, expression: a < 5, max: 99.9%, min: {percent / 1000}}}]"
    )
    frame = pl.DataFrame({"a": values}, schema={"a": pl.Int64})
    share = sum(value is not None and value < 5 for value in values) / len(values)
    assert bool(list(dataset_faults(contract, frame.lazy(), frame.height))) == (share > 0.999 or share < percent / 1000)


def test_no_rows_have_no_ratio() -> None:
    frame = pl.DataFrame(schema={"a": pl.Int64})
    contract = parse_contract("columns: {a: {type: Int64}}\nratios: [{name: q, expression: a > 4, min: 10%}]")
    assert check(contract, frame).ok


def test_more_rows_than_may_be() -> None:
    contract = "columns: {a: {type: Int64}}\nrows: {max: 2}"
    assert faults(contract, a=[1, 2]) == []
    assert faults(contract, a=[1, 2, 3]) == [("rows", "3", "at most 2", True)]


def test_uniqueness_tolerates_what_it_says() -> None:
    column = "columns: {{a: {{type: Int64, unique: true, {}}}}}"
    values = [1, 1, *range(2, 100)]
    twice = ("a is unique", "1 value more than once", "", True)
    assert faults(column.format("severity: error"), a=values) == [twice]
    assert faults(column.format("severity: error, tolerance: 2%"), a=values) == []
    assert faults(column.format("severity: warn"), a=values) == [(*twice[:3], False)]
    assert faults("columns: {a: {type: Int64, severity: warn}}\nkeys: a", a=values) == [twice]


def test_personal_values_are_no_examples() -> None:
    contract = parse_contract("columns: {m: {type: String, unique: true, pii: direct_identifier}}")
    (fault,) = dataset_faults(contract, pl.LazyFrame({"m": ["ada@x.org"] * 2}), 2)
    assert fault.example == "m=*** (2 times)"
    aged = parse_contract('columns: {t: {type: "Datetime[us]", pii: quasi_identifier}}\nfreshness: 1d')
    (fault,) = stale(pl.LazyFrame({"t": [datetime(2013, 1, 1)]}), aged, "t", datetime(2013, 2, 1, tzinfo=UTC))
    assert fault.found == "31 days, 0:00:00 since ***"
