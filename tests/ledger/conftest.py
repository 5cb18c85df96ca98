"""Every test of the ledger runs on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from services import postgres_server

from penstock.ledger import Ledger
from penstock.ledger.tables import all_tables

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A server with a database `ledger` that is ready; tests empty it before they use it."""
    with postgres_server() as server:
        _command(server, "CREATE DATABASE ledger")
        Ledger.open(f"{server}/ledger").close()
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where no ledger has been yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server = request.getfixturevalue("postgres")
    name = f"fresh_{next(_numbers)}"
    _command(server, f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is ready and that tests copy."""
    file = tmp_path_factory.mktemp("sqlite") / "ledger.db"
    Ledger.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, sqlite_file: Path) -> str:
    """An empty ledger."""
    if request.param == "sqlite":
        copy(sqlite_file, tmp_path)
        return f"sqlite:///{tmp_path}/ledger.db"
    url = f"{request.getfixturevalue('postgres')}/ledger"
    _command(url, ";".join(f"DELETE FROM {table.name}" for table in all_tables()))
    return url


@pytest.fixture
def signing_key(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "signing"


@pytest.fixture
def ledger(url: str, signing_key: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url, signing_key=signing_key)
    yield opened
    opened.close()


@pytest.fixture
def tamper(url: str) -> Callable[..., None]:
    """Change rows behind the ledger's back: `tamper("UPDATE audit SET ...")`."""

    def run(text: str) -> None:
        if url.startswith("sqlite"):
            import sqlite3

            with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
                connection.execute(text)
            connection.close()
        else:
            _command(url, text)

    return run


def _command(url: str, text: Any) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(text)
