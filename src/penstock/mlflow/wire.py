"""What goes over the wire: requests into typed values, replies into JSON, times in milliseconds since 1970."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, get_origin, get_type_hints
from urllib.parse import parse_qs

import msgspec

from penstock.mlflow.errors import invalid

A = TypeVar("A")
Reply = Mapping[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

encode = msgspec.json.encode


class Pair(msgspec.Struct, frozen=True):
    """A name and its value: of a param, a tag."""

    key: str
    value: str = ""


class Nothing(msgspec.Struct, frozen=True):
    """A request that says nothing."""


def read_request(kind: type[A], body: bytes, query: bytes, path: Mapping[str, str]) -> A:
    """A request, wherever it says what: in its body, its query or its path. ProtocolError when a field is wrong."""
    asked: dict[str, Any] = {**_query(kind, query), **_body(body), **path}
    try:
        # Clients write 64-bit numbers as text, and NaN too.
        return msgspec.convert(asked, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(f"the request cannot be read: {error}") from error


def _body(body: bytes) -> Mapping[str, Any]:
    if not body.strip():
        return {}
    try:
        value = _decode(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise invalid("the body is no JSON object")
    return value


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return json.loads(body)  # which takes a bare NaN, as some clients write it


def _query(kind: type, query: bytes) -> Mapping[str, Any]:
    if not query:
        return {}
    lists = {name for name, hint in get_type_hints(kind).items() if get_origin(hint) is list}
    given = parse_qs(query.decode("ascii", "replace"), keep_blank_values=True)
    return {name: values if name in lists else values[-1] for name, values in given.items()}


def number(value: float) -> float | str:
    """A number as JSON can hold it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def milliseconds(at: datetime) -> int:
    """A time as clients read it."""
    return (at - EPOCH) // _MILLISECOND


def moment(milliseconds: int) -> datetime:
    """A time as clients write it. ProtocolError beyond the year 9999."""
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise invalid(f"{milliseconds} is no time", expected="milliseconds since 1970") from None


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags or params as a reply lists them."""
    return [{"key": key, "value": value} for key, value in values.items()]


def tags_of(given: "list[Pair]") -> dict[str, str]:
    """Tags by their names; the last one of a name counts."""
    return {tag.key: tag.value for tag in given}
