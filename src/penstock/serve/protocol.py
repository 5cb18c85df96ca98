"""What goes over the wire: requests decoded, replies and errors encoded.

{"rows": [{...}, ...]}  or one record {...}
-> {"predictions": [{"id", "label" | "value", "score", "probabilities"?}],
    "model": "flight-delay@3", "generation": 5, "role": "champion"}
-> {"error": {"what", "expected"?, "next"?, "problems"?: [{"row", "field", "what", "expected"?}]}}
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from penstock.bundle import RowProblem
from penstock.errors import PenstockError, did_you_mean
from penstock.serve.log import PredictionRecord

Row = dict[str, Any]
LOW, HIGH = -(2**63), 2**64 - 1  # the whole numbers that the log can hold
LEVELS = 32
_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


class RequestError(PenstockError):
    """A request that gets no prediction; `status` is the HTTP status of the reply."""

    def __init__(
        self,
        status: int,
        what: str,
        *,
        expected: str | None = None,
        hint: str | None = None,
        problems: Sequence[RowProblem] = (),
    ) -> None:
        super().__init__(what, expected=expected, hint=hint)
        self.status = status
        self.problems = tuple(problems)

    @classmethod
    def unknown_endpoint(cls, name: str, known: Sequence[str]) -> "RequestError":
        """404, with the closest endpoint that there is."""
        return cls(404, f"unknown endpoint {name!r}{did_you_mean(name, known)}", hint="GET /docs lists the endpoints")

    @classmethod
    def bad_rows(cls, problems: Sequence[RowProblem], effect: str = "nothing was predicted") -> "RequestError":
        """422, with every bad field of every row."""
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        return cls(422, f"{count} in the rows; {effect}", hint="GET /docs shows the fields", problems=problems)


def decode_rows(body: bytes, max_rows: int) -> list[Row]:
    """The rows of a request: of `{"rows": [...]}`, or the one record that the body is."""
    try:
        value = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise RequestError(
            400, f"the body is not JSON: {why}", expected='{"rows": [{...}]} or one record {...}'
        ) from error
    if isinstance(value, dict) and isinstance(value.get("rows"), list) and len(value) == 1:
        return _checked(value["rows"], max_rows)
    if isinstance(value, dict):
        return _checked([value], max_rows)
    raise RequestError(422, f"the body is a JSON {_kind(value)}", expected='{"rows": [{...}]} or one record {...}')


def _checked(rows: list[Any], max_rows: int) -> list[Row]:
    if not rows:
        raise RequestError(422, "there are no rows", expected="at least one")
    if len(rows) > max_rows:
        raise RequestError(
            413, f"{len(rows)} rows in one request", expected=f"at most {max_rows}", hint="send them in parts"
        )
    if wrong := [problem for index, row in enumerate(rows) for problem in _problems(index, row)]:
        raise RequestError.bad_rows(wrong)
    return rows


def _problems(index: int, row: Any) -> Iterator[RowProblem]:
    if not isinstance(row, dict):
        yield RowProblem(index, "", f"a JSON {_kind(row)}", "an object of field: value")
        return
    for name, value in row.items():
        if type(value) is int and not LOW <= value <= HIGH:
            yield RowProblem(index, name, "a whole number beyond 64 bits", "a smaller one")
        elif isinstance(value, dict | list) and _deeper(value, LEVELS):
            yield RowProblem(index, name, f"nested more than {LEVELS} deep")


def _deeper(value: Any, levels: int) -> bool:
    """Whether a value is nested deeper than that; what is cannot even be told in an error."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(each, levels - 1) for each in inner)


def _kind(value: object) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")


def encode(value: object) -> bytes:
    """JSON; a number that JSON cannot hold (NaN, infinity) becomes null."""
    return _encoder.encode(value)


def encode_predictions(records: Sequence[PredictionRecord]) -> bytes:
    """The reply: what was logged, and nothing that was not. All records are of one generation."""
    first = records[0]
    return encode(
        {
            "predictions": [_prediction(record) for record in records],
            "model": first.model,
            "generation": first.generation,
            "role": first.role,
        }
    )


def _prediction(record: PredictionRecord) -> dict[str, Any]:
    if record.label is None:
        return {"id": record.id, "value": record.score}
    plain = {"id": record.id, "label": record.label, "score": record.score}
    return {**plain, "probabilities": record.probabilities} if record.probabilities else plain


def encode_error(error: PenstockError) -> bytes:
    """The error as people and programs read it."""
    facts: dict[str, Any] = {"what": error.what, "expected": error.expected, "next": error.hint}
    known: dict[str, Any] = {key: value for key, value in facts.items() if value is not None}
    if isinstance(error, RequestError) and error.problems:
        known["problems"] = [_known(problem) for problem in error.problems]
    return encode({"error": known})


def _known(problem: RowProblem) -> Mapping[str, Any]:
    facts = {"row": problem.row, "field": problem.field or None, "what": problem.what, "expected": problem.expected}
    return {key: value for key, value in facts.items() if value is not None}
