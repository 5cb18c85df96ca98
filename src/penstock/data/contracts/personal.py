"""Columns that look like personal data, for drafts: by what their values are, or by a name that says it plainly.

Conservative: what is marked and should not be loses nothing but its place in messages. Only identifiers are
recognised; what is sensitive (a diagnosis, a salary) nobody can tell from its looks.
"""

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from penstock.data.contracts.contract import MASK, Column, Contract

MOST = 0.95  # of the values
MANY = 12  # fewer different texts than this, in many rows, are categories and name nobody
SMALLEST_NUMBER = 1_000_000  # that may be a telephone number

VALUES = {
    "e-mail addresses": r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$",
    "telephone numbers": r"^(\+|00)[1-9][\d\s()./-]{6,18}\d$",
}
PHONE = r"(tele)?phone|mobile|fax"
NAMES = (
    ("direct_identifier", r"e_?mail(_address)?"),
    ("direct_identifier", r"(first|last|given|family|full|maiden|middle|sur|fore)_?name"),
    ("direct_identifier", rf"({PHONE})(_?(number|no|nr))?"),
    ("direct_identifier", r"(passport|ssn|iban|social_security|credit_?card)(_?(number|no|nr))?"),
    ("quasi_identifier", r"dob|birth_?day|birth_?date|date_of_birth"),
    ("quasi_identifier", r"zip(_?code)?|post(al)?_?code|street(_address)?"),
)


def masked(rows: pl.LazyFrame, contract: Contract) -> pl.LazyFrame:
    """Rows, their columns texts, as they may be shown: personal values read `***`."""
    there = set(rows.collect_schema())  # rows may be from before the contract knew a column
    personal = [name for name, column in contract.columns.items() if column.pii and name in there]
    return rows.with_columns(pl.when(pl.col(name).is_not_null()).then(pl.lit(MASK)).alias(name) for name in personal)


def signs(value: pl.Expr) -> dict[str, pl.Expr]:
    """What to count in a column of texts: how many of its values look like each kind."""
    return {f"looks:{kind}": value.str.strip_chars().str.contains(pattern).sum() for kind, pattern in VALUES.items()}


def recognised(name: str, column: Column, facts: Mapping[str, Any], rows: int) -> tuple[str, str] | None:
    """The class of personal data that a column seems to hold, and why; None when it does not."""
    values = rows - facts["missing"]
    for kind in VALUES:
        if values and facts.get(f"looks:{kind}", 0) >= MOST * values:
            return "direct_identifier", f"its values look like {kind}"
    if _may_identify(column, facts, rows):
        plain = re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).strip("_").lower()
        for pii, pattern in NAMES:
            if re.search(rf"(^|_)({pattern})$", plain):
                return pii, "its name says so"
    return None


def _may_identify(column: Column, facts: Mapping[str, Any], rows: int) -> bool:
    if column.type == "String":
        return bool(facts["distinct"] > MANY or rows < 100)
    if column.type == "Int64":
        return facts["low"] is not None and bool(facts["low"] >= SMALLEST_NUMBER)
    return column.type.startswith("Date")
