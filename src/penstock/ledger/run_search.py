"""Runs that fit a condition, found by the indexes: a page of 100,000 runs is a few milliseconds.

A condition is a tree of `Comparison`s under `All`, `AnyOf` and `Not`. A comparison of a metric, parameter or tag
holds for the runs that have it and where it is true; a metric that is not a number compares with nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, NamedTuple

from penstock.errors import UsageError
from penstock.ledger.ledger import Reader
from penstock.ledger.records import Run, node
from penstock.ledger.statements import Statement, Values, quote
from penstock.ledger.tables import table_of
from penstock.ledger.values import decode, encode

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "like", "in")
_DURATION = "duration of r"  # seconds; the databases have no common word for it
FIELDS = {
    "number": "number", "id": "id", "status": "status", "kind": "kind", "name": "name", "experiment": "experiment",
    "function": "function", "seed": "seed", "code": "code", "commit": "git_commit", "bundle": "bundle",
    "started": "started_at", "finished": "finished_at", "duration": _DURATION,
}  # fmt: skip

Value = str | float | datetime


class Comparison(NamedTuple):
    """`metrics.roc_auc > 0.7` is Comparison("metrics", "roc_auc", ">", 0.7); `status = 'failed'` has "" for a place.

    place     metrics (the newest value) | min | max (of all values) | params | tags | data (a commit's beginning) | ""
    operator  one of OPERATORS; for `in` the value is a tuple
    """

    place: str
    name: str
    operator: str
    value: Value | tuple[Value, ...]


@dataclass(frozen=True)
class All:
    """Every part holds; without parts, always."""

    parts: "tuple[Condition, ...]" = ()


@dataclass(frozen=True)
class AnyOf:
    """One part holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Condition = Comparison | All | AnyOf | Not


class Sort(NamedTuple):
    """The order of runs: by a field (`place` ""), a metric, a parameter or a tag; runs without it are left out.

    So are runs whose metric is not a number.
    """

    place: str = ""
    name: str = "number"
    falling: bool = True


NEWEST = Sort()


def find_runs(
    reader: Reader, condition: Condition = All(), *, sort: Sort = NEWEST, limit: int | None = None, offset: int = 0
) -> list[Run]:
    """The runs that fit, in order. UsageError for a field that runs do not have."""
    table = table_of(Run)
    where, values = _where(condition)
    source, order, sorted_by = _sorted(sort)
    names = ", ".join(f"r.{quote(column.name)}" for column in table.columns)
    text = f"SELECT {names} FROM {source} WHERE {where} ORDER BY {order}, r.number DESC"
    page: Values = [] if limit is None else [limit, offset]
    return decode(table, _rows(reader, text + (" LIMIT ? OFFSET ?" if page else ""), [*sorted_by, *values, *page]))


def count_runs(reader: Reader, condition: Condition = All()) -> int:
    """How many runs fit."""
    where, values = _where(condition)
    ((number,),) = _rows(reader, f"SELECT count(*) FROM runs r WHERE {where}", values)
    return int(number)


def _rows(reader: Reader, text: str, values: Values) -> list[tuple[Any, ...]]:
    duration = reader.session.seconds.format(start="r.started_at", end="r.finished_at")
    return reader.session.rows(text.replace(_DURATION, duration), values)


def _where(condition: Condition) -> Statement:
    match condition:
        case Comparison(place=place):
            if place not in _PLACES:
                raise UsageError.unknown("kind of field", place, [name for name in _PLACES if name])
            return _PLACES[place](condition)
        case Not(part):
            text, values = _where(part)
            return f"NOT ({text})", values
        case All(parts):
            return _joined(parts, "AND", "1 = 1")
        case AnyOf(parts):
            return _joined(parts, "OR", "1 = 0")


def _joined(parts: Sequence[Condition], word: str, empty: str) -> Statement:
    compiled = [_where(part) for part in parts]
    text = f" {word} ".join(f"({text})" for text, _ in compiled)
    return text or empty, [value for _, values in compiled for value in values]


def _sorted(sort: Sort) -> tuple[str, str, Values]:
    """What is read, in which order, and the values of the former."""
    direction = "DESC" if sort.falling else "ASC"
    if sort.place == "":
        return "runs r", f"{_expression(_field(sort.name))} {direction} NULLS LAST", []
    if sort.place not in _SORTED:
        raise UsageError.unknown("kind of field to sort by", sort.place, _SORTED)
    table, *columns = _SORTED[sort.place]
    # The table is walked in the order of its index, so a page ends the walk. NaN is above every number there: it
    # would come first where the largest is asked for.
    source = f"{table} s JOIN runs r ON s.run = r.id AND s.name = ?"
    values: Values = [sort.name]
    if table == "metrics":
        source, values = f"{source} AND s.{columns[0]} <= ?", [sort.name, inf]
    return source, ", ".join(f"s.{column} {direction} NULLS LAST" for column in columns), values


_SORTED = {
    "metrics": ("metrics", "value"),
    "min": ("metrics", "low"),
    "max": ("metrics", "high"),
    "params": ("params", "number", "value"),
    "tags": ("tags", "value"),
}


def _of_run(test: Comparison) -> Statement:
    name = _field(test.name)
    if name == _DURATION:
        return _compare(_DURATION, _numeric(test))
    column = table_of(Run).column(name)
    text, values = _compare(_expression(name), test)
    return text, [encode(column, value) for value in values]


def _expression(name: str) -> str:
    return name if name == _DURATION else f"r.{quote(name)}"


def _field(name: str) -> str:
    if name not in FIELDS:
        raise UsageError.unknown("field of a run", name, FIELDS)
    return FIELDS[name]


def _metric(column: str) -> Callable[[Comparison], Statement]:
    def compiled(test: Comparison) -> Statement:
        text, values = _compare(column, _numeric(test))
        # Both databases hold NaN to be above every number.
        return f"r.id IN (SELECT run FROM metrics WHERE name = ? AND {text} AND {column} <= ?)", [
            test.name,
            *values,
            inf,
        ]

    return compiled


def _numeric(test: Comparison) -> Comparison:
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    if test.operator == "like" or not all(isinstance(value, int | float) for value in values):
        what = f"{test.place}.{test.name} is compared with {test.value!r}".removeprefix(".")
        raise UsageError(what, expected="a number, and one of =, !=, <, <=, >, >=, in")
    return test


def _param(test: Comparison) -> Statement:
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    numbers = all(isinstance(value, int | float) for value in values)
    return _named("params", "number" if numbers else "value", test)


def _tag(test: Comparison) -> Statement:
    return _named("tags", "value", _as_text(test))


def _as_text(test: Comparison) -> Comparison:
    if isinstance(test.value, tuple):
        return test._replace(value=tuple(str(value) for value in test.value))
    return test._replace(value=str(test.value))


def _named(table: str, column: str, test: Comparison) -> Statement:
    text, values = _compare(column, test)
    return f"r.id IN (SELECT run FROM {table} WHERE name = ? AND {text})", [test.name, *values]


def _data(test: Comparison) -> Statement:
    if test.operator not in ("=", "!=") or not isinstance(test.value, str):
        what = f"data.{test.name} {test.operator} {test.value!r}"
        raise UsageError(what, expected=f"data.{test.name} = 'the beginning of a commit', or !=")
    first = node("data", test.value)
    fits = "(SELECT target FROM edges WHERE source >= ? AND source < ? AND role = ?)"
    word = "IN" if test.operator == "=" else "NOT IN"
    return f"'run:' || r.id {word} {fits}", [first, f"{first}\U0010ffff", test.name]


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


_PLACES: Mapping[str, Callable[[Comparison], Statement]] = {
    "": _of_run,
    "metrics": _metric("value"),
    "min": _metric("low"),
    "max": _metric("high"),
    "params": _param,
    "tags": _tag,
    "data": _data,
}


def values_of(reader: Reader, record: type[Any], runs: Sequence[Run]) -> Mapping[str, list[Any]]:
    """The params, tags or metrics of a page of runs: run -> records, by name."""
    found: dict[str, list[Any]] = {run.id: [] for run in runs}
    for each in reader.find(record, run=list(found), order_by="name"):
        found[each.run].append(each)
    return found
