"""The tables as SQLAlchemy sees them, for Alembic to compare and to write migrations from."""

from typing import Any

import sqlalchemy as sa

from penstock.ledger.migrations import kinds
from penstock.ledger.tables import Table, all_tables

NAMES = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
}


def metadata() -> sa.MetaData:
    """Every table of the ledger."""
    described = sa.MetaData(naming_convention=NAMES)
    for table in all_tables():
        options: dict[str, Any] = {"sqlite_with_rowid": False} if table.by_key else {}
        sa.Table(table.name, described, *_columns(table), *_constraints(table), *_indexes(table), **options)
    return described


def _columns(table: Table) -> list[sa.Column[Any]]:
    return [
        sa.Column(
            column.name,
            kinds.KINDS[column.kind],
            nullable=column.optional,
            autoincrement=False if (column.name,) == table.key else "auto",  # whoever writes a key chooses it
        )
        for column in table.columns
    ]


def _constraints(table: Table) -> list[sa.schema.ColumnCollectionConstraint]:
    parents = [
        sa.ForeignKeyConstraint(
            parent.columns,
            [f"{parent.table}.{name}" for name in parent.key],
            deferrable=True,
            initially="DEFERRED",
        )
        for parent in table.parents
    ]
    return [sa.PrimaryKeyConstraint(*table.key), *(sa.UniqueConstraint(*names) for names in table.unique), *parents]


def _indexes(table: Table) -> list[sa.Index]:
    plain = [sa.Index(None, *names) for names in table.indexes]
    if table.one_where is None:
        return plain
    columns, where = table.one_where
    only = sa.Index(
        f"ux_{table.name}_one", *columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )
    return [*plain, only]
