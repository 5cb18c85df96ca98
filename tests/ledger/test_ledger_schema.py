import sqlite3
import subprocess
import sys

import pytest

from penstock.errors import MissingExtra, PenstockError, UsageError
from penstock.ledger import Ledger, records
from penstock.ledger.tables import REVISION, TABLES, table_of


def test_every_record_has_a_table():
    known = {value for value in vars(records).values() if isinstance(value, type) and hasattr(value, "_fields")}
    assert {table.record for table in TABLES} == known


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_a_table_names_are_fields_of_its_record(table):
    named = [*table.key, *(name for group in (*table.unique, *table.indexes) for name in group)]
    named += [name for parent in table.parents for name in parent.columns]
    assert set(named) <= set(table.record._fields)
    assert not any(table.column(name).optional for name in table.key)


def test_columns_come_from_fields():
    columns = {column.name: (column.kind, column.optional) for column in table_of(records.Run).columns}
    assert columns["number"] == ("integer", False)
    assert columns["params"] == ("document", False)
    assert columns["finished_at"] == ("time", True)
    assert columns["error"] == ("text", True)


def test_the_newest_migration_is_the_one_that_opening_expects():
    from alembic.script import ScriptDirectory

    from penstock.ledger.migrate import _config

    assert ScriptDirectory.from_config(_config(None)).get_heads() == [REVISION]


def test_migrations_make_exactly_the_tables(ledger, url):
    import sqlalchemy as sa
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from penstock.ledger.schema import metadata

    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        difference = compare_metadata(context, metadata())
    engine.dispose()
    assert difference == [], "tables.py or records.py changed: python -m penstock.ledger.migrate 'what changed'"


def test_a_fresh_sqlite_ledger_has_what_the_migrations_make():
    from penstock.ledger.migrate import SQLITE, statements

    assert SQLITE.read_text() == statements(), "the migrations changed: python -m penstock.ledger.migrate"


def test_an_sqlite_file_at_an_older_revision_is_migrated(tmp_path):
    file = tmp_path / "ledger.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    connection.close()
    with Ledger.open(f"sqlite:///{file}").read() as reader:
        assert reader.count(records.Run) == 0


