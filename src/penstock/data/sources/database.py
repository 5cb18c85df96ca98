"""Rows of a database: asked with a cursor that stays on the server, and fetched in batches.

The URL is a secret. What is shown, recorded and compared of it is `Database.place`: dialect, host and database name.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa

from penstock.data.sources.inputs import Input
from penstock.digest import digest_value
from penstock.errors import ContractBroken, MissingExtra, PenstockError, UsageError, did_you_mean

if TYPE_CHECKING:
    import polars as pl

    from penstock.project import SqlSource

BATCH = 50_000  # rows in memory at a time
TIMEOUT = 10  # seconds to reach the server
ANSWER = 1_000  # rows of the answer to `changed` that are compared
DRIVERS = {  # by dialect: what SQLAlchemy calls it, the library, the extra that brings it
    "postgresql": ("postgresql+psycopg", "psycopg", "postgres"),
    "postgres": ("postgresql+psycopg", "psycopg", "postgres"),
    "mysql": ("mysql+pymysql", "pymysql", "mysql"),
    "mariadb": ("mysql+pymysql", "pymysql", "mysql"),
    "sqlite": ("sqlite", "sqlite3", ""),
}


@dataclass(frozen=True)
class Database:
    """A database that can be asked."""

    url: sa.URL
    root: Path

    @classmethod
    def at(cls, root: Path, url: str) -> "Database":
        """The database at a URL; an SQLite file lies relative to `root`. UsageError when it is no such URL."""
        try:
            parsed = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):
            expected = "postgresql://USER:PASSWORD@HOST/DATABASE, mysql://… or sqlite:///FILE"
            raise UsageError("the `url` of a source is no database URL", expected=expected) from None
        dialect = parsed.drivername.partition("+")[0]
        if dialect not in DRIVERS:
            raise UsageError(f"unknown kind of database {dialect!r}{did_you_mean(dialect, DRIVERS)}")
        driver, library, extra = DRIVERS[dialect]
        try:
            import_module(library)
        except ImportError:
            raise MissingExtra(library, extra) from None
        return cls(parsed.set(drivername=driver), root)

    @property
    def dialect(self) -> str:
        """postgresql, mysql or sqlite."""
        return self.url.get_backend_name()

    @property
    def place(self) -> str:
        """`postgresql://db.example:5432/shop`, `sqlite:///data/shop.db`"""
        port = f":{self.url.port}" if self.url.port else ""
        return f"{self.dialect}://{self.url.host or ''}{port}/{self.url.database or ''}"

    @property
    def text(self) -> bool:
        """Whether its values are read as texts that have yet to be parsed."""
        return self.dialect == "sqlite"

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """A connection that only reads. PenstockError for whatever the server or its driver says in the block."""
        with self._explained():
            engine = self._engine()
            connection = engine.connect()
            try:
                for statement in _SETTINGS.get(self.dialect, ()):
                    connection.exec_driver_sql(statement)
                yield connection
            finally:
                connection.invalidate()  # rows that nobody fetched are not waited for
                connection.close()

    def _engine(self) -> sa.Engine:
        if self.dialect == "sqlite":
            import sqlite3

            path = self.root / (self.url.database or "")
            if not path.is_file():
                raise UsageError("there is no such file", where=str(path))
            file = f"file:{quote(str(path))}?mode=ro"
            return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(file, uri=True), poolclass=sa.NullPool)
        timeout = {"connect_timeout": TIMEOUT}
        return sa.create_engine(self.url, connect_args=timeout, poolclass=sa.NullPool)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise _explanation(error, self) from None  # SQLAlchemy's text holds the whole statement
        except sa.exc.StatementError as error:
            raise UsageError(_first_line(error.orig or error), where=self.place) from None


# PostgreSQL starts to read a large table where another reader is: in another order each time
_SETTINGS = {
    "postgresql": ("SET TRANSACTION READ ONLY", "SET TIME ZONE 'UTC'", "SET synchronize_seqscans = off"),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET time_zone = '+00:00'"),
}


def query_input(root: Path, source: "SqlSource") -> Input:
    """What a query would give now, as far as `changed` tells; without it nobody knows before it is asked."""
    database = Database.at(root, source.url.get_secret_value())
    asked = source.table or f"query-{digest_value(source.sql)[:8]}"
    if source.changed is None:
        digest = digest_value({"asked": time.time_ns()})
    else:
        with database.connected() as connection:
            answer = connection.execute(_text(source.changed)).fetchmany(ANSWER)
        digest = digest_value({"changed": [[str(value) for value in row] for row in answer]})
    return Input(f"{database.place}/{asked}", None, digest=digest, query=source)


def frames(root: Path, source: "SqlSource", since: object = None) -> "Iterator[pl.DataFrame]":
    """The rows that a source gives, in batches; the first may be empty. `since` takes the place of `:since`."""
    database = Database.at(root, source.url.get_secret_value())
    with database.connected() as connection:
        _keep_documents_as_text(database, connection)
        result = connection.execution_options(stream_results=True).execute(_statement(database, source, since))
        with _abandoned(database, result.cursor):
            columns = _columns(database, result.cursor)
            yield _frame(columns, result.fetchmany(BATCH), database.place)
            while rows := result.fetchmany(BATCH):
                yield _frame(columns, rows, database.place)


@contextmanager
def _abandoned(database: Database, cursor: Any) -> Iterator[None]:
    """PyMySQL's cursor would fetch all that is left when it is thrown away, from a connection that is closed."""
    try:
        yield
    finally:
        if database.dialect == "mysql" and cursor is not None and cursor._result is not None:
            cursor._result.unbuffered_active = False


