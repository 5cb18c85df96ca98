from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import check, parse_contract
from penstock.data.contracts.contract import Column, Contract
from penstock.data.contracts.rules import annotated, fatal, told
from penstock.data.contracts.schema import head_changes, schema_changes
from penstock.data.contracts.whole import stale

FLIGHTS = parse_contract("""
columns:
  id: {type: Int64, nullable: false}
  delay: {type: Float64, min: -60, max: 3000}
  carrier: {type: String, values: [AA, UA], pattern: "^A"}
  day: {type: Date, min: 2013-01-01}
rules:
  - {name: known delay of AA, expression: carrier <> 'AA' OR delay IS NOT NULL}
  - {name: early, expression: delay >= 0, severity: warn}
""")
GOOD = {"id": 1, "delay": 5.0, "carrier": "AA", "day": date(2013, 1, 1)}


def reasons(**changed: object) -> dict[str, int]:
    schema = {"id": pl.Int64, "delay": pl.Float64, "carrier": pl.String, "day": pl.Date}
    return dict(check(FLIGHTS, pl.DataFrame([{**GOOD, **changed}], schema=schema)).reasons)


def test_a_good_row() -> None:
    assert reasons() == {}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"id": None}, {"id: missing"}),
        ({"delay": -61.0}, {"delay: below -60"}),
        ({"delay": 3001.0}, {"delay: above 3000"}),
        ({"delay": -60.0}, set()),
        ({"carrier": "UA"}, {"carrier: does not match ^A"}),
        ({"carrier": "XX"}, {"carrier: not one of the values", "carrier: does not match ^A"}),
        ({"carrier": None}, set()),
        ({"day": date(2012, 12, 31)}, {"day: below 2013-01-01"}),
        ({"delay": None}, {"known delay of AA"}),
        ({"delay": float("nan"), "carrier": None}, set()),
    ],
)
def test_each_rule(changed: dict[str, object], expected: set[str]) -> None:
    assert set(reasons(**changed)) == expected


def test_a_condition_that_is_unknown_holds_as_in_sql() -> None:
    assert "early" not in reasons(delay=None)
    assert check(FLIGHTS, pl.DataFrame([{**GOOD, "delay": -1.0}])).warnings == {"early": 1}


def test_a_missing_float_may_be_nan() -> None:
    contract = parse_contract("columns: {x: {type: Float64, nullable: false, max: 1}}")
    assert check(contract, pl.DataFrame({"x": [float("nan"), None]})).reasons == {"x: missing": 2}


def test_what_is_asked_of_a_float_is_not_asked_of_nan() -> None:
    contract = parse_contract("columns: {x: {type: Float64, min: 0, max: 1, values: [0.5]}}")
    assert check(contract, pl.DataFrame({"x": [float("nan"), None, 0.5]})).ok
    found = check(contract, pl.DataFrame({"x": [float("inf"), float("-inf")]})).reasons
    assert found == {"x: not one of the values": 2, "x: below 0": 1, "x: above 1": 1}


WORDS = st.text("aé ", max_size=13)  # texts of more than 12 bytes and many texts are looked for in another way


@given(st.lists(WORDS, min_size=1, max_size=10, unique=True), st.lists(WORDS | st.none(), max_size=10))
def test_a_text_is_one_of_the_values_or_not(values: list[str], texts: list[str | None]) -> None:
    contract = Contract(columns={"a": Column(type="String", values=values)})
    checked = check(contract, pl.DataFrame({"a": [*texts, *values]}, schema={"a": pl.String}))
    assert checked.good["a"].to_list() == [text for text in texts if text is None or text in values] + values
    assert checked.bad["a"].to_list() == [text for text in texts if text is not None and text not in values]


def test_nan_in_text_is_missing_as_it_is_among_values() -> None:
    contract = parse_contract("columns: {x: {type: Float64, nullable: false, min: 0, max: 1}}")
    texts = pl.DataFrame({"x": ["NaN", "nan", " nan ", "", "0.5", "x"]})
    assert check(contract, texts, text=True).reasons == {"x: missing": 4, "x: not Float64": 1}
    nullable = parse_contract("columns: {x: {type: Float64, max: 1}}")
    assert check(nullable, texts.head(3), text=True).ok


def test_text_is_parsed_and_says_what_does_not_parse() -> None:
    raw = pl.DataFrame(
        {"id": ["1", "x", ""], "delay": [" 2.5", "-", None], "carrier": ["AA"] * 3, "day": ["2013-01-01"] * 3}
    )
    checked = check(FLIGHTS, raw, text=True)
    assert checked.reasons == {"id: not Int64": 1, "delay: not Float64": 1, "id: missing": 1, "known delay of AA": 2}
    assert checked.bad_rows == 2
    assert not checked.ok


