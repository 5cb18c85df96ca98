"""Runs that fit a condition, found by the indexes: a page of 100,000 runs takes milliseconds.

There are two ways, and neither database chooses well between them without statistics. Where a part of the condition
fits few runs, an index gives those and the rest is asked of each (`entry`). Where every part fits many, runs are
walked in the order asked for until the page is full.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from penstock.ledger.ledger import Reader
from penstock.ledger.records import Run
from penstock.ledger.run_conditions import DURATION, NEWEST, All, Condition, Sort
from penstock.ledger.run_statements import ARRIVAL, HIDDEN, Entry, Order, Part, entries, order_of, where_of
from penstock.ledger.statements import Values, quote
from penstock.ledger.tables import table_of
from penstock.ledger.values import decode

EVERY = All()
AT_ONCE = 1_000  # runs named in one statement
FEW = 2_000  # runs: so many are fetched and sorted in the time that a walk takes to find a rare one


def find_runs(
    reader: Reader,
    condition: Condition = EVERY,
    *,
    sort: Sort = NEWEST,
    then: Sequence[Sort] = (),
    limit: int | None = None,
    offset: int = 0,
) -> list[Run]:
    """The runs that fit, in order; `then` sorts those that are equal so far, and leaves none out.

    UsageError for a field that runs do not have.
    """
    table = table_of(Run)
    order = order_of(sort, numeric=_has_numbers(reader, sort), then=then)
    where = where_of(condition, order.walked)
    source = _source(order, _fewest(reader, condition))
    names = ", ".join(f"r.{quote(column.name)}" for column in table.columns)
    text = f"SELECT {names} FROM {source.text} AND {where.text} ORDER BY {order.by}"
    page: Values = [] if limit is None else [limit, offset]
    values = [*source.values, *where.values, *(order.after or []), *page]
    return decode(table, _rows(reader, text + (" LIMIT ? OFFSET ?" if page else ""), values))


def count_runs(reader: Reader, condition: Condition = EVERY) -> int:
    """How many runs fit."""
    where = where_of(condition)
    ((number,),) = _rows(reader, f"SELECT count(*) FROM runs r WHERE {where.text}", where.values)
    return int(number)


def values_of(reader: Reader, record: type[Any], runs: Sequence[Run], **equals: Any) -> Mapping[str, list[Any]]:
    """The params, tags or metrics of runs, or those whose fields equal these: run -> records, by name."""
    found: dict[str, list[Any]] = {run.id: [] for run in runs}
    rest = iter(found)
    while some := list(islice(rest, AT_ONCE)):
        for each in reader.find(record, run=some, order_by="name", **equals):
            found[each.run].append(each)
    return found


def _source(order: Order, entry: Entry | None) -> Part:
    """Tables joined one by one, in this order: CROSS JOIN keeps SQLite to it."""
    sorted_by, values = [f"{order.walked[0]} s"] if order.walked else [], order.values or []
    if entry is None:
        return Part(f"{' CROSS JOIN '.join([*sorted_by, 'runs r'])} WHERE {order.joined}", values)
    tables = " CROSS JOIN ".join([f"(SELECT {entry.id} AS id FROM {entry.source}) e", "runs r", *sorted_by])
    return Part(f"{tables} WHERE r.id = e.id AND {order.joined}", [*entry.values, *values])


def _fewest(reader: Reader, condition: Condition) -> Entry | None:
    """The part of a condition that fits the fewest runs, if those are few."""
    counted = [(_count(reader, entry), entry) for entry in entries(condition)]
    number, fewest = min(counted, key=lambda each: each[0], default=(FEW, None))
    return fewest if number < FEW else None


def _count(reader: Reader, entry: Entry) -> int:
    text = f"SELECT count(*) FROM (SELECT 1 FROM {entry.source} LIMIT ?) e"
    ((number,),) = reader.session.rows(text, [*entry.values, FEW])
    return int(number)


def _has_numbers(reader: Reader, sort: Sort) -> bool:
    text = "SELECT 1 FROM params WHERE name = ? AND number IS NOT NULL LIMIT 1"
    return sort.place == "params" and bool(reader.session.rows(text, [sort.name]))


def _rows(reader: Reader, text: str, values: Values) -> list[tuple[Any, ...]]:
    session = reader.session
    words = {DURATION: session.seconds.format(start="r.started_at", end="r.finished_at")}
    words |= {HIDDEN: session.hidden, ARRIVAL: session.arrival}
    for word, meant in words.items():
        text = text.replace(word, meant)
    return session.rows(text, values)
