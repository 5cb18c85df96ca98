from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing.parametric import dataframes

from penstock.data import check, infer_contract, parse_contract
from penstock.data.contracts.yaml_text import quoted
from penstock.data.reserved import is_reserved


def inferred(*values: str | None) -> tuple[str, str | None, tuple[str, ...]]:
    rows = pl.DataFrame({"x": list(values)}, schema={"x": pl.String})
    found = infer_contract(rows, text=True).contract.columns["x"]
    return found.type, found.format, found.missing


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1", "2"), ("Int64", None, ())),
        (("0", "1"), ("Int64", None, ())),
        (("1", "2.5"), ("Float64", None, ())),
        (("1", "NA", "?"), ("Int64", None, ("?", "NA"))),
        (("true", "False", "NA"), ("Boolean", None, ("NA",))),
        (("2013-01-01", ""), ("Date", None, ())),
        (("2013-01-01T05:00", "2013-01-01 05:00:00"), ("Datetime[us]", None, ())),
        (("2013-01-01T05:00:00Z",), ("Datetime[us, UTC]", None, ())),
        (("31/01/2013", "01/02/2013"), ("Date", "%d/%m/%Y", ())),
        (("01/31/2013 05:00",), ("Datetime[us]", "%m/%d/%Y %H:%M", ())),
        (("01/02/2013",), ("String", None, ())),
        (("1", "x"), ("String", None, ())),
        (("007", "8"), ("String", None, ())),
        (("12345678901234567890", "1"), ("String", None, ())),
        (("", None), ("String", None, ())),
        (("NA", "NA"), ("String", None, ())),
        ((), ("String", None, ())),
    ],
)
def test_types_of_text(values: tuple[str | None, ...], expected: tuple[str, str | None, tuple[str, ...]]) -> None:
    assert inferred(*values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1,5", "2"), ("Float64", ",")),
        (("1.234,5", "0,25", "-7"), ("Float64", ",")),
        (("1.234.567", "1.234"), ("Int64", ",")),
        (("1\u202f234,5", "12"), ("Float64", ",")),
        (("1,234.5", "12"), ("Float64", ".")),
        (("1,234,567", "12"), ("Int64", ".")),
        (("1'234", "12"), ("Int64", ".")),
        (("1.234", "2.5"), ("Float64", None)),
        (("1,234", "12"), ("String", None)),  # a thousand, or a little more than one
        (("1,5", "1.5"), ("String", None)),
        (("12,34,567", "1"), ("String", None)),
        (("1,5", "NA"), ("Float64", ",")),
    ],
)
def test_numbers_that_people_wrote(values: tuple[str, ...], expected: tuple[str, str | None]) -> None:
    rows = pl.DataFrame({"x": list(values)})
    found = infer_contract(rows, text=True)
    column = found.contract.columns["x"]
    assert (column.type, column.decimal) == expected
    assert parse_contract(found.text) == found.contract
    assert check(found.contract, rows, text=True).ok


def test_a_late_value_counts_too() -> None:
    assert inferred(*["1"] * 5000, "x")[0] == "String"
    assert inferred(*["1"] * 5000, "2.5")[0] == "Float64"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((*map(str, range(100)), "broken"), "as {type: Int64} only 1 would be set aside"),
        ((*("1,5" for _ in range(5000)), "x", "y"), 'as {type: Float64, decimal: ","} only 2 would be set aside'),
        ((*("2013-01-01" for _ in range(50)), "n.v."), "as {type: Date} only 1 would be set aside"),
        (("1,234", "5,678"), 'numbers by either mark: say decimal: "." or decimal: ","'),
        (("01/02/2013",), 'day or month first: say format: "%d/%m/%Y" or format: "%m/%d/%Y"'),
    ],
)
def test_a_text_that_is_nearly_or_maybe_something_else_is_told(values: tuple[str, ...], said: str) -> None:
    rows = pl.DataFrame({"x": list(values)})
    draft = infer_contract(rows, text=True)
    assert draft.contract.columns["x"].type == "String"
    assert draft.text.splitlines()[3].endswith("; " + said)
    assert check(draft.contract, rows, text=True).ok


def test_what_is_as_often_something_else_is_a_text() -> None:
    for values in (["1", "x"] * 50, ["1"] * 2000 + ["x"] * 500, ["a", "b"]):
        assert "set aside" not in infer_contract(pl.DataFrame({"x": values}), text=True).text


def test_many_rows_without_a_gap_are_not_nullable() -> None:
    rows = pl.DataFrame({"full": range(2000), "gap": [None, *range(1999)], "none": [None] * 2000})
    columns = infer_contract(rows).contract.columns
    assert [columns[name].nullable for name in ("full", "gap", "none")] == [False, True, True]
    assert columns["none"].type == "String"
    assert infer_contract(rows.head(5)).contract.columns["full"].nullable