def test_schema_changes_come_before_any_cast() -> None:
    changed = pl.DataFrame({"id": ["1"], "delay": [1], "carrier": ["AA"], "gate": ["B2"]})
    checked = check(FLIGHTS, changed)
    assert [tuple(change.values()) for change in checked.changes] == [
        ("id", "type changed", "Int64", "String"),
        ("delay", "type changed", "Float64", "Int64"),
        ("day", "missing", "Date", "nothing"),
        ("gate", "added", "nothing", "String"),
    ]


def test_order_encoding_and_empty_columns_are_no_change() -> None:
    frame = pl.DataFrame({"day": [None], "carrier": pl.Series(["AA"], dtype=pl.Categorical), "delay": [1.0], "id": [1]})
    assert check(FLIGHTS, frame).ok


def test_new_columns_may_be_allowed() -> None:
    contract = parse_contract("columns: {a: {type: Int64}}\nallow_new: true")
    assert schema_changes(contract, {"a": pl.Int64(), "b": pl.Int64()}, text=False) == []


def test_a_text_column_that_mostly_does_not_parse_changed_its_type() -> None:
    contract = parse_contract("columns: {a: {type: Int64}}")
    (change,) = head_changes(contract, pl.DataFrame({"a": ["1", "2 km", "3 km"]}))
    assert change["change"] == "type changed"
    assert change["found"] == "text such as '2 km'"
    assert head_changes(contract, pl.DataFrame({"a": ["1", "2", "3 km"]})) == []
    commas = parse_contract("columns: {a: {type: Float64, decimal: ','}}")
    (change,) = head_changes(commas, pl.DataFrame({"a": ["70.5"]}))
    assert (change["contract"], change["found"]) == ("Float64 (decimal ',')", "text such as '70.5'")
    assert head_changes(contract, pl.DataFrame({"a": ["", None]}, schema={"a": pl.String})) == []


def test_keys_unique_columns_and_row_count() -> None:
    contract = parse_contract(
        "columns: {a: {type: Int64}, b: {type: Int64}, c: {type: Int64, unique: true}}\nkeys: [a, b]\nrows: {min: 9}"
    )
    checked = check(contract, pl.DataFrame({"a": [1, 1, 2], "b": [1, 1, 1], "c": [None, None, 3]}))
    assert [fault["rule"] for fault in checked.broken] == ["rows", "a + b is unique"]
    assert checked.broken[1]["example"] == "a=1, b=1 (2 times)"


def test_a_key_may_be_called_rows() -> None:
    contract = parse_contract("columns: {rows: {type: Int64, unique: true}, len: {type: Int64}}\nkeys: [len, rows]")
    checked = check(contract, pl.DataFrame({"rows": [1, 1, 2], "len": [3, 3, 3]}))
    assert [fault["example"] for fault in checked.broken] == ["len=3, rows=1 (2 times)", "rows=1 (2 times)"]


def test_only_the_rows_own_parts_of_text_stay(tmp_path: object) -> None:
    raw = pl.DataFrame({"id": ["x"], "delay": ["y"], "carrier": ["AA"], "day": ["2013-01-01"]})
    (row,) = annotated(raw.lazy(), FLIGHTS, raw.schema, text=True, conditions={}).collect().to_dicts()
    assert (row["__raw__:id"], row["id"]) == ("x", None)
    assert row["__reasons__"] == ["id: not Int64", "delay: not Float64", "known delay of AA"]


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_freshness(zone: str | None) -> None:
    times = pl.Series([datetime(2013, 1, 1)]).dt.replace_time_zone(zone)
    frame, now = pl.LazyFrame({"t": times}), datetime(2013, 2, 1, tzinfo=UTC)
    month, less = (parse_contract(f'columns: {{t: {{type: "Datetime[us]"}}}}\nfreshness: {days}d') for days in (31, 30))
    assert stale(frame, month, "t", now) == []
    (fault,) = stale(frame, less, "t", now)
    assert fault.rule == "freshness"


def counted(column: str, values: list[object], dtype: pl.DataType | None = None) -> tuple[dict, dict, int, int]:
    contract = parse_contract(f"columns: {{a: {column}}}")
    checked = check(contract, pl.DataFrame({"a": values}, schema={"a": dtype} if dtype else None))
    return dict(checked.reasons), dict(checked.warnings), checked.bad_rows, len(checked.broken)


