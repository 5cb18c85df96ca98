"""The ledger in PostgreSQL: the same statements, and the same turns between writers."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import MissingExtra, PenstockError, UsageError
from penstock.ledger.database import PATIENCE, Database, Session, busy, orphan, taken

if TYPE_CHECKING:
    import psycopg

_TURN = 7_305_790_122  # advisory lock: any number that no other program takes
_OPTIONS = (
    f"-c lock_timeout={int(PATIENCE * 1000)} -c timezone=UTC"
    # Every query looks rows up by key. Before its first ANALYZE the server would rather read whole tables
    # at each step of a walk: 16 s instead of 16 ms at 100,000 runs.
    " -c enable_hashjoin=off -c enable_mergejoin=off -c enable_seqscan=off -c jit=off"
)


class PostgresSession(Session):
    """A transaction on a server."""

    text_value = 'CAST(? AS TEXT) COLLATE "C"'
    arrival = "r.number"
    hidden = ""  # the server chooses by its statistics
    seconds = "CAST(EXTRACT(EPOCH FROM {end} - {start}) AS DOUBLE PRECISION)"

    def __init__(self, connection: "psycopg.Connection[Any]", server: str) -> None:
        super().__init__(connection)
        self._server = server

    def now(self) -> datetime:
        """The server's clock."""
        moment: datetime = self.rows("SELECT clock_timestamp()")[0][0]
        return moment.astimezone(UTC)

    def spell(self, text: str) -> str:
        """Psycopg writes values as %s."""
        return text.replace("%", "%%").replace("?", "%s")

    def explain(self, error: Exception) -> PenstockError | None:
        """What an error of the driver means."""
        import psycopg

        return _explain(error, self._server) if isinstance(error, psycopg.Error) else None


class PostgresDatabase(Database):
    """Idle connections are kept for the next transaction of the same process; a fork leaves them alone."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.server = _public(url)
        self._idle: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()  # threads share the list of idle connections
        self._process = os.getpid()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A snapshot on a connection."""
        with self._session() as session:
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield session

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """A turn to write."""
        with self._session() as session:
            # Each statement sees what is committed, and nobody else commits: the lock is taken first.
            session.run("BEGIN ISOLATION LEVEL READ COMMITTED")
            if not durable:
                session.run("SET LOCAL synchronous_commit = off")
            session.rows(f"SELECT pg_advisory_xact_lock({_TURN})")
            yield session
            session.run("COMMIT")

    def revision(self) -> str | None:
        """What Alembic noted in the database."""
        with self._session() as session:
            ((table,),) = session.rows("SELECT to_regclass('alembic_version')::text")
            noted = session.rows("SELECT version_num FROM alembic_version") if table else []
            return str(noted[0][0]) if noted else None

    def migrate(self) -> None:
        """Make or change the tables, under the lock that writers take."""
        from penstock.ledger.migrate import upgrade

        upgrade("postgresql+psycopg://", self._open_for_migration, lock=f"SELECT pg_advisory_xact_lock({_TURN})")

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def name_from(self, directory: Path) -> str:
        """The server and the database."""
        return self.server

    @contextmanager
    def _session(self) -> Iterator[PostgresSession]:
        """A connection that goes back to the idle ones only when it is in no transaction and unharmed."""
        connection = self._take()
        try:
            yield PostgresSession(connection, self.server)
        finally:
            self._give_back(connection)

    def _take(self) -> "psycopg.Connection[Any]":
        with self._lock:
            if self._process != os.getpid():
                self._process, self._idle = os.getpid(), []
            connection = self._idle.pop() if self._idle else None
        return connection if connection and _answers(connection) else self._open()

    def _give_back(self, connection: "psycopg.Connection[Any]") -> None:
        import psycopg

        try:
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)

    def _open_for_migration(self) -> "psycopg.Connection[Any]":
        connection = self._open()
        connection.autocommit = False  # SQLAlchemy expects the driver to begin
        return connection

    def _open(self) -> "psycopg.Connection[Any]":
        try:
            import psycopg
        except ImportError:
            raise MissingExtra("psycopg", "postgres") from None
        try:
            return psycopg.connect(self._url, autocommit=True, options=_OPTIONS, connect_timeout=10)
        except psycopg.Error as error:
            raise _no_connection(error, self._url, self.server) from None


def _answers(connection: "psycopg.Connection[Any]") -> bool:
    """A server that was restarted has forgotten the connections that wait here."""
    import psycopg

    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        connection.close()
        return False
    return True


def _login(url: str) -> tuple[str, str]:
    """User and password of a URL, and what follows: they end at the last @, whatever the password holds."""
    login, _, place = url.partition("://")[2].rpartition("@")
    return login, place


def _public(url: str) -> str:
    """The server and the database."""
    login, place = _login(url)
    # A ? in a password, or an @ in a setting: one cannot tell where the secret ends.
    return "postgresql://…" if "?" in login else f"postgresql://{place.partition('?')[0]}"


def _no_connection(error: "psycopg.Error", url: str, server: str) -> PenstockError:
    """Of a URL that the driver reads otherwise than it is meant, its message may show a part of the password."""
    import psycopg

    if isinstance(error, psycopg.ProgrammingError) or {"/", "@"} & set(_login(url)[0]):
        hint = "in the user and the password of the ledger's URL write / as %2F, @ as %40, % as %25, a space as %20"
        return UsageError("no connection to PostgreSQL: the ledger's URL cannot be read", where=server, hint=hint)
    hint = "check that the server runs, and the user, password and database in the ledger's URL"
    return PenstockError(f"no connection to PostgreSQL: {error}", where=server, hint=hint)


def _explain(error: "psycopg.Error", server: str) -> PenstockError:
    from psycopg import errors

    detail = (error.diag.message_detail or str(error)).strip()
    match error:
        case errors.UniqueViolation():
            return taken(f"{error.diag.table_name}: {detail}")
        case errors.ForeignKeyViolation():
            return orphan(f"{server}: {detail}")
        case errors.LockNotAvailable() | errors.DeadlockDetected():
            return busy(server)
    return PenstockError(f"the ledger failed: {error}", where=server)
