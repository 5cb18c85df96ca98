"""The ledger: open it, read a snapshot of it, write a decision into it."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from penstock.errors import UsageError
from penstock.ledger import statements
from penstock.ledger.audit import Signing, next_entry, remember
from penstock.ledger.database import Database, Session
from penstock.ledger.records import AuditEntry, Edge, utc_now
from penstock.ledger.tables import Table, table_of
from penstock.ledger.url import open_database
from penstock.ledger.values import decode

R = TypeVar("R")


class Reader:
    """A consistent snapshot: what others commit while it is open is not seen.

    Belongs to its `with` block and to the thread that opened it.
    """

    def __init__(self, session: Session, signing: Signing | None) -> None:
        self._session: Session | None = session
        self.signing = signing

    @property
    def session(self) -> Session:
        """The open transaction, for the queries of this package."""
        if self._session is None:
            raise UsageError("this reader's block has ended", hint="open another one with ledger.read()")
        return self._session

    def now(self) -> datetime:
        """The time by the clock that every user of this ledger shares."""
        return self.session.now()

    def get(self, record: type[R], /, **key: Any) -> R | None:
        """The one record with these fields, or None. UsageError when they fit several."""
        found = self.find(record, limit=2, **key)
        if len(found) > 1:
            raise UsageError(f"more than one {record.__name__} has {key}", hint="give its whole key, or use find()")
        return found[0] if found else None

    def find(self, record: type[R], /, *, order_by: str = "", limit: int | None = None, **equals: Any) -> list[R]:
        """Every record whose fields equal these; a list means any of them, None means none.

        `order_by` is a field, with "-" in front for falling order; ties, and no order, go by key.
        """
        table = table_of(record)
        return decode(table, self.session.rows(*statements.select(table, equals, order_by, limit)))

    def count(self, record: type, /, **equals: Any) -> int:
        """How many records fit."""
        ((number,),) = self.session.rows(*statements.count(table_of(record), equals))
        return int(number)

    def distinct(self, record: type, column: str) -> list[Any]:
        """The values that a field has, each once, in order; an index that begins with it is read, and no row."""
        table = table_of(record)
        name = statements.quote(table.column(column).name)
        return [value for (value,) in self.session.rows(f'SELECT DISTINCT {name} FROM "{table.name}" ORDER BY {name}')]

    def starting(self, record: type[R], column: str, prefix: str, *, limit: int = 2) -> list[R]:
        """Records whose field begins with `prefix`: what a shortened digest or id may mean."""
        table = table_of(record)
        return decode(table, self.session.rows(*statements.starting(table, column, prefix, limit)))


class Transaction(Reader):
    """One decision: all of it is written when the block ends, none of it when the block raises.

    Writers take turns, so what a transaction reads stays true until it ends. After an error nothing
    more can be done in it, on every database.
    """

    def __init__(self, session: Session, signing: Signing | None) -> None:
        super().__init__(session, signing)
        self.appended: AuditEntry | None = None

    def add(self, *records: object) -> None:
        """New records. Conflict when the ledger holds one with the same key."""
        for kind, alike in groupby(records, type):
            self._insert(_writable(kind), tuple(alike))

    def put(self, *records: object) -> None:
        """Records as they are now, in place of those with the same key."""
        for record in records:
            table = _writable(type(record))
            self.session.change(*statements.delete(table, statements.key_of(table, record)))
            self.add(record)

    def change(
        self, record: type, key: Mapping[str, Any], /, *, expect: Mapping[str, Any] | None = None, **values: Any
    ) -> bool:
        """Compare and set: give the record at `key` new values if it still holds what is expected.

        False when it does not, or is not there; nothing is changed then.
        """
        return self.session.change(*statements.update(_writable(record), {**key, **(expect or {})}, values)) > 0

    def remove(self, record: type, /, **equals: Any) -> int:
        """Delete the records whose fields equal these, at least one field; how many there were."""
        if not equals:
            raise UsageError(f"this would delete every {record.__name__}", expected="a field that must be equal")
        return self.session.change(*statements.delete(_writable(record), equals))

    def link(self, source: str, target: str, role: str) -> None:
        """`target` was made from `source`; both are names from `node()`. Saying it again changes nothing."""
        if self.get(Edge, source=source, target=target, role=role) is None:
            self.add(Edge(source, target, role, utc_now()))

    def audit(
        self, action: str, subject: str, *, actor: str, reason: str = "", payload: Mapping[str, Any] | None = None
    ) -> AuditEntry:
        """Chain and sign an entry that says who did what to which subject, and why."""
        if self.signing is None:
            what = "the ledger was opened without a signing key"
            raise UsageError(what, expected="Ledger.open(url, signing_key=FILE)")
        last = self.find(AuditEntry, order_by="-seq", limit=1)
        self.appended = next_entry(
            last[0] if last else None,
            self.signing,
            at=self.now(),
            actor=actor,
            action=action,
            subject=subject,
            reason=reason,
            payload=payload or {},
        )
        self._insert(table_of(AuditEntry), [self.appended])
        return self.appended

    def _insert(self, table: Table, records: Sequence[object]) -> None:
        self.session.change_many(statements.insert(table), [statements.row(table, record) for record in records])


class Ledger:
    """What happened, as records that never change and the few that move by compare-and-set.

    A ledger may be shared by threads and used on both sides of a fork; a process that is handed a
    project opens its own.
    """

    def __init__(self, database: Database, signing: Signing | None = None) -> None:
        self._database = database
        self._signing = signing
        self._turn = threading.local()

    @classmethod
    def open(cls, url: str, *, signing_key: Path | None = None) -> "Ledger":
        """The ledger at `url` (sqlite:///FILE or postgresql://...), made or migrated where needed.

        Any number of processes may do this at once on a fresh one. `signing_key` is the file of the
        Ed25519 key that signs audit entries.
        """
        database = open_database(url)
        database.prepare()
        return cls(database, Signing.of(signing_key, database.name_from(signing_key.parent)) if signing_key else None)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """A consistent snapshot."""
        with self._database.read() as session:
            reader = Reader(session, self._signing)
            try:
                yield reader
            finally:
                reader._session = None

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Transaction]:
        """One decision, alone: committed at the end of the block, undone if it raises.

        What decides nothing (a metric of a run that goes on) need not be `durable`: it survives the end of the
        process, but a power cut only once a later decision was written, and waits for no disk.
        Conflict when other writers do not let this one in for 30 s.
        """
        with self._alone(), self._database.write(durable=durable) as session:
            transaction = Transaction(session, self._signing)
            try:
                yield transaction
            finally:
                transaction._session = None
            session.check()
        if transaction.appended and self._signing:
            remember(transaction.appended, self._signing)

    def close(self) -> None:
        """Give up connections that are held between transactions."""
        self._database.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A write inside a write of the same thread would wait for itself."""
        if getattr(self._turn, "taken", False):
            raise UsageError("a write inside a write would wait for itself", hint="use the transaction that is open")
        self._turn.taken = True
        try:
            yield
        finally:
            self._turn.taken = False


def _writable(record: type) -> Table:
    if record is AuditEntry:
        raise UsageError("audit entries are only ever appended", expected="Transaction.audit(...)")
    return table_of(record)
