"""Conditions on runs in SQL: what must hold of a run `r`, which runs an index finds, in which order they are walked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

from penstock.errors import UsageError
from penstock.ledger.records import Run, node
from penstock.ledger.run_conditions import (
    DURATION,
    FIELDS,
    OPERATORS,
    All,
    AnyOf,
    Comparison,
    Condition,
    Has,
    Not,
    Sort,
)
from penstock.ledger.statements import Statement, Values, quote
from penstock.ledger.tables import table_of
from penstock.ledger.values import encode


class Part(NamedTuple):
    """What must hold of a run `r`, and of the row `s` that it is walked by."""

    text: str
    values: Values


class Entry(NamedTuple):
    """Where an index finds the runs that fit: what their ids are read as, and what stands behind FROM."""

    id: str
    source: str
    values: Values


Walked = tuple[str, str] | None  # table and name of the rows `s` that runs are walked by: ("metrics", "roc_auc")


class Order(NamedTuple):
    """How runs are walked: by the rows `s` of a table or by themselves, and sorted by what."""

    by: str
    walked: Walked = None
    joined: str = "1 = 1"
    values: Values | None = None
    after: Values | None = None  # values in `by`


HIDDEN = "hidden "  # before a column that no index is to be used for
ARRIVAL = "arrival of s"  # the order in which the rows `s` came, which their indexes keep where it can be told
_INDEXED = ("number", "id", "status", "experiment", "started")
_COLUMNS = {"metrics": ("metrics", "value"), "min": ("metrics", "low"), "max": ("metrics", "high")}
_SORTED = {**_COLUMNS, "params": ("params", "value"), "tags": ("tags", "value")}
_HAVING = ("metrics", "params", "tags")
_RANGES = ("=", "<", "<=", ">", ">=", "in")  # what an index answers


# --- what must hold ------------------------------------------------------------------------------


def where_of(condition: Condition, walked: Walked = None) -> Part:
    """A condition as it is asked of one run. UsageError for a field that runs do not have."""
    match condition:
        case Comparison(place=place):
            return _place(place)(condition, walked)
        case Has(place, name):
            if place not in _HAVING:
                raise UsageError.unknown("kind of field", place, _HAVING)
            return Part(f"EXISTS (SELECT 1 FROM {place} t WHERE t.run = r.id AND t.name = ?)", [name])
        case Not(part):
            text, values = where_of(part, walked)
            return Part(f"NOT ({text})", values)
        case All(parts):
            return _joined([where_of(each, walked) for each in parts], "AND", "1 = 1")
        case AnyOf(parts):
            return _joined([where_of(each, walked) for each in parts], "OR", "1 = 0")


def _place(place: str) -> Callable[[Comparison, Walked], Part]:
    if place not in _PLACES:
        raise UsageError.unknown("kind of field", place, [name for name in _PLACES if name])
    return _PLACES[place]


def _joined(parts: list[Part], word: str, empty: str) -> Part:
    text = f" {word} ".join(f"({part.text})" for part in parts)
    return Part(f"({text})" if text else empty, [value for part in parts for value in part.values])


def _of_run(test: Comparison, walked: Walked) -> Part:
    name = _field(test.name)
    if name == DURATION:
        return Part(*_there(DURATION, _numeric(test)))
    column = table_of(Run).column(name)
    # Left to itself, SQLite would rather sort every finished run than walk them in order.
    text, values = (_there if column.optional else _compare)(_own(name), test)
    return Part(text, [encode(column, value) for value in values])


def _of_value(test: Comparison, walked: Walked) -> Part:
    table, column = _column(test)
    if (table, test.name) == walked:
        return Part(*_there(f"s.{column}", test))
    text, values = _compared(table, f"t.{column}", test)
    return Part(f"EXISTS (SELECT 1 FROM {table} t WHERE t.run = r.id AND t.name = ? AND {text})", [test.name, *values])


def _of_data(test: Comparison, walked: Walked) -> Part:
    first, last = _commits(test)
    there = "SELECT 1 FROM edges t WHERE t.target = 'run:' || r.id AND t.source >= ? AND t.source < ? AND t.role = ?"
    return Part(f"{'' if test.operator == '=' else 'NOT '}EXISTS ({there})", [first, last, test.name])


_PLACES: Mapping[str, Callable[[Comparison, Walked], Part]] = {
    "": _of_run,
    "metrics": _of_value,
    "min": _of_value,
    "max": _of_value,
    "params": _of_value,
    "tags": _of_value,
    "data": _of_data,
}


# --- which runs an index finds -------------------------------------------------------------------


def entries(condition: Condition) -> Iterator[Entry]:
    """Where to begin: every part that must hold and that an index answers."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from entries(part)
    elif isinstance(condition, Comparison) and condition.operator in _RANGES:
        yield from _entry(condition)


def _entry(test: Comparison) -> Iterator[Entry]:
    if test.place == "data":
        source = "edges WHERE source >= ? AND source < ? AND role = ?"
        yield Entry("DISTINCT substr(target, 5)", source, [*_commits(test), test.name])
    elif test.place == "" and test.name in _INDEXED:
        column = table_of(Run).column(FIELDS[test.name])
        text, values = _compare(quote(column.name), test)
        yield Entry("id", f"runs WHERE {text}", [encode(column, value) for value in values])
    elif test.place in ("metrics", "params", "tags"):
        table, column_name = _column(test)
        text, values = _compared(table, column_name, test)
        yield Entry("run", f"{table} WHERE name = ? AND {text}", [test.name, *values])


