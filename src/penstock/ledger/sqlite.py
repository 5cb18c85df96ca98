"""The ledger in an SQLite file, in WAL mode: readers never wait, writers take turns."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from penstock.errors import Damaged, PenstockError
from penstock.ledger.database import PATIENCE, Database, Session, busy, orphan, taken
from penstock.ledger.tables import REVISION

_TABLES = Path(__file__).parent / "migrations" / "sqlite.sql"
_TAKEN = {"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_ROWID"}


class SqliteSession(Session):
    """A transaction on a file."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        super().__init__(connection)
        self._file = file

    def explain(self, error: Exception) -> PenstockError | None:
        """What an error of the driver means."""
        return _explain(error, self._file) if isinstance(error, sqlite3.Error) else None


class SqliteDatabase(Database):
    """One connection per transaction: nothing is open between them, so a fork carries nothing over.

    A connection that crosses a fork breaks the locks on the file; opening one costs 0.3 ms.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A snapshot on a connection."""
        with closing(self.connect()) as connection:
            session = SqliteSession(connection, self.file)
            session.run("BEGIN")
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A turn to write."""
        with closing(self.connect()) as connection:
            session = SqliteSession(connection, self.file)
            session.run("BEGIN IMMEDIATE")
            yield session  # when the block raises, closing the connection undoes it
            session.run("COMMIT")

    def revision(self) -> str | None:
        """What Alembic noted in the database."""
        if not self.file.exists():
            return None
        with closing(self.connect()) as connection:
            session = SqliteSession(connection, self.file)
            known = session.rows("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
            noted = session.rows("SELECT version_num FROM alembic_version") if known else []
            return str(noted[0][0]) if noted else None

    def migrate(self) -> None:
        """Make or change the tables, under the lock that writers take."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PenstockError(f"no ledger can be made here: {error.strerror}", where=str(self.file)) from error
        with closing(self.connect()) as connection:
            self._use_wal(connection)
        if not self._make_tables() and self.revision() != REVISION:
            from penstock.ledger.migrate import upgrade

            upgrade("sqlite://", self.connect, lock="BEGIN IMMEDIATE")

    def close(self) -> None:
        """Nothing is held open."""

    def name_from(self, directory: Path) -> str:
        """The way to the file."""
        return os.path.relpath(self.file, directory)

    def connect(self) -> sqlite3.Connection:
        """A connection with the settings that every use of the ledger needs."""
        try:
            connection = sqlite3.connect(self.file, timeout=PATIENCE, isolation_level=None)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")  # NORMAL loses the last decisions with the power
        except sqlite3.Error as error:
            raise _explain(error, self.file) from error
        return connection

    def _make_tables(self) -> bool:
        """Give an empty file every table at once, as the migrations would: importing Alembic takes 0.4 s."""
        with self.write() as session:
            if session.rows("SELECT 1 FROM sqlite_master LIMIT 1"):
                return False
            for text in _TABLES.read_text().split(";\n")[:-1]:
                session.change(text)
            return True

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Switching fails at once when another process is switching too, whatever the timeout: ask again."""
        deadline = time.monotonic() + PATIENCE
        while (mode := _wal(connection)) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if mode != "wal":
            raise PenstockError(
                "SQLite cannot share a ledger on this file system",
                where=str(self.file),
                hint="put the project on a local disk, or keep its ledger in PostgreSQL",
            )


def _wal(connection: sqlite3.Connection) -> str | None:
    try:
        return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    except sqlite3.OperationalError:
        return None


def _explain(error: sqlite3.Error, file: Path) -> PenstockError:
    name = getattr(error, "sqlite_errorname", "")
    if name in _TAKEN:
        return taken(str(error))
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return orphan(str(file))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return busy(str(file))
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return Damaged("the file is not a whole SQLite database", where=str(file), hint="restore it from a backup")
    return PenstockError(f"the ledger failed: {error}", where=str(file))
