"""Feedback as it comes in: every row checked before any is logged.

{"rows": [{"prediction": "0197…", "label": true}, {"key": "2013-1", "label": false, "at": "2013-05-01T12:00:00Z"}]}
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from penstock.bundle import RowProblem
from penstock.errors import did_you_mean
from penstock.ids import new_ids, time_of
from penstock.serve.log import FeedbackRecord
from penstock.serve.protocol import RequestError, Row

FIELDS = ("prediction", "key", "label", "at")


@dataclass(frozen=True)
class Truth:
    """What a label of an endpoint can be."""

    task: str  # binary | multiclass | regression
    classes: tuple[Any, ...] = ()

    @property
    def expected(self) -> str:
        """For people."""
        if self.task == "regression":
            return "a number"
        return f"one of {', '.join(map(repr, self.classes))}"

    def allows(self, label: object) -> bool:
        """Whether `label` can be the truth. A class that training never saw can: reality is allowed to change."""
        if self.task == "regression":
            return isinstance(label, int | float) and not isinstance(label, bool)
        if self.task == "binary":
            return _scalar(label) and label in self.classes
        return _scalar(label) and any(type(label) is type(known) for known in self.classes)


def read_feedback(rows: Sequence[Row], endpoint: str, truth: Truth, at: datetime) -> list[FeedbackRecord]:
    """The rows as records. RequestError 422 with every problem of every row."""
    problems = [problem for index, row in enumerate(rows) for problem in _problems(index, row, truth)]
    if problems:
        raise RequestError.bad_rows(problems, "nothing was recorded")
    return [
        FeedbackRecord(
            id=identifier,
            at=at,
            endpoint=endpoint,
            prediction=row.get("prediction"),
            key=row.get("key"),
            label=row["label"],
            observed_at=_time(row["at"]) if row.get("at") is not None else None,
        )
        for identifier, row in zip(new_ids(len(rows)), rows, strict=True)
    ]


def _problems(index: int, row: Row, truth: Truth) -> Iterator[RowProblem]:
    for check in _CHECKS:
        for field, what, expected in check(row, truth):
            yield RowProblem(index, field, what, expected)


_Finding = tuple[str, str, str | None]


def _known_fields(row: Row, _: Truth) -> Iterator[_Finding]:
    for name in row.keys() - set(FIELDS):
        yield name, f"unknown field{did_you_mean(name, FIELDS)}", None


def _names_an_example(row: Row, _: Truth) -> Iterator[_Finding]:
    if row.get("prediction") is None and row.get("key") is None:
        yield "prediction", "missing", "the id of a prediction, or `key`"
    if row.get("key") is not None and not _scalar(row["key"]):
        yield "key", "not a text or a number", "the value of the request's key column"


def _prediction_is_an_id(row: Row, _: Truth) -> Iterator[_Finding]:
    identifier = row.get("prediction")
    if identifier is not None and not _is_id(identifier):
        yield "prediction", f"{identifier!r} is not a prediction id", "the `id` of a reply, 32 hexadecimal characters"


def _label_is_possible(row: Row, truth: Truth) -> Iterator[_Finding]:
    if row.get("label") is None:
        yield "label", "missing", truth.expected
    elif not truth.allows(row["label"]):
        yield "label", f"{row['label']!r} cannot be true here", truth.expected


def _time_is_a_time(row: Row, _: Truth) -> Iterator[_Finding]:
    try:
        _time("2000-01-01" if row.get("at") is None else row["at"])
    except (TypeError, ValueError, OverflowError):
        yield "at", f"{row['at']!r} is not a time", "ISO 8601, such as 2013-05-01T12:00:00Z"


_CHECKS: tuple[Callable[[Row, Truth], Iterator[_Finding]], ...] = (
    _known_fields,
    _names_an_example,
    _prediction_is_an_id,
    _label_is_possible,
    _time_is_a_time,
)


def _time(text: str) -> datetime:
    """A time without an offset is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_id(value: object) -> bool:
    try:
        time_of(str(value))
    except ValueError:
        return False
    return isinstance(value, str)


def _scalar(value: object) -> bool:
    return isinstance(value, str | int | float)
