"""Parameters as they are searched: text, and a number where it reads like one."""

import json
import re
from typing import Any

from penstock.ledger import Param

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def param_of(run: str, name: str, value: Any) -> Param:
    """A parameter as text, JSON where it is no text, and as a number where it reads like one."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return Param(run, name, text, number_of(text))


def number_of(text: str) -> float | None:
    """The number that a text is, None for any other text.

    >>> number_of("1e-3"), number_of("007")
    (0.001, None)
    """
    return float(text) if _NUMBER.fullmatch(text) else None
