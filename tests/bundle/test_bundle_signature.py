from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.bundle import RowProblem, Signature
from penstock.errors import UsageError

NEW_YORK = pl.Series([datetime(2013, 1, 1)], dtype=pl.Datetime("us", "America/New_York"))
TOKYO = pl.Series([datetime(2013, 1, 1)], dtype=pl.Datetime("us", "Asia/Tokyo"))
NANOSECONDS = pl.Series([datetime(2013, 1, 1)], dtype=pl.Datetime("ns"))
COLUMNS = {
    "id": st.text(max_size=5),
    "count": st.integers(-(2**31), 2**31 - 1),
    "share": st.floats(allow_nan=False, allow_infinity=False),
    "on": st.booleans(),
    "kind": st.sampled_from(["a", "b"]),
    "day": st.dates(),
    "at": st.datetimes(),
    "when": st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    "clock": st.times(),
}
TYPES = {
    "id": pl.String(),
    "count": pl.Int32(),
    "share": pl.Float64(),
    "on": pl.Boolean(),
    "kind": pl.Enum(["a", "b"]),
    "day": pl.Date(),
    "at": pl.Datetime("us"),
    "when": pl.Datetime("us", "UTC"),
    "clock": pl.Time(),
}


def signature(**columns: object) -> Signature:
    return Signature.of(pl.DataFrame({name: pl.Series(values) for name, values in columns.items()}))


def decode(value: object, column: pl.Series) -> tuple[object, list[str]]:
    frame, problems = Signature.of(column.alias("x").to_frame()).decode([{"x": value}])
    return frame["x"][0], [problem.what for problem in problems]


@given(st.lists(st.fixed_dictionaries({name: st.one_of(st.none(), values) for name, values in COLUMNS.items()})))
def test_what_is_encoded_is_decoded_to_the_same(rows):
    frame = pl.DataFrame(rows, schema=TYPES)
    whole = Signature.of(frame, nullable=frozenset(TYPES))
    kept = Signature.from_json(whole.to_json())

    decoded, problems = kept.decode(whole.encode(frame))

    assert not problems
    assert decoded.equals(frame)
    assert decoded.schema == frame.schema


def test_every_problem_of_every_row_is_told():
    known = signature(carrier=["UA"], distance=[100], delay=[1.5])

    frame, problems = known.decode([{"carrier": 7, "distence": 3, "delay": 1.0}, {}])

    assert frame.height == 2
    assert problems == [
        RowProblem(0, "distence", "unknown field (did you mean 'distance'?)"),
        RowProblem(0, "carrier", "7 is a number", "text"),
        RowProblem(0, "distance", "is missing", "a whole number"),
        RowProblem(1, "carrier", "is missing", "text"),
        RowProblem(1, "distance", "is missing", "a whole number"),
        RowProblem(1, "delay", "is missing", "a number"),
    ]
    assert str(problems[1]) == "row 0, carrier: 7 is a number (expected text)"


def test_a_column_with_nulls_may_be_null_or_left_out():
    known = Signature.of(pl.DataFrame({"a": [1, None]}))

    frame, problems = known.decode([{"a": None}, {}, {"a": 3}])

    assert (frame["a"].to_list(), problems) == ([None, None, 3], [])


def test_a_column_without_nulls_may_not_be_null():
    assert decode(None, pl.Series([1])) == (None, ["may not be null"])


def test_what_may_be_null_can_be_declared():
    known = Signature.of(pl.DataFrame({"a": [1], "b": [None]}), nullable=frozenset({"a"}))

    assert [field.nullable for field in known.fields] == [True, False]


@pytest.mark.parametrize(
    ("value", "column", "read"),
    [
        (5.0, pl.Series([1]), 5),
        (5, pl.Series([1.5]), 5.0),
        (255, pl.Series([1], dtype=pl.UInt8), 255),
        ("2013-07-01", pl.Series([datetime(2013, 1, 1)]), datetime(2013, 7, 1)),
        ("2013-07-01T12:00:00-04:00", pl.Series([datetime(2013, 1, 1)]), datetime(2013, 7, 1, 16)),
        ("2013-07-01T12:00:00Z", pl.Series([datetime(2013, 1, 1)]), datetime(2013, 7, 1, 12)),
        (datetime(2013, 7, 1), pl.Series([datetime(2013, 1, 1)]), datetime(2013, 7, 1)),
        (date(2013, 7, 1), pl.Series([date(2013, 1, 1)]), date(2013, 7, 1)),
        ("2013-07-01T12:00:00Z", NEW_YORK, datetime(2013, 7, 1, 8, tzinfo=ZoneInfo("America/New_York"))),
        ("2013-07-01T12:00:00", NEW_YORK, datetime(2013, 7, 1, 8, tzinfo=ZoneInfo("America/New_York"))),
        ("17:45", pl.Series([time(1)]), time(17, 45)),
        ("2262-04-10T12:00:00", NANOSECONDS, datetime(2262, 4, 10, 12)),
        (3.4028234e38, pl.Series([1.5], dtype=pl.Float32), 3.4028234663852886e38),
        ("new", pl.Series(["old"]), "new"),
        ("new", pl.Series(["old"], dtype=pl.Categorical), "new"),
    ],
)
def test_values_that_are_understood(value, column, read):
    assert decode(value, column) == (read, [])