def test_what_a_columns_severity_means() -> None:
    values = [5, *range(99)]
    assert counted("{type: Int64, max: 97}", values) == ({"a: above 97": 1}, {}, 1, 0)
    assert counted("{type: Int64, max: 97, severity: warn}", values) == ({}, {"a: above 97": 1}, 0, 0)
    assert counted("{type: Int64, max: 97, severity: error}", values) == ({"a: above 97": 1}, {}, 1, 1)


def test_what_is_tolerated() -> None:
    values = [*range(200)]
    assert counted("{type: Int64, max: 198, severity: error, tolerance: 0.5%}", values)[2:] == (1, 0)
    assert counted("{type: Int64, max: 197, severity: error, tolerance: 0.5%}", values)[2:] == (2, 1)
    assert counted("{type: Int64, max: 198, severity: warn, tolerance: 0.005}", values)[1] == {}
    assert counted("{type: Int64, max: 197, severity: warn, tolerance: 0.005}", values)[1] == {"a: above 197": 2}


def test_what_cannot_be_read_stops_only_where_the_column_stops() -> None:
    texts = pl.DataFrame({"a": ["x", "1"]})
    for severity, broken in (("warn", 0), ("quarantine", 0), ("error", 1)):
        contract = parse_contract(f"columns: {{a: {{type: Int64, severity: {severity}}}}}")
        checked = check(contract, texts, text=True)
        assert (checked.bad_rows, len(checked.broken)) == (1, broken)


def test_of_what_was_counted_only_what_is_not_tolerated_stops_or_is_told() -> None:
    contract = parse_contract("""
        columns: {a: {type: Int64, max: 1, severity: error, tolerance: 10%}, b: {type: Int64, max: 1, severity: warn}}
        rules: [{name: r, function: "checks:r", severity: error}]
    """)
    counts = {"a: above 1": 2, "b: above 1": 5, "r": 1, "id is unique": 9}
    assert fatal(contract, counts, 10) == {"a: above 1": 2, "r": 1}
    assert fatal(contract, counts, 20) == {"r": 1}
    assert told(contract, counts, 10) == {"b: above 1": 5}


def test_a_row_that_cannot_be_kept_is_set_aside_though_the_column_only_warns() -> None:
    contract = parse_contract("columns: {a: {type: Int64, severity: warn}, k: {type: Int64, severity: warn}}\nkeys: k")
    texts = pl.DataFrame({"a": ["x", "1"], "k": ["1", ""]})
    assert check(contract, texts, text=True).reasons == {"a: not Int64": 1, "k: missing": 1}


def test_personal_values_are_not_told() -> None:
    contract = parse_contract("columns: {a: {type: Int64, pii: sensitive}}")
    (change,) = head_changes(contract, pl.DataFrame({"a": ["2 km", "3 km"]}))
    assert change["found"] == "text such as ***"


@given(st.lists(st.tuples(*[st.none() | st.integers(-2, 2)] * 3), min_size=1, max_size=20), st.integers(1, 150))
def test_every_row_has_all_of_its_reasons_however_many_rules_there_are(rows: list[tuple], rules: int) -> None:
    listed = "".join(f"  - {{name: r{n}, expression: a <> {n % 5 - 2}}}\n" for n in range(rules))
    contract = parse_contract(
        "columns:\n  a: {type: Int64, min: 0}\n  b: {type: Int64, max: 0, nullable: false}\n"
        f"  c: {{type: Int64, severity: warn, values: [1]}}\nrules:\n{listed}"
    )
    frame = pl.DataFrame(rows, schema=dict.fromkeys("abc", pl.Int64), orient="row")
    marked = annotated(frame.lazy(), contract, frame.schema, text=False, conditions={}).collect()
    for (a, b, c), said, warned in zip(rows, marked["__reasons__"], marked["__warnings__"], strict=True):
        expected = ["a: below 0"] if a is not None and a < 0 else []
        expected += ["b: missing"] if b is None else ["b: above 0"] if b > 0 else []
        expected += [f"r{n}" for n in range(rules) if a == n % 5 - 2]
        assert said.to_list() == expected
        assert warned.to_list() == (["c: not one of the values"] if c not in (None, 1) else [])


def test_good_and_bad_rows_are_parted() -> None:
    contract = parse_contract("columns: {a: {type: Int64, max: 1}}")
    checked = check(contract, pl.DataFrame({"a": ["1", "2", "x"]}), text=True)
    assert checked.good.to_dicts() == [{"a": 1}]
    assert checked.bad.to_dicts() == [
        {"a": 2, "__reasons__": ["a: above 1"]},
        {"a": None, "__reasons__": ["a: not Int64"]},
    ]