def test_a_ledger_of_a_newer_version_is_refused(ledger, url, tamper):
    tamper("UPDATE alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(PenstockError, match="not one that this version knows"):
            Ledger.open(url)
    finally:
        tamper(f"UPDATE alembic_version SET version_num = '{REVISION}'")


@pytest.mark.parametrize("kept", ["current", "fresh"])
def test_neither_the_door_nor_an_sqlite_ledger_loads_a_heavy_library(sqlite_file, tmp_path, kept):
    file = sqlite_file if kept == "current" else tmp_path / "ledger.db"
    code = (
        "import sys; from penstock.ledger import *\n"
        f"with Ledger.open('sqlite:///{file}').read() as reader: reader.find(Run)\n"
        "heavy = {'sqlalchemy', 'alembic', 'psycopg', 'cryptography', 'polars', 'numpy', 'pydantic'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_postgres_without_its_driver_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match="psycopg"):
        Ledger.open("postgresql://nobody@127.0.0.1:1/ledger")


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_a_server_that_is_away_is_named_without_the_password(scheme):
    pytest.importorskip("psycopg")
    with pytest.raises(PenstockError, match=r"postgresql://127\.0\.0\.1:1/ledger") as caught:
        Ledger.open(f"{scheme}://ada:secret@127.0.0.1:1/ledger")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("mark", ["/", "#", "?", "@", "[", "]", "%", " ", ":", "?x=1@"])
def test_a_password_with_any_mark_is_not_shown(mark):
    pytest.importorskip("psycopg")
    with pytest.raises(PenstockError, match="no connection to PostgreSQL") as caught:
        Ledger.open(f"postgresql://ada:secret{mark}hidden@127.0.0.1:1/ledger?connect_timeout=2")
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("options", ["password=secret", "password=se@cret", "password=a/secret@b"])
def test_a_password_among_the_options_is_not_shown(options):
    pytest.importorskip("psycopg")
    with pytest.raises(PenstockError, match="no connection to PostgreSQL") as caught:
        Ledger.open(f"postgresql://ada@127.0.0.1:1/ledger?{options}")
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql:/ada:secret@h/db", "ada:secret@h/db", ""])
def test_what_is_no_url_is_not_shown(url):
    with pytest.raises(UsageError, match="this URL names no database") as caught:
        Ledger.open(url)
    assert caught.value.where == "ledger"


def test_an_address_without_its_end_is_a_usage_error():
    pytest.importorskip("psycopg")
    with pytest.raises(UsageError, match="cannot be read"):
        Ledger.open("postgresql://ada@[::1/ledger")


def test_every_spelling_of_a_postgres_url_opens(postgres):
    for scheme in ("postgres", "postgresql+psycopg"):
        Ledger.open(postgres.replace("postgresql", scheme) + "/ledger").close()


def test_a_server_that_was_restarted_is_met_anew(postgres):
    import psycopg

    ledger = Ledger.open(f"{postgres}/ledger")
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ledger'")
    with ledger.read() as reader:
        assert reader.count(records.Run) >= 0
    ledger.close()


def test_a_ledger_of_one_branch_learns_when_it_moved(tmp_path):
    import sqlalchemy as sa
    from alembic import command

    from penstock.ledger.migrate import _config

    with sa.create_engine(f"sqlite:///{tmp_path / 'ledger.db'}").begin() as connection:
        command.upgrade(_config(connection), "0001")
        for commit, at in (("c1", "2026-01-01T00:00:00.000000Z"), ("c2", "2026-01-02T00:00:00.000000Z")):
            row = f"('{commit}', 'flights', '', '', 1, 1, '', '{at}')"
            connection.exec_driver_sql(f"INSERT INTO versions VALUES {row}")
        row = "('flights', 'main', 'branch', 'c1', '2026-01-03T00:00:00.000000Z')"
        connection.exec_driver_sql(f"INSERT INTO refs VALUES {row}")
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    with ledger.read() as reader:
        moves = reader.find(records.RefMove, dataset="flights", name="main")
    ledger.close()
    assert [(move.number, move.commit, move.at.day) for move in moves] == [(1, "c1", 1), (2, "c2", 2), (3, "c1", 3)]


def test_a_ledger_of_final_metrics_keeps_them_as_summaries_and_points(tmp_path):
    import sqlalchemy as sa
    from alembic import command

    from penstock.ledger.migrate import _config

    at = "2026-01-01T00:00:00.000000+00:00"
    with sa.create_engine(f"sqlite:///{tmp_path / 'ledger.db'}").begin() as connection:
        command.upgrade(_config(connection), "0002")
        connection.exec_driver_sql(
            "INSERT INTO runs VALUES ('r', 1, 'finished', 'k', 'f', '{}', 7, '{}', '{}', 'c', NULL, NULL, 'e', '{}', 1,"
            f" '{at}', NULL, NULL, NULL, NULL, NULL, NULL)"
        )
        connection.exec_driver_sql(f"INSERT INTO metrics VALUES ('r', 'seconds', 0, 2.5, '{at}')")
        for name, value in (("depth", "6"), ("rate", "1e-3"), ("kind", "gbdt"), ("wide", "true"), ("blank", " 6")):
            connection.exec_driver_sql(f"INSERT INTO params VALUES ('r', '{name}', '{value}')")
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    with ledger.read() as reader:
        assert reader.get(records.Run).kind == "training"
        assert reader.get(records.Metric)[2:] == (2.5, 0, reader.get(records.Run).started_at, 2.5, 2.5, 1)
        assert reader.get(records.MetricPoint).value == 2.5
        numbers = {param.name: param.number for param in reader.find(records.Param)}
    ledger.close()
    assert numbers == {"depth": 6, "rate": 0.001, "kind": None, "wide": None, "blank": None}


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_a_ledger_at_each_older_revision_becomes_what_a_fresh_one_is(fresh_url, revision):
    import sqlalchemy as sa
    from alembic import command
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from penstock.ledger.migrate import _config
    from penstock.ledger.mlflow import Experiment
    from penstock.ledger.schema import metadata

    engine = sa.create_engine(fresh_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        command.upgrade(_config(connection), revision)
    Ledger.open(fresh_url).close()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata()) == []
    engine.dispose()
    with Ledger.open(fresh_url).read() as reader:
        assert reader.find(Experiment) == []
