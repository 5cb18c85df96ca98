"""The SQL that the ledger speaks: text and values, made from a table and equalities.

It is the part of SQL that SQLite and PostgreSQL agree on. `?` stands for a value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.ledger.tables import Table
from penstock.ledger.values import encode

Values = list[Any]
Statement = tuple[str, Values]


def select(table: Table, equals: Mapping[str, Any], order_by: str = "", limit: int | None = None) -> Statement:
    """Rows that fit, in the order asked for and then by key, so the order is always the same."""
    where, values = _where(table, equals)
    text = f"{_select(table)}{where}{_order(table, order_by)}"
    return (text, values) if limit is None else (f"{text} LIMIT ?", [*values, limit])


def count(table: Table, equals: Mapping[str, Any]) -> Statement:
    """How many rows fit."""
    where, values = _where(table, equals)
    return f"SELECT count(*) FROM {quote(table.name)}{where}", values


def starting(table: Table, column: str, prefix: str, limit: int) -> Statement:
    """Rows whose text begins with `prefix`; a range, so that the index is used."""
    name, first = quote(column), encode(table.column(column), prefix)
    text = f"{_select(table)} WHERE {name} >= ? AND {name} < ? ORDER BY {name} LIMIT ?"
    return text, [first, f"{first}\U0010ffff", limit]


def insert(table: Table) -> str:
    """One row; the values are `row(table, record)`."""
    marks = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {quote(table.name)} ({_names(table)}) VALUES ({marks})"


def row(table: Table, record: Any) -> Values:
    """A record's values, in the order of the columns."""
    return [encode(column, getattr(record, column.name)) for column in table.columns]


def key_of(table: Table, record: Any) -> dict[str, Any]:
    """The fields that name a record."""
    return {name: getattr(record, name) for name in table.key}


def update(table: Table, equals: Mapping[str, Any], values: Mapping[str, Any]) -> Statement:
    """New values for the rows that fit."""
    where, bound = _where(table, equals)
    assignments = ", ".join(f"{quote(name)} = ?" for name in values)
    new = [encode(table.column(name), value) for name, value in values.items()]
    return f"UPDATE {quote(table.name)} SET {assignments}{where}", [*new, *bound]


def delete(table: Table, equals: Mapping[str, Any]) -> Statement:
    """The rows that fit, gone."""
    where, values = _where(table, equals)
    return f"DELETE FROM {quote(table.name)}{where}", values


def quote(name: str) -> str:
    """`commit` is a word of SQL; `"commit"` is a name."""
    return f'"{name}"'


def _names(table: Table) -> str:
    return ", ".join(quote(column.name) for column in table.columns)


def _select(table: Table) -> str:
    return f"SELECT {_names(table)} FROM {quote(table.name)}"


def _where(table: Table, equals: Mapping[str, Any]) -> Statement:
    conditions: list[str] = []
    bound: Values = []
    for name, value in equals.items():
        text, values = _condition(table, name, value)
        conditions.append(text)
        bound += values
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), bound


def _condition(table: Table, name: str, value: Any) -> Statement:
    column = table.column(name)
    if value is None:
        return f"{quote(name)} IS NULL", []
    if isinstance(value, list | tuple) and column.kind != "document":
        return _any_of(name, [encode(column, choice) for choice in value])
    return f"{quote(name)} = ?", [encode(column, value)]


def _any_of(name: str, choices: Sequence[Any]) -> Statement:
    return (f"{quote(name)} IN ({', '.join('?' * len(choices))})", list(choices)) if choices else ("1 = 0", [])


def _order(table: Table, order_by: str) -> str:
    name = order_by.removeprefix("-")
    # The databases disagree about where NULL sorts, so it is said.
    asked = [f"{quote(table.column(name).name)} {'DESC' if name != order_by else 'ASC'} NULLS LAST"] if name else []
    return " ORDER BY " + ", ".join([*asked, *(quote(key) for key in table.key if key != name)])
