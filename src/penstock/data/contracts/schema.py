"""Columns against a contract, before anything is cast."""

from collections.abc import Mapping

import polars as pl

from penstock.data.contracts.contract import Column, Contract
from penstock.data.contracts.dtypes import dtype_of, logical, relation, type_name
from penstock.data.contracts.text import parsed, present
from penstock.data.reserved import RESERVED

HEAD = 1_000  # rows that tell whether a text column changed its type

Change = dict[str, object]


def schema_changes(contract: Contract, schema: Mapping[str, pl.DataType], *, text: bool) -> list[Change]:
    """A row per column that is missing, new or of another type. Texts have no type yet: see `head_changes`."""
    changes: list[Change] = []
    for name, column in contract.columns.items():
        if name not in schema:
            changes.append(_change(name, "missing", column.type, "nothing"))
        elif not text and not _fits(schema[name], column):
            found = type_name(schema[name])
            changes.append(_change(name, relation(column.type, found), column.type, found))
    beyond = (
        () if contract.allow_new else (name for name in schema if name not in contract.columns and name not in RESERVED)
    )
    return changes + [_change(name, "added", "nothing", "text" if text else type_name(schema[name])) for name in beyond]


def head_changes(contract: Contract, head: pl.DataFrame) -> list[Change]:
    """Text columns of which more than half of the first rows' values do not parse: their type changed."""
    changes: list[Change] = []
    for name, column in contract.columns.items():
        counted = head.select(
            there=present(pl.col(name), column).is_not_null().sum(),
            parsed=parsed(pl.col(name), column).is_not_null().sum(),
        )
        there, good = counted.row(0)
        if good < there - good:
            example = head.filter(
                parsed(pl.col(name), column).is_null() & present(pl.col(name), column).is_not_null()
            ).item(0, name)
            shown = contract.shown(name, repr(example[:40]))
            changes.append(_change(name, "type changed", _as_written(column), f"text such as {shown}"))
    return changes


def _as_written(column: Column) -> str:
    """The type, and how its values are written where that is not as programs write them: 70.5 is none with commas."""
    said = [f"{name} {value!r}" for name, value in (("decimal", column.decimal), ("format", column.format)) if value]
    return f"{column.type} ({', '.join(said)})" if said else column.type


def _change(column: str, change: str, contract: str, found: str) -> Change:
    return {"column": column, "change": change, "contract": contract, "found": found}


def _fits(dtype: pl.DataType, column: Column) -> bool:
    # a column without any value has no type of its own
    return isinstance(dtype, pl.Null) or logical(dtype) == logical(dtype_of(column.type))
