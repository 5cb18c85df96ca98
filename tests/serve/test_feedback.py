"""Feedback is taken whole or refused with every reason."""

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.ids import new_id
from penstock.serve.feedback import Truth, read_feedback
from penstock.serve.protocol import RequestError

NOW = datetime(2025, 5, 1, tzinfo=UTC)
BINARY = Truth("binary", (False, True))
MULTICLASS = Truth("multiclass", ("long", "short"))
REGRESSION = Truth("regression")


def problems(row: dict[str, Any], truth: Truth = BINARY) -> list[tuple[str, str]]:
    with pytest.raises(RequestError) as refusal:
        read_feedback([{"key": "k", "label": True} if truth is BINARY else row, row], "delay", truth, NOW)
    assert refusal.value.status == 422
    return [(problem.field, problem.what) for problem in refusal.value.problems if problem.row == 1]


def test_by_prediction_and_by_key() -> None:
    identifier = new_id()
    by_id, by_key = read_feedback(
        [{"prediction": identifier, "label": True}, {"key": 17, "label": False, "at": "2013-05-01T14:00:00+02:00"}],
        "delay",
        BINARY,
        NOW,
    )
    assert (by_id.prediction, by_id.key, by_id.label, by_id.observed_at) == (identifier, None, True, None)
    assert (by_key.prediction, by_key.key, by_key.label) == (None, 17, False)
    assert by_key.observed_at == datetime(2013, 5, 1, 12, tzinfo=UTC)
    assert (by_key.endpoint, by_key.at) == ("delay", NOW)


def test_what_is_null_is_not_there() -> None:
    (record,) = read_feedback([{"prediction": new_id(), "key": None, "label": True, "at": None}], "d", BINARY, NOW)
    assert (record.key, record.observed_at) == (None, None)


def test_a_time_without_offset_is_utc() -> None:
    (record,) = read_feedback([{"key": "k", "label": True, "at": "2013-05-01T12:00:00"}], "delay", BINARY, NOW)
    assert record.observed_at == datetime(2013, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"label": True}, "prediction"),
        ({"prediction": "F7", "label": True}, "prediction"),
        ({"prediction": 7, "label": True}, "prediction"),
        ({"key": ["a"], "label": True}, "key"),
        ({"key": "k"}, "label"),
        ({"key": "k", "label": None}, "label"),
        ({"key": "k", "label": "yes"}, "label"),
        ({"key": "k", "label": [True]}, "label"),
        ({"key": "k", "label": True, "at": "yesterday"}, "at"),
        ({"key": "k", "label": True, "at": 5}, "at"),
        ({"key": "k", "label": True, "labels": 1}, "labels"),
    ],
)
def test_a_bad_row_is_named(row: dict[str, Any], field: str) -> None:
    assert [name for name, _ in problems(row)] == [field]


def test_all_problems_at_once() -> None:
    found = problems({"prediction": "x", "label": "maybe", "at": "?"})
    assert [field for field, _ in found] == ["prediction", "label", "at"]


def test_what_can_be_true() -> None:
    assert MULTICLASS.allows("short")
    assert MULTICLASS.allows("never seen in training")
    assert not MULTICLASS.allows(3)
    assert REGRESSION.allows(3)
    assert REGRESSION.allows(-0.5)
    assert not REGRESSION.allows(True)
    assert not REGRESSION.allows("3")
    assert not BINARY.allows(2)