# --- in which order ------------------------------------------------------------------------------


def order_of(sort: Sort, *, numeric: bool, then: Sequence[Sort] = ()) -> Order:
    """How runs are walked in an order; `numeric` where a parameter is a number in some of them.

    `then` sorts runs that are equal so far, those without a value last.
    """
    direction = "DESC" if sort.falling else "ASC"
    further, after = _further(then)
    if sort.place == "":
        name = _field(sort.name)
        nulls = " NULLS LAST" if name == DURATION or table_of(Run).column(name).optional else ""
        return Order(
            f"{_own(name).removeprefix(HIDDEN)} {direction}{nulls},{further} r.number {direction}", after=after
        )
    if sort.place not in _SORTED:
        raise UsageError.unknown("kind of field to sort by", sort.place, _SORTED)
    table, column = _SORTED[sort.place]
    column = "number" if numeric else column
    # NaN is above every number in both databases: it would come first where the largest is asked for.
    bound = f" AND s.{column} <= ?" if table == "metrics" else f" AND s.{column} IS NOT NULL"
    values = [sort.name, inf] if table == "metrics" else [sort.name]
    by = f"s.{column} {direction},{further} {ARRIVAL} {direction}"
    return Order(by, (table, sort.name), f"s.run = r.id AND s.name = ?{bound}", values, after)


def _further(then: Sequence[Sort]) -> Statement:
    """Orders behind the first, each with a comma."""
    text = ""
    values: Values = []
    for sort in then:
        if sort.place == "":
            value = _own(_field(sort.name)).removeprefix(HIDDEN)
        elif sort.place in _SORTED:
            table, column = _SORTED[sort.place]
            real = f" AND {column} <= ?" if table == "metrics" else ""
            value = f"(SELECT {column} FROM {table} WHERE run = r.id AND name = ?{real})"
            values += [sort.name, inf] if real else [sort.name]
        else:
            raise UsageError.unknown("kind of field to sort by", sort.place, _SORTED)
        text += f" {value} {'DESC' if sort.falling else 'ASC'} NULLS LAST,"
    return text, values


# --- comparisons ---------------------------------------------------------------------------------


def _field(name: str) -> str:
    if name not in FIELDS:
        raise UsageError.unknown("field of a run", name, FIELDS)
    return FIELDS[name]


def _own(name: str) -> str:
    return name if name == DURATION else f"{HIDDEN}r.{quote(name)}"


def _column(test: Comparison) -> tuple[str, str]:
    """The table and the column that a comparison looks at."""
    if test.place in _COLUMNS:
        _numeric(test)
        return _COLUMNS[test.place]
    if test.place == "tags":
        return "tags", "value"
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    return "params", "number" if all(isinstance(value, int | float) for value in values) else "value"


def _compared(table: str, column: str, test: Comparison) -> Statement:
    text, values = _compare(column, _as_text(test) if table == "tags" else test)
    return (f"{text} AND {column} <= ?", [*values, inf]) if table == "metrics" else (text, values)


def _there(column: str, test: Comparison) -> Statement:
    """A comparison that is false, not unknown, where there is no value: `not` turns it around."""
    text, values = _compare(column, _as_text(test) if test.place == "tags" else test)
    return f"{column} IS NOT NULL AND {text}", values


def _numeric(test: Comparison) -> Comparison:
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    if test.operator == "like" or not all(isinstance(value, int | float) for value in values):
        what = f"{test.place}.{test.name} is compared with {test.value!r}".removeprefix(".")
        raise UsageError(what, expected="a number, and one of =, !=, <, <=, >, >=, in")
    return test


def _as_text(test: Comparison) -> Comparison:
    if isinstance(test.value, tuple):
        return test._replace(value=tuple(str(value) for value in test.value))
    return test._replace(value=str(test.value))


def _commits(test: Comparison) -> tuple[str, str]:
    """Between which nodes the commits lie that begin so."""
    if test.operator not in ("=", "!=") or not isinstance(test.value, str):
        what = f"data.{test.name} {test.operator} {test.value!r}"
        raise UsageError(what, expected=f"data.{test.name} = 'the beginning of a commit', or !=")
    first = node("data", test.value)
    return first, f"{first}\U0010ffff"


def _compare(column: str, test: Comparison) -> Statement:
    if test.operator not in OPERATORS:
        raise UsageError.unknown("comparison", test.operator, OPERATORS)
    if test.operator == "in":
        values = list(test.value) if isinstance(test.value, tuple) else [test.value]
        return f"{column} IN ({', '.join('?' * len(values))})", values
    if test.operator == "like":
        # SQLite's LIKE ignores the case of letters, PostgreSQL's does not.
        return f"lower({column}) LIKE lower(?) ESCAPE '\\'", [test.value]
    return f"{column} {'<>' if test.operator == '!=' else test.operator} ?", [test.value]