def _statement(database: Database, source: "SqlSource", since: object) -> sa.Executable:
    if source.table is None:
        return _text(source.sql or "", _literal(since, database))
    schema, _, name = source.table.rpartition(".")
    return sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None))


def _text(sql: str, since: str | None = None) -> sa.TextClause:
    """A query as it is written, with a watermark in place of `:since`.

    It stands in the statement itself: of a parameter in `:since IS NULL`, a server could not tell the type.
    """

    def put(found: re.Match[str]) -> str:
        return since if since is not None and found[1] == "since" else f"\\{found[0]}"

    return sa.text(re.sub(r"(?<![:\w\\]):([\w$]+)(?![:\w$])", put, sql))


def _literal(value: object, database: Database) -> str:
    """A watermark as SQL; NULL while there is none."""
    if value is None:
        return "NULL"
    if isinstance(value, int | float) or type(value).__name__ == "Decimal":
        return str(value)
    if isinstance(value, datetime):
        zone = "+00" if value.tzinfo and database.dialect == "postgresql" else ""
        value = f"{value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value}{zone}"
    text = value.isoformat() if isinstance(value, date) else str(value)
    escaped = text.replace("'", "''").replace("\\", "\\\\" if database.dialect == "mysql" else "\\")
    return f"'{escaped.replace(':', chr(92) + ':')}'"


def _columns(database: Database, cursor: Any) -> Any:
    from penstock.data.sources import sqltypes

    if cursor is None or cursor.description is None:
        raise UsageError("the query gives no rows", where=database.place, expected="a SELECT")
    read = {"postgresql": sqltypes.postgres_columns, "mysql": sqltypes.mysql_columns, "sqlite": sqltypes.sqlite_columns}
    columns = read[database.dialect](cursor)
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        what = f"the query names a column more than once: {', '.join(twice)}"
        raise ContractBroken(what, where=database.place, hint="give each its own name with AS")
    return columns


def _frame(columns: Any, rows: Sequence[Any], where: str) -> "pl.DataFrame":
    import polars as pl

    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pl.DataFrame([column.series(held, where) for column, held in zip(columns, values, strict=True)])


def _keep_documents_as_text(database: Database, connection: sa.Connection) -> None:
    """JSON as the server has it: read into values and written again, 1.10 would be 1.1."""
    if database.dialect != "postgresql":
        return
    from psycopg.types.string import TextLoader

    driver: Any = connection.connection.dbapi_connection
    for name in ("json", "jsonb"):
        driver.adapters.register_loader(name, TextLoader)


# --- what went wrong -----------------------------------------------------------------------------

_REFUSED = ("28", 1044, 1045, 1698)  # SQLSTATE class of PostgreSQL, numbers of MySQL
_NO_DATABASE = ("3D", 1049)
_UNREACHED = ("08", 2003, 2002, 2005, 2013)


def _explanation(error: sa.exc.DBAPIError, database: Database) -> PenstockError:
    said = error.orig or error
    number = said.args[0] if said.args and isinstance(said.args[0], int) else None
    code = number or getattr(said, "sqlstate", None)
    text = _without_values(_first_line(said), error)
    if _is(code, _REFUSED) or "authentication failed" in text:
        hint = "check user and password in the `url` of the source"
        return PenstockError(f"access is refused: {text}", where=database.place, hint=hint)
    if _is(code, _NO_DATABASE) or ("database" in text and "does not exist" in text):
        return UsageError(text, where=database.place, hint="check the `url` of the source")
    if _is(code, _UNREACHED) or "connection failed" in text:
        hint = "check host and port in the `url` of the source, and that the server runs"
        return PenstockError(f"cannot be reached: {text}", where=database.place, hint=hint)
    if isinstance(error, sa.exc.ProgrammingError) or database.dialect != "postgresql":
        return UsageError(text, where=database.place, hint="correct `sql`, `table` or `changed` of the source")
    return PenstockError(text, where=database.place)


def _without_values(text: str, error: sa.exc.DBAPIError) -> str:
    """What the server said without the value that it stumbled over: it may be personal."""
    undecoded = text.partition(" with text ")[0]  # of SQLite
    return re.sub(r"""(["']).*\1""", "***", undecoded) if isinstance(error, sa.exc.DataError) else undecoded


def _is(code: object, known: tuple[object, ...]) -> bool:
    return code in known or (isinstance(code, str) and code[:2] in known)


def _first_line(error: BaseException) -> str:
    """What the server said; PyMySQL has the number first."""
    said = error.args[1] if len(error.args) > 1 and isinstance(error.args[0], int) else error
    return (str(said).strip().splitlines() or [type(error).__name__])[0]
