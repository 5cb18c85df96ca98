"""From journals to the ledger: each entry once, whoever delivers it and however often.

How far a journal is delivered is a cursor in the ledger that moves in the same transaction as the records, so
neither a crash nor a second process delivers anything twice. When a run has ended and everything is delivered, its
directory is removed, and the cursors after it: a file without a cursor is one of which nothing was delivered.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.ledger import Artifact, Cursor, Ledger, Point, Run, Tag, Transaction, add_points, node, utc_now
from penstock.train.params import param_of
from penstock.train.tracking.journal import (
    SUFFIX,
    Context,
    Ended,
    Entry,
    File,
    Params,
    Started,
    Tags,
    Used,
    Values,
    read_journal,
)

_LINKED = {"code": "code", "environment": "environment"}  # fields of a run that are nodes of the lineage


def journals(place: Path) -> list[Path]:
    """The journals in the directory of a run, in the order in which they were begun."""
    return sorted(place.glob(f"*{SUFFIX}"))


def deliver(ledger: Ledger, place: Path) -> None:
    """Deliver what the journals in `place`, the directory of a run, hold beyond their cursors.

    Nothing of a run that the ledger does not know and no journal has started.
    """
    for path in journals(place):
        while _deliver_some(ledger, path):
            pass


def deliver_pending(ledger: Ledger, run: str, entries: Sequence[Entry]) -> None:
    """Deliver entries that no disk took: they are in no journal, so this is done once."""
    if entries:
        with ledger.write() as transaction:
            _apply(transaction, run, entries)


def remove(ledger: Ledger, place: Path) -> None:
    """Remove the directory of a run that has ended and is delivered, then the cursors of its journals."""
    names = [_cursor_name(path) for path in journals(place)]
    shutil.rmtree(place, ignore_errors=True)
    if not names:
        return
    with ledger.read() as reader:
        known = reader.find(Cursor, name=names)
    if known:
        with ledger.write() as transaction:
            transaction.remove(Cursor, name=names)


def points_in(entries: Iterable[Entry]) -> Iterator[Point]:
    """The values of metrics among some entries."""
    for entry in entries:
        if isinstance(entry, Values):
            yield from (Point(*each) for each in entry.points)


def _cursor_name(path: Path) -> str:
    return f"run.{path.parent.name}.{path.stem}"


def _deliver_some(ledger: Ledger, path: Path) -> bool:
    """Deliver one stretch of a journal, if there is one; whether there may be more."""
    name = _cursor_name(path)
    with ledger.read() as reader:
        before = reader.get(Cursor, name=name)
    start = int(before.position["at"]) if before else 0
    entries, end = read_journal(path, start)
    if not entries:
        return False
    run = path.parent.name
    with ledger.write() as transaction:
        if transaction.get(Cursor, name=name) != before:
            return True  # another process has delivered some of it meanwhile
        if not before and not path.exists():
            return False  # ... all of it
        known = transaction.get(Run, id=run) is not None
        starts = isinstance(entries[0], Started)
        if known == (starts and not before):
            return False  # a run that was delivered whole, or one that is still to be started by another journal
        _apply(transaction, run, entries)
        if not (starts and isinstance(entries[-1], Ended)):  # of a run that is whole in one transaction, itself
            transaction.put(Cursor(name, {"at": end}, utc_now()))
    return True


def _apply(transaction: Transaction, run: str, entries: Sequence[Entry]) -> None:
    if isinstance(entries[0], Started):
        _start(transaction, entries[0].run)
    add_points(transaction, run, points_in(entries))
    changes: dict[str, Any] = {}
    params: dict[str, Any] = {}
    data: dict[str, str] = {}
    for entry in entries:
        match entry:
            case Params(more):
                params |= more
            case Tags(tags):
                transaction.put(*(Tag(run, name, value) for name, value in tags.items()))
            case File(name, digest, size):
                transaction.put(Artifact(run, name, digest, size))
            case Used(dataset, commit):
                data[dataset] = commit
                transaction.link(node("data", commit), node("run", run), dataset)
            case Context(fields):
                changes |= fields
            case Ended(status, at, error, log):
                changes |= {"status": status, "finished_at": at, "error": error, "log": log}
    transaction.put(*(param_of(run, name, value) for name, value in params.items()))
    _change(transaction, run, changes, {"params": params, "data": data})


def _start(transaction: Transaction, fields: Mapping[str, Any]) -> None:
    last = transaction.find(Run, order_by="-number", limit=1)
    started = Run(**{**fields, "number": last[0].number + 1 if last else 1})
    transaction.add(started)
    transaction.put(*(param_of(started.id, name, value) for name, value in started.params.items()))


def _change(transaction: Transaction, run: str, changes: dict[str, Any], more: Mapping[str, Mapping[str, Any]]) -> None:
    """New values of the run's fields, and more keys of its documents."""
    known = transaction.get(Run, id=run)
    if known:
        changes |= {field: {**getattr(known, field), **keys} for field, keys in more.items() if keys}
    if changes:
        transaction.change(Run, {"id": run}, **changes)
    for field, kind in _LINKED.items():
        if changes.get(field):
            transaction.link(node(kind, changes[field]), node("run", run), field)
