"""Migrations: bring a ledger's schema up to date, or draft the next step from the tables.

    python -m penstock.ledger.migrate "runs remember their cost"

writes the difference between the migrations and `tables.py` as a new file in `migrations/versions`;
read it, set `tables.REVISION` to its number, then

    python -m penstock.ledger.migrate

writes `migrations/sqlite.sql`, from which a fresh SQLite ledger is made without Alembic.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from penstock.errors import PenstockError
from penstock.ledger.migrations import kinds
from penstock.ledger.tables import REVISION

_HERE = Path(__file__).parent / "migrations"
SQLITE = _HERE / "sqlite.sql"


def upgrade(url: str, connect: Callable[[], Any], *, lock: str) -> None:
    """Run what is lacking in one transaction; `lock` makes those who come at once wait and then find nothing to do."""
    engine = sa.create_engine(url, creator=connect, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(lock)
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as error:
            raise PenstockError(
                f"the ledger's schema is not one that this version knows: {error}",
                expected=f"revision {REVISION} or older",
                hint="use the version of Penstock that wrote it, or a newer one",
            ) from error
        connection.commit()


def draft(message: str) -> Path:
    """A new migration: what the tables have that the migrations do not make. Returns its file."""
    number = f"{len(list(ScriptDirectory.from_config(_config(None)).walk_revisions())) + 1:04d}"
    with sa.create_engine("sqlite://").connect() as connection:
        command.upgrade(_config(connection), "heads")
        made = command.revision(_config(connection), message, autogenerate=True, rev_id=number)
    if not isinstance(made, Script):
        raise PenstockError("Alembic drafted no migration", where=str(_HERE))
    return Path(made.path)


def statements() -> str:
    """What the migrations, all of them, make of an empty SQLite file."""
    with sa.create_engine("sqlite://").connect() as connection:
        command.upgrade(_config(connection), "head")
        made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        lines = [";\n".join(text for (text,) in made), f"INSERT INTO alembic_version VALUES ('{REVISION}')"]
    return ";\n".join(lines) + ";\n"


def spell_kind(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """How a draft writes a column's type: by its name in `kinds`."""
    names = (f"kinds.{name.upper()}" for name, known in kinds.KINDS.items() if item is known)
    return next(names, False) if kind == "type" else False


def _config(connection: sa.Connection | None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(f"{draft(' '.join(sys.argv[1:]))}\n")
    else:
        SQLITE.write_text(statements())
