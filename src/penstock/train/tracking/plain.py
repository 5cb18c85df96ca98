"""What users log, as what a journal and a ledger can hold."""

import math
from collections.abc import Mapping
from typing import Any

from penstock.errors import UsageError

_WHOLE = 2**63  # whole numbers of a journal end there


def plain(value: Any) -> Any:
    """A value as JSON: numbers and texts as they are, an array or a tensor of one element as its number.

    What JSON has no word for (NaN, an object) becomes its text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return value if -_WHOLE <= value < _WHOLE else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {text(str(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    single = getattr(value, "item", None)
    if callable(single) and getattr(value, "size", None) == 1:
        return plain(single())
    return text(str(value))


def text(value: str) -> str:
    """Text that UTF-8 can write: a lone surrogate becomes a question mark."""
    return value if value.isascii() else value.encode(errors="replace").decode()


def named(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under checked names. UsageError for what cannot be a name."""
    for name in values:
        if not isinstance(name, str) or not name.strip():
            raise UsageError(f"{name!r} cannot be the name of a {kind}", expected="a text that is not empty")
    return {text(name): value for name, value in values.items()}