@pytest.mark.parametrize(
    ("value", "column", "what"),
    [
        ("5", pl.Series([1]), "'5' is text"),
        (1.5, pl.Series([1]), "1.5 is a number"),
        (True, pl.Series([1]), "true is a truth value"),
        (256, pl.Series([1], dtype=pl.UInt8), "256 does not fit into UInt8"),
        (2**63, pl.Series([1]), "9223372036854775808 does not fit into Int64"),
        (10**400, pl.Series([1.5]), "the number is too large, or none"),
        (float("nan"), pl.Series([1.5]), "the number is too large, or none"),
        (1, pl.Series([True]), "1 is a number"),
        (5, pl.Series(["a"]), "5 is a number"),
        (["a"], pl.Series(["a"]), "['a'] is a list"),
        ({"a": 1}, pl.Series(["a"]), "{'a': 1} is an object"),
        (
            "horse",
            pl.Series(["cat"], dtype=pl.Enum(["cat", "dog"])),
            "'horse' is not one of the declared values (there is: cat, dog)",
        ),
        ("yesterday", pl.Series([datetime(2013, 1, 1)]), "'yesterday' is text"),
        ("0001-01-01T00:00:00+14:00", pl.Series([datetime(2013, 1, 1)]), "'0001-01-01T00:00:00+14:00' is out of range"),
        ("9999-12-31T23:59:59-05:00", NEW_YORK, "'9999-12-31T23:59:59-05:00' is out of range"),
        ("9999-12-31T23:59:59Z", TOKYO, "'9999-12-31T23:59:59Z' is out of range"),
        ("1500-01-01", NANOSECONDS, "'1500-01-01' is out of range"),
        ("2300-01-01T00:00:00", NANOSECONDS, "'2300-01-01T00:00:00' is out of range"),
        (1e39, pl.Series([1.5], dtype=pl.Float32), "the number is too large, or none"),
        (-3.5e38, pl.Series([1.5], dtype=pl.Float32), "the number is too large, or none"),
        ("17:45:00+02:00", pl.Series([time(1)]), "'17:45:00+02:00' has a zone, and no day to tell what it means"),
        (1372636800, pl.Series([datetime(2013, 1, 1)]), "1372636800 is a number"),
        ("2013-13-01", pl.Series([date(2013, 1, 1)]), "'2013-13-01' is text"),
        ("x", pl.Series([None, None]), "always null in training, so only null is understood"),
    ],
)
def test_values_that_are_refused(value, column, what):
    assert decode(value, column) == (None, [what])


def test_ranges_and_levels_inform_and_refuse_nothing():
    known = signature(n=[1, 5], c=["x", "y"])

    assert (known.fields[0].low, known.fields[0].high, known.fields[1].levels) == (1, 5, ("x", "y"))
    assert known.decode([{"n": 100, "c": "z"}])[1] == []


def test_json_schema_says_types_nulls_and_an_example():
    known = Signature.of(
        pl.DataFrame(
            {"at": [datetime(2013, 1, 1)], "n": [None], "d": [2.5], "c": pl.Series(["x"], dtype=pl.Enum(["x"]))}
        ),
        nullable=frozenset({"n", "d"}),
    )

    schema = known.json_schema()

    assert schema["required"] == ["at", "c"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["at"]["format"] == "date-time"
    assert schema["properties"]["d"]["type"] == ["number", "null"]
    assert schema["properties"]["c"]["enum"] == ["x"]
    assert schema["examples"] == [{"at": "2013-01-01T00:00:00", "n": None, "d": 2.5, "c": "x"}]
    assert known.decode(schema["examples"])[1] == []


def test_the_range_of_the_examples_is_told_to_the_second():
    known = Signature.of(
        pl.DataFrame({"at": [datetime(2013, 1, 1, 5, 0, 0, 123456), datetime(2013, 2, 1)], "n": [1.25, 3]})
    )

    told = {name: field["description"] for name, field in known.json_schema()["properties"].items()}

    assert told == {
        "at": "In the examples: 2013-01-01T05:00:00 to 2013-02-01T00:00:00",
        "n": "In the examples: 1.25 to 3.0",
    }


def test_no_rows_are_a_frame_without_rows():
    frame, problems = signature(a=[1]).decode([])

    assert (frame.schema, frame.height, problems) == ({"a": pl.Int64}, 0, [])


@pytest.mark.parametrize("values", [[[1]], [{"a": 1}], [b"x"]])
def test_a_nested_column_cannot_be_asked_for(values):
    with pytest.raises(UsageError, match="cannot be a feature or a request field"):
        signature(a=values)
