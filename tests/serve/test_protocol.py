"""What goes over the wire."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.bundle import RowProblem
from penstock.errors import UserCodeError
from penstock.serve.log import PredictionRecord
from penstock.serve.protocol import RequestError, decode_rows, encode_error, encode_predictions

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
records = st.dictionaries(st.text(max_size=5).filter(lambda name: name != "rows"), scalars, max_size=4)


def refused(body: bytes, max_rows: int = 3) -> RequestError:
    with pytest.raises(RequestError) as refusal:
        decode_rows(body, max_rows)
    return refusal.value


@given(st.lists(records, min_size=1, max_size=5))
def test_rows_come_out_as_they_went_in(rows: list[dict[str, Any]]) -> None:
    assert decode_rows(json.dumps({"rows": rows}).encode(), 5) == rows


@given(records)
def test_one_record_is_one_row(record: dict[str, Any]) -> None:
    assert decode_rows(json.dumps(record).encode(), 1) == [record]


def test_a_field_named_rows_among_others_is_a_record() -> None:
    assert decode_rows(b'{"rows": 3}', 1) == [{"rows": 3}]
    assert decode_rows(b'{"rows": [], "x": 1}', 1) == [{"rows": [], "x": 1}]


@pytest.mark.parametrize("body", [b"", b"{", b"[1, NaN]", b'{"a": "\xff"}', b'{"a": 1} x', b"[" * 10_000])
def test_what_is_not_json_is_400(body: bytes) -> None:
    assert refused(body).status == 400


@pytest.mark.parametrize(("body", "kind"), [(b"[]", "array"), (b"3", "number"), (b'"x"', "string"), (b"null", "null")])
def test_json_of_another_shape_is_422(body: bytes, kind: str) -> None:
    refusal = refused(body)
    assert (refusal.status, refusal.what) == (422, f"the body is a JSON {kind}")


def test_no_rows_and_too_many_rows() -> None:
    assert refused(b'{"rows": []}').status == 422
    assert refused(b'{"rows": [{}, {}, {}, {}]}').status == 413


def test_rows_that_are_no_objects_are_all_named() -> None:
    refusal = refused(b'{"rows": [1, {}, null]}')
    assert [(problem.row, problem.what) for problem in refusal.problems] == [(0, "a JSON number"), (2, "a JSON null")]


def test_values_that_cannot_be_logged_are_named() -> None:
    whole = [2**64 - 1, -(2**63), 1e300, True]
    assert decode_rows(json.dumps({"a": whole[0], "b": whole[1], "c": whole[2], "d": whole[3]}).encode(), 1)
    for value in (2**64, -(2**63) - 1, json.loads("[" * 40 + "]" * 40)):
        refusal = refused(json.dumps({"rows": [{}, {"a": value}]}).encode())
        assert (refusal.status, [(one.row, one.field) for one in refusal.problems]) == (422, [(1, "a")])


def test_an_error_carries_every_problem() -> None:
    error = RequestError.bad_rows([RowProblem(0, "x", "is missing", "a number"), RowProblem(4, "y", "unknown field")])
    assert json.loads(encode_error(error)) == {
        "error": {
            "what": "2 problems in the rows; nothing was predicted",
            "next": "GET /docs shows the fields",
            "problems": [
                {"row": 0, "field": "x", "what": "is missing", "expected": "a number"},
                {"row": 4, "field": "y", "what": "unknown field"},
            ],
        }
    }


def test_an_unknown_endpoint_names_the_closest() -> None:
    error = RequestError.unknown_endpoint("dely", ["delay", "price"])
    assert error.status == 404
    assert "did you mean 'delay'" in error.what


def test_other_errors_say_what_and_next() -> None:
    error = UserCodeError("division by zero", where="pipeline.py:3", hint="look there")
    assert json.loads(encode_error(error)) == {"error": {"what": "division by zero", "next": "look there"}}


def record(**change: Any) -> PredictionRecord:
    plain: dict[str, Any] = {
        "id": "1",
        "at": datetime(2025, 1, 1, tzinfo=UTC),
        "endpoint": "delay",
        "model": "delay@3",
        "number": 3,
        "bundle": "ab",
        "generation": 5,
        "role": "champion",
        "request": {},
        "vector": {},
        "score": 0.5,
        "latency_us": 1,
    }
    return PredictionRecord(**{**plain, **change})


def test_replies_of_each_task() -> None:
    def first(**change: Any) -> Any:
        return json.loads(encode_predictions([record(**change)]))["predictions"][0]

    assert first(label=False) == {"id": "1", "label": False, "score": 0.5}
    assert first(score=12.5) == {"id": "1", "value": 12.5}
    assert first(score=float("nan")) == {"id": "1", "value": None}
    assert first(label="a", probabilities={"a": 0.5, "b": 0.5})["probabilities"] == {"a": 0.5, "b": 0.5}


def test_a_reply_names_model_generation_and_role() -> None:
    reply = json.loads(encode_predictions([record(), record()]))
    assert (reply["model"], reply["generation"], reply["role"]) == ("delay@3", 5, "champion")
    assert len(reply["predictions"]) == 2
