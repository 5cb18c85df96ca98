"""Values on their way into a column and back; the same for every database.

A time is UTC to the microsecond, a document is JSON text, NaN is a number. A value of the wrong type is
refused here, because SQLite would take it and PostgreSQL would not.
"""

import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from penstock.errors import UsageError
from penstock.ledger.tables import Column, Table


def encode(column: Column, value: Any) -> Any:
    """What the database is given. UsageError when the column cannot hold `value`."""
    if value is None:
        if column.optional:
            return None
        raise UsageError(f"{column.name} cannot be None")
    try:
        return _ENCODERS[column.kind](value)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{column.name} cannot be {value!r}", expected=f"{_EXPECTED[column.kind]} ({error})"
        ) from error


def decode(table: Table, rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The records that a table's rows hold."""
    decoders = [_DECODERS[column.kind] for column in table.columns]
    return [table.record(*[decoder(stored) for decoder, stored in zip(decoders, row, strict=True)]) for row in rows]


def clean(text: str) -> str:
    """Text as both databases can hold it: NUL and lone surrogates become U+FFFD."""
    if text.isascii():
        return text.replace("\0", "\ufffd")
    return text.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"got {type(value).__name__}")
    return clean(value)


def _number(value: Any) -> float | str:
    number = float(value)
    # SQLite turns a NaN into NULL; the text sorts after every number there, as NaN does in PostgreSQL.
    return "NaN" if math.isnan(number) else number


def _time(value: Any) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("a time without zone" if isinstance(value, datetime) else f"got {type(value).__name__}")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def _document(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _as_it_is(stored: Any) -> Any:
    return stored


def _read_number(stored: Any) -> float | None:
    return None if stored is None else float(stored)


def _read_time(stored: Any) -> datetime | None:
    if stored is None:
        return None
    moment = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def _read_document(stored: Any) -> Any:
    return None if stored is None else json.loads(stored)


_ENCODERS: Mapping[str, Callable[[Any], Any]] = {
    "text": _text,
    "integer": operator.index,
    "number": _number,
    "time": _time,
    "document": _document,
}
_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "text": _as_it_is,
    "integer": _as_it_is,
    "number": _read_number,
    "time": _read_time,
    "document": _read_document,
}
_EXPECTED = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "time": "a datetime with a time zone",
    "document": "a JSON value",
}
