"""Cells: how a JSON value becomes a typed one, and how a type is described to people and machines."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from math import inf, isfinite
from struct import pack
from typing import Any

import polars as pl

from penstock.errors import did_you_mean

Reader = Callable[[object], object]  # raises ValueError for a value of another type

_PLAIN = {
    "Boolean": ("true or false", {"type": "boolean"}),
    "Date": ("a date such as 2013-07-01", {"type": "string", "format": "date"}),
    "Time": ("a time such as 17:45:00", {"type": "string", "format": "time"}),
    "Null": ("null", {"type": "null"}),
}


def describe(dtype: str) -> tuple[str, dict[str, Any]]:
    """Words for people and the JSON Schema of a type."""
    if dtype in _PLAIN:
        return _PLAIN[dtype]
    if dtype.startswith(("Int", "UInt")):
        return "a whole number", {"type": "integer"}
    if dtype.startswith("Float"):
        return "a number", {"type": "number"}
    if dtype.startswith("Datetime"):
        return "a time such as 2013-07-01T17:45:00", {"type": "string", "format": "date-time"}
    return "text", {"type": "string"}


def to_json(value: object) -> Any:
    """A cell as a JSON value: times as ISO 8601 text, NaN and infinity as null."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def reader(dtype: pl.DataType) -> Reader:
    """What reads a value of that type from JSON or YAML."""
    if dtype.is_integer():
        return _integer_reader(dtype)
    if dtype.is_float():
        return _float_reader(dtype)
    match dtype:
        case pl.Boolean():
            return _read_boolean
        case pl.Enum():
            return _enum_reader(frozenset(dtype.categories.to_list()))
        case pl.String() | pl.Categorical():
            return _read_text
        case pl.Datetime():
            return _datetime_reader(dtype)
        case pl.Date():
            return _read_date
        case pl.Time():
            return _read_time
    return _read_nothing


def _integer_reader(dtype: pl.DataType) -> Reader:
    low = int(pl.select(dtype.min()).item())  # type: ignore[attr-defined]
    high = int(pl.select(dtype.max()).item())  # type: ignore[attr-defined]

    def read(value: object) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(_wrong(value))
        if not low <= value <= high:
            raise ValueError(f"{value} does not fit into {dtype}")
        return value

    return read


def _float_reader(dtype: pl.DataType) -> Reader:
    form = {"Float16": "<e", "Float32": "<f"}.get(str(dtype), "<d")

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(_wrong(value))
        try:
            number = float(value)
            pack(form, number)
        except OverflowError:
            number = inf
        if not isfinite(number):
            raise ValueError("the number is too large, or none")
        return number

    return read


def _read_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_wrong(value))
    return value


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(_wrong(value))
    return value


def _enum_reader(categories: frozenset[str]) -> Reader:
    def read(value: object) -> str:
        if (text := _read_text(value)) not in categories:
            raise ValueError(f"{text!r} is not one of the declared values{did_you_mean(text, categories)}")
        return text

    return read


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    try:
        return datetime.fromisoformat(_read_text(value))
    except ValueError:
        raise ValueError(_wrong(value)) from None


def _datetime_reader(dtype: pl.Datetime) -> Reader:
    first, last = _limits(dtype)

    def read(value: object) -> datetime:
        moment = _moment(value)
        try:
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except OverflowError:
            raise ValueError(f"{value!r} is out of range") from None
        if not first <= moment <= last:
            raise ValueError(f"{value!r} is out of range")
        return moment if dtype.time_zone else moment.replace(tzinfo=None)

    return read


def _limits(dtype: pl.Datetime) -> tuple[datetime, datetime]:
    """The first and the last moment that the type can hold and Python can show."""
    if dtype.time_unit == "ns":
        return datetime(1677, 9, 22, tzinfo=UTC), datetime(2262, 4, 11, tzinfo=UTC)
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    day = timedelta(days=1)  # no zone is further from UTC
    return (first + day, last - day) if dtype.time_zone else (first, last)


def _read_date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(_read_text(value))
    except ValueError:
        raise ValueError(_wrong(value)) from None


def _read_time(value: object) -> time:
    try:
        clock = value if isinstance(value, time) else time.fromisoformat(_read_text(value))
    except ValueError:
        raise ValueError(_wrong(value)) from None
    if clock.tzinfo is not None:
        raise ValueError(f"{value!r} has a zone, and no day to tell what it means")
    return clock


def _read_nothing(value: object) -> object:
    raise ValueError("always null in training, so only null is understood")


def _wrong(value: object) -> str:
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    kinds = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    kind = kinds.get(type(value), type(value).__name__)
    return f"{shown if len(shown) <= 40 else shown[:37] + '...'} is {kind}"
