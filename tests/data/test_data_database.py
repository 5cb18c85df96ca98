"""Queries as sources, on a real server of each kind."""

import re
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from services import mariadb_server, postgres_server

from penstock.data.sources import database, sqltypes
from penstock.data.sources.database import Database, frames
from penstock.errors import ContractBroken, PenstockError, UsageError
from penstock.project import SqlSource

SECRET = "hunter2-very-secret"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as server:
        run(f"{server}/postgres", "CREATE DATABASE shop", f"CREATE ROLE ada LOGIN PASSWORD '{SECRET}'")
        ask_for_passwords(f"{server}/postgres", "ada")
        yield f"{server}/shop"


def ask_for_passwords(url: str, role: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        (name,) = connection.execute("SHOW hba_file").fetchone() or ()
        Path(name).write_text(f"host all {role} all scram-sha-256\n{Path(name).read_text()}")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="module")
def mariadb() -> Iterator[str]:
    with mariadb_server() as server:
        run(f"{server}/mysql", "CREATE DATABASE shop", f"CREATE USER ada IDENTIFIED BY '{SECRET}'")
        yield f"{server}/shop"


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the table `orders`."""
    if request.param == "sqlite":
        sqlite3.connect(tmp_path / "shop.db").close()
    found = "sqlite:///shop.db" if request.param == "sqlite" else request.getfixturevalue(request.param)
    path = found.replace("///", f"///{tmp_path}/") if request.param == "sqlite" else found
    rows = ", ".join(f"({n}, 'name {n}', '2024-01-0{n} 10:00:00')" for n in range(1, 4))
    make = "CREATE TABLE orders (id INT, name VARCHAR(20), at TIMESTAMP)"
    run(path, "DROP TABLE IF EXISTS orders", make, f"INSERT INTO orders VALUES {rows}")
    return str(found)


def run(url: str, *statements: str) -> None:
    named = url.replace("mysql://", "mysql+pymysql://").replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(named, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def read(root: Path, url: str, sql: str, since: object = None) -> pl.DataFrame:
    return pl.concat(frames(root, SqlSource(url=url, sql=sql), since))


def failing(root: Path, **source: Any) -> PenstockError:
    with pytest.raises(PenstockError) as error:
        list(frames(root, SqlSource(**source)))
    assert SECRET not in str(error.value)
    return error.value


def test_a_table_and_a_query(url: str, tmp_path: Path) -> None:
    (table,) = frames(tmp_path, SqlSource(url=url, table="orders"))
    assert table.columns == ["id", "name", "at"]
    assert table["id"].cast(pl.Int64).to_list() == [1, 2, 3]
    assert read(tmp_path, url, "SELECT name FROM orders WHERE id > 1 AND name LIKE 'n%' ORDER BY id").rows() == [
        ("name 2",),
        ("name 3",),
    ]


def test_rows_come_in_batches(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BATCH", 2)
    found = list(frames(tmp_path, SqlSource(url=url, sql="SELECT id FROM orders ORDER BY id")))
    assert [frame.height for frame in found] == [2, 1]
    (empty,) = frames(tmp_path, SqlSource(url=url, sql="SELECT id FROM orders WHERE id > 9"))
    assert (empty.columns, empty.height) == (["id"], 0)
    first = next(frames(tmp_path, SqlSource(url=url, table="orders")))  # and nobody fetches the rest
    assert first.select("id").equals(found[0])


@pytest.mark.parametrize(
    ("since", "expected"),
    [(None, 3), (datetime(2024, 1, 1, 10), 2), (datetime(2024, 1, 2, 10, tzinfo=UTC), 1), ("2024-01-03 10:00:00", 0)],
)
def test_since_stands_for_the_watermark(url: str, tmp_path: Path, since: object, expected: int) -> None:
    sql = "SELECT ':x' AS a, id FROM orders WHERE :since IS NULL OR at > :since"
    found = read(tmp_path, url, sql, since)
    assert found.height == expected
    assert set(found["a"]) <= {":x"}


def test_a_watermark_is_no_way_into_the_statement(url: str, tmp_path: Path) -> None:
    for nasty in ("' OR 1=1 --", "\\' OR 1=1 -- ", "a:b", ":since"):
        assert read(tmp_path, url, "SELECT id FROM orders WHERE name = :since", nasty).height == 0


def test_what_is_wrong_in_a_query(url: str, tmp_path: Path) -> None:
    for sql in ("SELECT * FROM nowhere", "SELEKT 1", "SELECT nothing FROM orders"):
        error = failing(tmp_path, url=url, sql=sql)
        assert isinstance(error, UsageError)
        assert error.where == Database.at(tmp_path, url).place
        assert error.hint == "correct `sql`, `table` or `changed` of the source"
    with pytest.raises(ContractBroken, match="more than once: id"):
        list(frames(tmp_path, SqlSource(url=url, sql="SELECT id, id FROM orders")))


def test_a_source_writes_nothing(url: str, tmp_path: Path) -> None:
    for sql in ("DELETE FROM orders", "INSERT INTO orders (id) VALUES (9)"):
        failing(tmp_path, url=url, sql=sql)
    assert read(tmp_path, url, "SELECT id FROM orders").height == 3


def test_a_server_that_goes_away_in_the_middle(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BATCH", 1_000)
    coming = frames(tmp_path, SqlSource(url=postgres, sql="SELECT g AS id FROM generate_series(1, 300000) AS g"))
    assert next(coming).height == 1_000
    run(postgres, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(PenstockError, match="terminating connection") as error:
        list(coming)
    assert error.value.where == Database.at(tmp_path, postgres).place


def test_types_of_postgres(postgres: str, tmp_path: Path) -> None:
    sql = """SELECT true AS b, 1::smallint AS i, 9223372036854775807 AS l, 0.1::real AS r, 0.1::float8 AS d,
        1.10::numeric(10,2) AS n, 123.456789012345678::numeric AS nn, 'x'::text AS s, 'y'::char(3) AS ch,
        DATE '2024-01-02' AS dt, TIMESTAMP '2024-01-02 03:04:05.123456' AS ts,
        TIMESTAMPTZ '2024-01-02 03:04:05+02' AS tz, TIME '01:02:03' AS tm, INTERVAL '1 day' AS iv,
        '\\xdead'::bytea AS by, '{"a": 1.10}'::json AS j, ARRAY[1,2] AS arr, NULL::int AS nothing,
        '6f1b3c5e-0000-0000-0000-000000000000'::uuid AS u"""
    found = read(tmp_path, postgres, sql)
    assert dict(found.schema) == {
        "b": pl.Boolean, "i": pl.Int64, "l": pl.Int64, "r": pl.Float64, "d": pl.Float64, "n": pl.Decimal(38, 2),
        "nn": pl.Decimal(38, 18), "s": pl.String, "ch": pl.String, "dt": pl.Date, "ts": pl.Datetime("us"),
        "tz": pl.Datetime("us", "UTC"), "tm": pl.Time, "iv": pl.Duration("us"), "by": pl.Binary, "j": pl.String,
        "arr": pl.String, "nothing": pl.Int64, "u": pl.String,
    }  # fmt: skip
    assert found.row(0) == (
        True, 1, 9223372036854775807, 0.1, 0.1, Decimal("1.10"), Decimal("123.456789012345678"), "x", "y  ",
        date(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5, 123456), datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC),
        time(1, 2, 3), timedelta(days=1), b"\xde\xad", '{"a": 1.10}', "[1, 2]", None,
        "6f1b3c5e-0000-0000-0000-000000000000",
    )  # fmt: skip


@pytest.mark.parametrize("value", ["1::numeric/3 + 1e-19", "'NaN'::numeric", "1e30::numeric", "'infinity'::timestamp"])
def test_a_value_that_its_type_cannot_hold(postgres: str, tmp_path: Path, value: str) -> None:
    with pytest.raises(PenstockError) as error:
        read(tmp_path, postgres, f"SELECT {value} AS n")
    assert str(error.value.where).endswith("/shop")


def test_types_of_mariadb(mariadb: str, tmp_path: Path) -> None:
    run(
        mariadb,
        "DROP TABLE IF EXISTS kinds",
        """CREATE TABLE kinds (b BOOL, t TINYINT, l BIGINT, ul BIGINT UNSIGNED, f FLOAT, d DOUBLE, n DECIMAL(10,2),
        huge DECIMAL(65,2), s VARCHAR(9), tx TEXT, bn VARBINARY(9), dt DATE, ts DATETIME(6), tz TIMESTAMP NULL, tm TIME,
        j JSON, e ENUM('a', 'b'), nothing INT)""",
        "SET time_zone = '+02:00'",
        """INSERT INTO kinds VALUES (true, -5, 4, 18446744073709551615, 0.1, 0.1, 1.10, 7.25, 'x', 'é', x'dead',
        '2024-01-02', '2024-01-02 03:04:05.123456', '2024-01-02 03:04:05', '01:02:03', '{"a": 1.10}', 'b', NULL)""",
    )
    (found,) = frames(tmp_path, SqlSource(url=mariadb, table="shop.kinds"))
    assert dict(found.schema) == {
        "b": pl.Boolean, "t": pl.Int64, "l": pl.Int64, "ul": pl.UInt64, "f": pl.Float64, "d": pl.Float64,
        "n": pl.Decimal(38, 2), "huge": pl.String, "s": pl.String, "tx": pl.String, "bn": pl.Binary, "dt": pl.Date,
        "ts": pl.Datetime("us"), "tz": pl.Datetime("us", "UTC"), "tm": pl.Duration("us"), "j": pl.String,
        "e": pl.String, "nothing": pl.Int64,
    }  # fmt: skip
    assert found.row(0) == (
        True, -5, 4, 18446744073709551615, 0.1, 0.1, Decimal("1.10"), "7.25", "x", "é", b"\xde\xad", date(2024, 1, 2),
        datetime(2024, 1, 2, 3, 4, 5, 123456), datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC),
        timedelta(hours=1, minutes=2, seconds=3), '{"a": 1.10}', "b", None,
    )  # fmt: skip
    run(mariadb, "UPDATE kinds SET b = 2")
    with pytest.raises(ContractBroken, match="column 'b' holds a value that is no Boolean: it is neither 0 nor 1"):
        list(frames(tmp_path, SqlSource(url=mariadb, table="kinds")))


def test_values_of_sqlite_are_text(tmp_path: Path) -> None:
    run(f"sqlite:///{tmp_path}/a.db", "CREATE TABLE t (v)", "INSERT INTO t VALUES (1), (0.1), ('x'), (x'dead'), (NULL)")
    assert read(tmp_path, "sqlite:///a.db", "SELECT v FROM t")["v"].to_list() == ["1", "0.1", "x", "dead", None]


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_no_way_in(request: pytest.FixtureRequest, tmp_path: Path, server: str) -> None:
    url = request.getfixturevalue(server)
    place = url.replace("//postgres@", "//").replace("//root@", "//")
    port = re.search(r":(\d+)/", url)
    assert port
    closed = failing(tmp_path, url=url.replace(port[0], ":9/").replace("@", f":{SECRET}@"), table="orders")
    assert str(closed).startswith(f"{place.replace(port[0], ':9/')}: cannot be reached: ")
    assert "refused" in closed.what
    missing = failing(tmp_path, url=url.replace("/shop", "/nowhere"), table="orders")
    assert isinstance(missing, UsageError)
    assert "nowhere" in missing.what


@pytest.mark.parametrize(("server", "said"), [("mariadb", "Access denied"), ("postgres", "authentication failed")])
def test_a_wrong_password(request: pytest.FixtureRequest, tmp_path: Path, server: str, said: str) -> None:
    url = request.getfixturevalue(server).replace("root@", f"ada:{SECRET}!@").replace("postgres@", f"ada:{SECRET}!@")
    error = failing(tmp_path, url=url, table="orders")
    assert error.what.startswith("access is refused: ")
    assert said in error.what
    assert error.hint == "check user and password in the `url` of the source"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense " + SECRET, "no database URL"),
        ("oracle://me:hunter2-very-secret@host/x", "unknown kind of database 'oracle'"),
        ("sqlite:///nowhere.db", "there is no such file"),
    ],
)
def test_a_wrong_url(tmp_path: Path, url: str, message: str) -> None:
    assert message in str(failing(tmp_path, url=url, table="orders"))


@pytest.mark.parametrize(
    ("scheme", "library", "extra"), [("postgresql", "psycopg", "postgres"), ("mysql", "pymysql", "mysql")]
)
def test_the_library_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    assert failing(tmp_path, url=f"{scheme}://host/x", table="t").hint == f"pip install 'penstock[{extra}]'"


def test_a_query_feeds_a_dataset(lab: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE", url.replace("root@", "root:@").replace("postgres@", f"postgres:{SECRET}@"))
    lab.write("c.yaml", "columns:\n  id: {type: Int64}\n  name: {type: String}\nkeys: [id]\n")
    sql = "SELECT id, name FROM orders ORDER BY id"
    lab.datasets["orders"] = f'{{contract: c.yaml, source: {{url: "${{WAREHOUSE}}", sql: "{sql}"}}}}'
    first = lab.ingest("orders")
    assert lab.rows("orders").rows() == [(1, "name 1"), (2, "name 2"), (3, "name 3")]
    again = lab.ingest("orders")
    assert (again.commit, again.why) == (first.commit, "asked the database, but the rows are the same")
    everything = b"".join(path.read_bytes() for path in lab.root.rglob("*") if path.is_file() and path.suffix != ".db")
    assert SECRET.encode() not in everything + (lab.root / ".penstock" / "ledger.db").read_bytes()


def test_a_query_is_asked_when_the_answer_to_changed_is_another(lab: Any, url: str) -> None:
    path = url.replace("sqlite:///", f"sqlite:///{lab.root}/")
    changed = "SELECT count(*), max(at) FROM orders"
    lab.datasets["orders"] = f'{{source: {{url: "{url}", table: orders, changed: "{changed}"}}}}'
    first = lab.ingest("orders")
    run(path, "UPDATE orders SET name = 'other' WHERE id = 1")  # which `changed` does not tell
    assert lab.ingest("orders").why == "source unchanged"
    run(path, "INSERT INTO orders VALUES (4, 'name 4', '2024-02-01 00:00:00')")
    again = lab.ingest("orders")
    assert (again.skipped, again.previous, again.rows) == (False, first.commit, 4)


def test_appending_needs_a_way_to_tell_what_is_new(lab: Any, tmp_path: Path) -> None:
    lab.datasets["orders"] = "{mode: append, source: [a.csv, {url: sqlite:///a.db, table: orders}]}"
    with pytest.raises(UsageError, match="append mode needs files"):
        lab.ingest("orders")


def test_only_what_is_newer_is_asked_for(lab: Any, url: str) -> None:
    path = url.replace("sqlite:///", f"sqlite:///{lab.root}/")
    lab.write("c.yaml", 'columns:\n  id: {type: Int64}\n  at: {type: "Datetime[us]"}\nkeys: [id]\nallow_new: true\n')
    sql = "SELECT * FROM orders WHERE :since IS NULL OR at >= :since ORDER BY id"
    lab.datasets["orders"] = (
        f'{{contract: c.yaml, key: id, mode: append, watermark: at, source: {{url: "{url}", sql: "{sql}"}}}}'
    )
    if "mysql" in url:  # where a TIMESTAMP has a zone
        run(path, "ALTER TABLE orders MODIFY at DATETIME")
    first = lab.ingest("orders")
    assert lab.ingest("orders").commit == first.commit
    run(path, "DELETE FROM orders WHERE id = 1", "INSERT INTO orders VALUES (4, 'x', '2024-01-03 10:00:00')")
    again = lab.ingest("orders")
    assert (again.previous, lab.rows("orders")["id"].to_list()) == (first.commit, [1, 2, 3, 4])


def test_a_value_that_a_type_cannot_hold_is_not_told() -> None:
    for dtype, value in ((pl.Int64(), "123-45-6789"), (pl.Int64(), 2**70), (pl.Decimal(38, 2), Decimal(10**37))):
        with pytest.raises(ContractBroken, match="column 'ssn' holds a value that is no") as error:
            sqltypes.Column("ssn", dtype).series([value], "shop")
        assert str(value) not in str(error.value)
        assert error.value.__cause__ is None


def test_a_text_that_sqlite_cannot_read_is_not_told(tmp_path: Path) -> None:
    run(f"sqlite:///{tmp_path}/a.db", "CREATE TABLE t (mail TEXT)", "INSERT INTO t VALUES (CAST(x'ff616461' AS TEXT))")
    with pytest.raises(UsageError, match="Could not decode to UTF-8 column 'mail'") as error:
        list(frames(tmp_path, SqlSource(url="sqlite:///a.db", table="t")))
    assert "ada" not in str(error.value)


def test_a_value_that_the_server_cannot_cast_is_not_told(postgres: str, tmp_path: Path) -> None:
    source = SqlSource(url=postgres, sql="SELECT CAST(mail AS INT) AS n FROM (VALUES ('ada@example.org')) AS t (mail)")
    with pytest.raises(PenstockError, match="invalid input syntax for type integer") as error:
        list(frames(tmp_path, source))
    assert "ada" not in str(error.value)