def test_a_key_only_if_it_is_one() -> None:
    rows = pl.DataFrame({"id": [1, 2], "same": [1, 1]})
    assert infer_contract(rows, keys=["id"]).contract.keys == ("id",)
    draft = infer_contract(rows, keys=["same"])
    assert draft.contract.keys == ()
    assert "# keys: [same] was asked for" in draft.text


def test_columns_may_have_any_name() -> None:
    rows = pl.DataFrame({"column": ["1", "2"], "cell": ["a", "b"], "0": ["x", "y"]})
    types = {name: column.type for name, column in infer_contract(rows, text=True).contract.columns.items()}
    assert types == {"column": "Int64", "cell": "String", "0": "String"}
    for name in ("__n__", "rows", "0"):
        assert infer_contract(pl.DataFrame({name: [1, 2]}), keys=[name]).contract.keys == (name,)


def test_the_draft_explains_every_column() -> None:
    rows = pl.DataFrame({"delay": ["5", "NA", "-3"], "carrier": ["AA", "UA", "AA"]})
    lines = infer_contract(rows, text=True).text.splitlines()
    assert "  delay: {type: Int64, nullable: true, missing: [NA]}  # 1 of 3 missing; -3 to 5" in lines
    assert "  carrier: {type: String, nullable: true}  # never missing; AA, UA" in lines


def test_types_that_parquet_can_hold() -> None:
    rows = pl.DataFrame(
        {
            "list": [[1], None],
            "struct": [{"a": 1, "b c": "x"}, None],
            "category": pl.Series(["x", None], dtype=pl.Categorical),
            "utc": [datetime(2013, 1, 1, tzinfo=UTC), None],
            "day": [date(2013, 1, 1), None],
            "bytes": [b"x", None],
        }
    )
    draft = infer_contract(rows)
    assert parse_contract(draft.text) == draft.contract
    assert check(draft.contract, rows).ok


odd_names = st.text(min_size=1, max_size=12).filter(lambda name: not is_reserved(name))


@settings(deadline=None, max_examples=40)
@given(
    dataframes(
        min_cols=1,
        max_cols=5,
        max_size=8,
        allow_null=True,
        excluded_dtypes=[pl.Decimal, pl.Object, pl.Struct, pl.Array],
    ),
    st.lists(odd_names, min_size=5, max_size=5, unique=True),
)
def test_a_draft_is_always_kept_by_the_rows_it_came_from(frame: pl.DataFrame, names: list[str]) -> None:
    rows = frame.rename(dict(zip(frame.columns, names, strict=False)))
    draft = infer_contract(rows)
    read = parse_contract(draft.text)
    assert read == draft.contract
    assert check(read, rows).ok


cells = st.one_of(
    st.none(),
    st.text(max_size=6),
    st.sampled_from(
        ["", "NA", "1", "2.5", "-0", "007", "1e5", "true", "2013-01-01", "31/12/2013", "nan", "inf", " 3 ", "?"]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(str),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(cells, max_size=12), st.integers(1, 4))
def test_a_draft_of_text_is_kept_by_that_text(values: list[str | None], copies: int) -> None:
    rows = pl.DataFrame(
        {"x": values * copies, "y": ["k"] * (len(values) * copies)}, schema={"x": pl.String, "y": pl.String}
    )
    draft = infer_contract(rows, text=True)
    read = parse_contract(draft.text)
    assert read == draft.contract
    assert check(read, rows, text=True).ok


@given(st.text(max_size=20))
def test_any_text_can_be_quoted(text: str) -> None:
    contract = parse_contract(f"columns:\n  a: {{type: String, description: {quoted(text)}}}")
    assert contract.columns["a"].description == text


@pytest.mark.parametrize(
    ("name", "values", "pii"),
    [
        ("contact", ["ada@example.org", "b.c@d.co", None], "direct_identifier"),
        ("contact", ["ada@example.org", "nobody"], None),
        ("reach", ["+49 30 123456", "0044-20-7946-0000"], "direct_identifier"),
        ("delay", ["+12", "-3"], None),
        ("passenger_lastName", ["Lovelace", "Hopper"], "direct_identifier"),
        ("Date of Birth", ["1815-12-10", "1906-12-09"], "quasi_identifier"),
        ("phone", ["5551234567", "5559876543"], "direct_identifier"),
        ("phone", ["0", "1"], None),
        ("email", ["true", "false"], None),
        ("name", ["Widget", "Gadget"], None),
        ("model_name", ["A320", "B737"], None),
        ("zip_code", ["10115", "20095"], None),
        ("zip_code", ["01067", "20095"], "quasi_identifier"),
        ("first_name", ["x", "y"] * 60, None),
    ],
)
def test_what_looks_personal_is_marked_and_not_shown(name: str, values: list[str | None], pii: str | None) -> None:
    draft = infer_contract(pl.DataFrame({name: values}, schema={name: pl.String}), text=True)
    assert draft.contract.columns[name].pii == pii
    assert parse_contract(draft.text) == draft.contract
    if pii:
        assert not any(value in draft.text for value in values if value)
        assert "masked in pages, findings and quarantine lists, whole in exports" in draft.text
