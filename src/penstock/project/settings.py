"""The kinds of value that settings are made of: durations, shares, names; and what every section is."""

import codecs
import re
from datetime import timedelta
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

LONGEST = timedelta(days=365_000)  # a thousand years: what is added to a date is still one
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)"


def parse_duration(text: object) -> timedelta:
    """`20ms`, `90s`, `10m`, `3h`, `31d` or `2w` as a timedelta. ValueError otherwise."""
    if isinstance(text, timedelta):
        return text
    match = re.fullmatch(_DURATION, str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is not a duration such as 20ms, 90s, 10m, 3h, 31d or 2w")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text} is longer than a thousand years")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """The shortest text that `parse_duration` reads back."""
    seconds = value.total_seconds()
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count = seconds / _UNITS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{seconds * 1000:g}ms"


def _parse_percent(value: object) -> object:
    """`5%` is 0.05."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return round(float(value.strip()[:-1]) / 100, 12)
    return value


def _possible_holdout(rule: str) -> str:
    """`last 20%`, `last 28d` or `random 20%`, with something on both sides."""
    kind, amount = rule.split(" ")
    if amount.endswith("%") and not 0 < float(amount[:-1]) < 100:
        raise ValueError(f"{amount} leaves nothing to train on or nothing to judge by")
    if kind == "random" and not amount.endswith("%"):
        raise ValueError("a random holdout is a share: `random 20%`")
    if not amount.endswith("%"):
        parse_duration(amount)
    return rule


def _known_encoding(name: str) -> str:
    """A name that Python knows."""
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError(f"{name!r} is no encoding such as utf-8, cp1252, latin-1 or utf-16-le") from None
    return name


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION}$"}),
]
Share = Annotated[float, BeforeValidator(_parse_percent, json_schema_input_type=float | str), Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", description="module:function")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
Window = Annotated[str, Field(pattern=r"^[1-9]\d{0,3}(m|h|d|w|mo)$", description="1h, 1d, 1w, 1mo")]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda v: (v,) if isinstance(v, str) else v, json_schema_input_type=str | list[str]),
]


Delimiter = Annotated[str, Field(pattern=r"^[^\r\n\"]$", description="one character")]
Encoding = Annotated[str, AfterValidator(_known_encoding)]


class Section(BaseModel):
    """A part of the project file.

    Validators are built on first use, and defaults are made by factories for the same reason: importing
    this module costs a third of what it would.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True, allow_inf_nan=False
    )
