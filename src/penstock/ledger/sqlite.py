"""The ledger in an SQLite file, in WAL mode: readers never wait, writers take turns."""

import os
import shutil
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.errors import Damaged, PenstockError
from penstock.ledger.database import PATIENCE, Database, Session, busy, orphan, taken
from penstock.ledger.tables import REVISION

_TABLES = Path(__file__).parent / "migrations" / "sqlite.sql"
_NOWHERE = (0, 0)
_PAGE = 4096  # bytes: less room than that holds no page of the log
_TAKEN = {"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_ROWID"}


class SqliteSession(Session):
    """A transaction on a file."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        super().__init__(connection)
        self._file = file

    def explain(self, error: Exception) -> PenstockError | None:
        """What an error of the driver means."""
        return _explain(error, self._file) if isinstance(error, sqlite3.Error) else None


@dataclass(frozen=True)
class _Open:
    """A connection, the process that opened it, and device and inode of the file and of its log when it was used."""

    connection: sqlite3.Connection
    process: int
    file: tuple[int, int]
    log: tuple[int, int] = _NOWHERE


class SqliteDatabase(Database):
    """Idle connections are kept: the last one to close would copy the whole log into the file, and sync both.

    A connection that crosses a fork breaks the locks on the file, so it is left to the process that opened it;
    and when a backup was put in place of the file, the old one is written to no more.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._idle: list[_Open] = []  # threads share it: append and pop are atomic
        weakref.finalize(self, _close, self._idle)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A snapshot on a connection."""
        with self._session() as session:
            session.run("BEGIN")
            yield session

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """A turn to write."""
        with self._session() as session:
            # A connection is used for both kinds of block, so each says which it is. NORMAL leaves the log to the
            # system, and the next commit with FULL syncs all of it.
            session.run(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            session.run("BEGIN IMMEDIATE")
            yield session
            session.run("COMMIT")

    def revision(self) -> str | None:
        """What Alembic noted in the database."""
        if not self.file.exists():
            return None
        with self._session() as session:
            known = session.rows("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
            noted = session.rows("SELECT version_num FROM alembic_version") if known else []
            return str(noted[0][0]) if noted else None

    def migrate(self) -> None:
        """Make or change the tables, under the lock that writers take."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"no ledger can be made here: {error.strerror}"
            there = next(parent for parent in self.file.parents if parent.exists())
            raise PenstockError(what, where=str(self.file), hint=f"ls -ld {there}") from error
        with closing(self.connect()) as connection:
            self._use_wal(connection)
        if not self._make_tables() and self.revision() != REVISION:
            from penstock.ledger.migrate import upgrade

            upgrade("sqlite://", self.connect, lock="BEGIN IMMEDIATE")

    def close(self) -> None:
        """Close the idle connections."""
        _close(self._idle)

    def name_from(self, directory: Path) -> str:
        """The way to the file."""
        return os.path.relpath(self.file, directory)

    def connect(self) -> sqlite3.Connection:
        """A connection with the settings that every use of the ledger needs."""
        try:
            connection = sqlite3.connect(self.file, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")  # NORMAL loses the last decisions with the power
        except sqlite3.Error as error:
            raise _explain(error, self.file) from error
        return connection

    @contextmanager
    def _session(self) -> Iterator[SqliteSession]:
        """A connection that goes back to the idle ones unless something went wrong: closing it undoes what it began."""
        taken = self._take()
        try:
            yield SqliteSession(taken.connection, self.file)
            if taken.connection.in_transaction:
                taken.connection.execute("ROLLBACK")
        except BaseException:
            taken.connection.close()
            raise
        self._idle.append(replace(taken, log=_identity(self._log)))

    @property
    def _log(self) -> Path:
        """SQLite's write-ahead log beside the file."""
        return self.file.with_name(f"{self.file.name}-wal")

    def _take(self) -> _Open:
        for _ in range(len(self._idle)):
            with suppress(IndexError):  # another thread was quicker
                idle = self._idle.pop(0)
                if idle.process != os.getpid():
                    self._idle.append(idle)
                elif idle.file == _identity(self.file):
                    return idle
                elif idle.log != _NOWHERE and idle.log == _identity(self._log):
                    self._idle.append(idle)  # so that the next block is refused too
                    what = "the file was replaced while the log of the one before lay beside it"
                    raise Damaged(what, where=str(self.file), hint=_restoring(self.file))
                else:
                    idle.connection.close()
        connection = self.connect()
        return _Open(connection, os.getpid(), _identity(self.file))

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


def _identity(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except FileNotFoundError:
        return _NOWHERE
    return (found.st_dev, found.st_ino)


def _close(idle: list[_Open]) -> None:
    """Close the connections that this process opened."""
    mine = [one for one in idle if one.process == os.getpid()]
    for one in mine:
        idle.remove(one)
        one.connection.close()


def _wal(connection: sqlite3.Connection) -> str | None:
    try:
        return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    except sqlite3.OperationalError:
        return None


def _restoring(file: Path) -> str:
    """How a backup is put in place: SQLite would mix it with the log of the file before."""
    return f"stop every penstock process, rm -f {file.name}-wal {file.name}-shm, then put a backup in its place"


def _is_full(file: Path) -> bool:
    """Whether no page is left where the database is."""
    try:
        return shutil.disk_usage(file.parent).free < _PAGE
    except OSError:
        return False


def _explain(error: sqlite3.Error, file: Path) -> PenstockError:
    name = getattr(error, "sqlite_errorname", "")
    if name in _TAKEN:
        return taken(str(error))
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return orphan(str(file))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return busy(str(file))
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return Damaged("the file is not a whole SQLite database", where=str(file), hint=_restoring(file))
    hint = f"ls -ld {file}" if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) else None
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")) and _is_full(file):
        hint = "the disk is full, and SQLite needs some of it to read too: make room and run the same command again"
    return PenstockError(f"the ledger failed: {error}", where=str(file), hint=hint)
