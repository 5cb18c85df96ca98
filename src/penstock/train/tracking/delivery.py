"""From journals to the ledger: each entry once, whoever delivers it and however often.

How far a journal is delivered is a cursor in the ledger that moves in the same transaction as the records, so
neither a crash nor a second process delivers anything twice. When a run has ended and everything is delivered, its
journals are removed, and their cursors after them: a file without a cursor is one of which nothing was delivered.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.ledger import Artifact, Cursor, Ledger, Point, Run, Tag, Transaction, add_points, node, utc_now
from penstock.train.params import param_of
from penstock.train.process import is_gone
from penstock.train.tracking.journal import (
    SUFFIX,
    Attached,
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


def written(place: Path) -> int:
    """How many bytes of journals there are in `place`."""
    return sum(map(_size, journals(place)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # whoever wrote it has delivered it whole
        return 0


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
    """Remove the directory of a training that has ended and is delivered, then the cursors of its journals."""
    names = [_cursor_name(path) for path in journals(place)]
    shutil.rmtree(place, ignore_errors=True)
    if names:
        with ledger.read() as reader:
            cursors = reader.find(Cursor, name=names)
        _forget(ledger, cursors)


def settle(ledger: Ledger, place: Path, mine: Path | None = None) -> None:
    """Deliver, and remove the journals that nobody writes any more, `mine` among them; the last takes all with it."""
    # Who is gone is asked first: what a process that ends after that has written is for the next time.
    over = [path for path in journals(place) if path == mine or _is_left(path)]
    deliver(ledger, place)
    names = [_cursor_name(path) for path in over]
    with ledger.read() as reader:
        known = reader.get(Run, id=place.name)
        cursors = reader.find(Cursor, name=names)
    if known is None:
        return  # the process that starts it has delivered nothing yet
    for path in over:
        path.unlink(missing_ok=True)
    if not journals(place):
        shutil.rmtree(place, ignore_errors=True)
    _forget(ledger, cursors)


def deliver_left(ledger: Ledger, home: Path) -> tuple[Path, ...]:
    """Deliver the tracked runs of processes that are gone; their directories."""
    places = sorted({path.parent for path in (home / "runs").glob(f"*/*{SUFFIX}")})
    left = tuple(place for place in places if all(map(_is_left, journals(place))))
    for place in left:
        deliver(ledger, place)
    return left


def _is_left(path: Path) -> bool:
    """Whether the process that wrote the journal of a tracked run is gone."""
    first = next(iter(read_journal(path)[0]), None)
    if isinstance(first, Started):
        return is_gone(first.run["pid"], first.run["host"])
    return isinstance(first, Attached) and is_gone(first.pid, first.host)


def _forget(ledger: Ledger, cursors: Sequence[Cursor]) -> None:
    if cursors:
        with ledger.write() as transaction:
            transaction.remove(Cursor, name=[cursor.name for cursor in cursors])


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
    return end < _size(path)


def _apply(transaction: Transaction, run: str, entries: Sequence[Entry]) -> None:
    changes: dict[str, Any] = {}
    params: dict[str, Any] = {}
    data: dict[str, str] = {}
    tags: dict[str, str] = {}
    files: dict[str, File] = {}
    for entry in entries:
        match entry:
            case Params(more):
                params |= more
            case Tags(more):
                tags |= more
            case File(name):
                files[name] = entry
            case Used(dataset, commit):
                data[dataset] = commit
            case Context(fields):
                changes |= fields
            case Ended(status, at, error, log):
                changes |= {"status": status, "finished_at": at, "error": error, "log": log}
    first = entries[0]
    params = _record(transaction, run, first.run if isinstance(first, Started) else None, changes, params, data)
    add_points(transaction, run, points_in(entries))
    transaction.put(
        *(param_of(run, name, value) for name, value in params.items()),
        *(Tag(run, name, value) for name, value in tags.items()),
        *(Artifact(run, name, file.digest, file.bytes) for name, file in files.items()),
    )


def _record(
    transaction: Transaction,
    run: str,
    started: Mapping[str, Any] | None,
    changes: dict[str, Any],
    params: dict[str, Any],
    data: dict[str, str],
) -> dict[str, Any]:
    """Add or change the run's record, and link it to what it was made from; the parameters that are new."""
    known = started or _document(transaction, run)
    changes |= {name: {**known[name], **more} for name, more in (("params", params), ("data", data)) if more}
    if started:
        last = transaction.find(Run, order_by="-number", limit=1)
        transaction.add(Run(**{**started, **changes, "number": last[0].number + 1 if last else 1}))
        changes, params = {**started, **changes}, {**started["params"], **params}
    elif changes:
        transaction.change(Run, {"id": run}, **changes)
    here = node("run", run)
    for field, kind in _LINKED.items():
        if changes.get(field):
            transaction.link(node(kind, changes[field]), here, field)
    for dataset, commit in data.items():
        transaction.link(node("data", commit), here, dataset)
    return params


def _document(transaction: Transaction, run: str) -> Mapping[str, Any]:
    known = transaction.get(Run, id=run)
    return known._asdict() if known else {"params": {}, "data": {}}
