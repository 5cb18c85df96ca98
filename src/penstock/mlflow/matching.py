"""Filters over things that are few enough to be looked at one by one: experiments, models, versions."""

import operator
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from penstock.mlflow.errors import invalid
from penstock.mlflow.grammar import Clause, Order, parse_filter, parse_order

T = TypeVar("T")
Fields = Callable[[T, str, str], Any]  # the value of a thing's field, by place and name; None when it has none

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "IN": lambda value, choices: value in choices, "NOT IN": lambda value, choices: value not in choices,
    "LIKE": lambda value, pattern: like(pattern).fullmatch(value) is not None,
    "ILIKE": lambda value, pattern: like(pattern, re.IGNORECASE).fullmatch(value) is not None,
}  # fmt: skip


def like(pattern: str, flags: int = 0) -> "re.Pattern[str]":
    """SQL's LIKE as a regular expression."""
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(mark, re.escape(mark)) for mark in str(pattern)), re.DOTALL | flags)


def select(things: Sequence[T], fields: Fields[T], text: str, order: Sequence[str]) -> list[T]:
    """The things that fit a filter, in the order asked for; what lacks a field comes last."""
    clauses = parse_filter(text)
    found = [thing for thing in things if all(_fits(fields(thing, c.place, c.name), c) for c in clauses)]
    for key in reversed([parse_order(one) for one in order]):
        found = _sorted(found, fields, key)
    return found


def _fits(value: Any, clause: Clause) -> bool:
    if clause.operator in ("IS NULL", "IS NOT NULL"):
        return (value is None) == (clause.operator == "IS NULL")
    if value is None:
        return False
    try:
        return _COMPARE[clause.operator](value, clause.value)
    except TypeError:
        raise invalid(f"{clause.name!r} is compared with {clause.value!r}", expected=type(value).__name__) from None


def _sorted(things: list[T], fields: Fields[T], key: Order) -> list[T]:
    values = [(thing, fields(thing, key.place, key.name)) for thing in things]
    known = [pair for pair in values if pair[1] is not None]
    known.sort(key=lambda pair: pair[1], reverse=key.falling)
    return [thing for thing, _ in known] + [thing for thing, value in values if value is None]


def page(things: Sequence[T], token: str, size: int) -> tuple[Sequence[T], str]:
    """A page of things, and the token of the next one."""
    start = offset(token)
    rest = start + size
    return things[start:rest], token_of(rest) if rest < len(things) else ""


def token_of(offset: int) -> str:
    """What a client hands back to go on at `offset`."""
    return urlsafe_b64encode(str(offset).encode()).decode()


def offset(token: str) -> int:
    """Where a client goes on. ProtocolError when it made the token up."""
    if not token:
        return 0
    try:
        return max(0, int(urlsafe_b64decode(token.encode())))
    except ValueError:
        raise invalid(f"{token!r} is no page token", expected="the one of the page before") from None
