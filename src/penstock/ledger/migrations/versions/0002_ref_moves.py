"""Where a branch was, and since when: time travel on each branch by itself."""

import sqlalchemy as sa
from alembic import op

from penstock.ledger.migrations import kinds

revision = "0002"
down_revision = "0001"

# Until now there was one branch, and a version came to it when it was made; the last one may have come back since.
PUBLISHED = """
INSERT INTO ref_moves (dataset, name, number, "commit", at)
SELECT v.dataset, 'main', row_number() OVER (PARTITION BY v.dataset ORDER BY v.created_at, v."commit"), v."commit",
       v.created_at
FROM versions v JOIN refs r ON r.dataset = v.dataset AND r.name = 'main'
"""
CAME_BACK = """
INSERT INTO ref_moves (dataset, name, number, "commit", at)
SELECT r.dataset, 'main', m.number + 1, r."commit", r.updated_at
FROM refs r JOIN ref_moves m ON m.dataset = r.dataset
WHERE r.name = 'main' AND m."commit" <> r."commit"
  AND m.number = (SELECT max(number) FROM ref_moves WHERE dataset = r.dataset)
"""


def upgrade() -> None:
    """One table, filled with what the refs and versions tell."""
    op.create_table(
        "ref_moves",
        sa.Column("dataset", kinds.TEXT, nullable=False),
        sa.Column("name", kinds.TEXT, nullable=False),
        sa.Column("number", kinds.INTEGER, nullable=False),
        sa.Column("commit", kinds.TEXT, nullable=False),
        sa.Column("at", kinds.TIME, nullable=False),
        sa.PrimaryKeyConstraint("dataset", "name", "number", name=op.f("pk_ref_moves")),
    )
    op.execute(PUBLISHED)
    op.execute(CAME_BACK)
