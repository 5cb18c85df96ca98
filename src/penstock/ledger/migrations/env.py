"""Alembic's entry: the connection comes from `penstock.ledger.migrate`, already in a transaction."""

from alembic import context

from penstock.ledger.migrate import spell_kind
from penstock.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    render_item=spell_kind,
    transactional_ddl=True,  # SQLite has it too: a killed migration leaves nothing behind
)
context.run_migrations()
