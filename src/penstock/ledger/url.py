"""Which database a URL means."""

from pathlib import Path

from penstock.errors import UsageError
from penstock.ledger.database import Database
from penstock.ledger.postgres import PostgresDatabase
from penstock.ledger.sqlite import SqliteDatabase


def open_database(url: str) -> Database:
    """The database that `url` names: sqlite:///FILE or postgresql://USER@HOST/NAME."""
    kind, given, _ = url.partition("://")
    scheme = kind.partition("+")[0]
    if scheme == "sqlite":
        return SqliteDatabase(_sqlite_file(url))
    if scheme in ("postgresql", "postgres"):
        return PostgresDatabase("postgresql://" + url.partition("://")[2])
    raise UsageError(
        "this URL names no database that can hold a ledger",
        where=kind if given else "ledger",  # without the mark, the whole of it may hold a password
        expected="sqlite:///FILE or postgresql://USER@HOST/NAME",
    )


def _sqlite_file(url: str) -> Path:
    name = url.partition("://")[2].removeprefix("/")
    if not name or name == ":memory:":
        raise UsageError("a ledger in memory is seen by nobody else", where=url, expected="sqlite:///FILE")
    return Path(name)
