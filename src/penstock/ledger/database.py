"""What the ledger needs of a database."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from penstock.errors import Conflict, PenstockError, UsageError
from penstock.ledger.records import utc_now
from penstock.ledger.tables import REVISION

PATIENCE = 30.0  # seconds that a writer waits for its turn before it gives up with Conflict


class Session(ABC):
    """A transaction that is open on one connection; used by the thread that opened it.

    The first statement that fails is the last: PostgreSQL would refuse the rest, so SQLite does too.
    """

    text_value = "CAST(? AS TEXT)"  # a value that compares with text columns where nothing else gives its type
    # In these words the databases differ:
    arrival = "s.rowid"  # the order in which rows `s` came, which ends the entries of an index
    hidden = "+"  # before a column: no index is used for it
    seconds = "(julianday({end}) - julianday({start})) * 86400"  # between two columns of times

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._failed: PenstockError | None = None

    def rows(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query gives; `?` in the text stands for a value."""
        found: list[tuple[Any, ...]] = self._run(self._connection.execute, text, values).fetchall()
        return found

    def change(self, text: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; how many rows it touched."""
        return int(self._run(self._connection.execute, text, values).rowcount)

    def change_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each row of values."""
        self._run(self._connection.cursor().executemany, text, rows)

    def check(self) -> None:
        """Raise what failed, if something did: such a transaction must not be committed."""
        if self._failed:
            raise self._failed

    def run(self, text: str) -> None:
        """A word to the database itself: BEGIN, COMMIT."""
        self._run(self._connection.execute, text, ())

    def now(self) -> datetime:
        """The time by the clock that every user of this database shares."""
        return utc_now()

    @abstractmethod
    def explain(self, error: Exception) -> PenstockError | None:
        """What a driver's error means; None for an error of something else."""

    def spell(self, text: str) -> str:
        """The text as the driver wants it."""
        return text

    def _run(self, execute: Callable[..., Any], text: str, values: Sequence[Any]) -> Any:
        self.check()
        try:
            return execute(self.spell(text), values)
        except Exception as error:
            self._failed = self.explain(error)
            if self._failed is None:
                raise
            raise self._failed from error


class Database(ABC):
    """A database that holds a ledger. Shared by threads, and usable on both sides of a fork."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Session]:
        """A snapshot: what others commit meanwhile is not seen."""

    @abstractmethod
    def write(self, *, durable: bool = True) -> AbstractContextManager[Session]:
        """Alone: one writer at a time, committed when the block ends, undone when it raises.

        What is not durable survives the end of the process, and a power cut once something later is.
        """

    @abstractmethod
    def revision(self) -> str | None:
        """The migration that the schema is at, None for a database without a ledger."""

    @abstractmethod
    def migrate(self) -> None:
        """Bring the schema to REVISION, in one transaction, once however many processes ask."""

    @abstractmethod
    def close(self) -> None:
        """Give up what is held open between transactions."""

    @abstractmethod
    def name_from(self, directory: Path) -> str:
        """What tells this database from others, as seen from `directory`, so that both may move together."""

    def prepare(self) -> None:
        """Make the schema current; Alembic is imported only when it is not."""
        if self.revision() != REVISION:
            self.migrate()


def taken(detail: str) -> Conflict:
    """A row with this key is there already."""
    return Conflict("the ledger already holds this", where=detail, hint="read the record again and decide anew")


def orphan(detail: str) -> PenstockError:
    """A row names a parent that is not there."""
    return UsageError("a record refers to a record that the ledger does not hold", where=detail)


def busy(where: str) -> Conflict:
    """Other writers did not let this one in for PATIENCE seconds."""
    return Conflict(
        f"the ledger stayed locked for {PATIENCE:.0f} s", where=where, hint="see who writes to it, then try again"
    )
