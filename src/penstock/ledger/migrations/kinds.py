"""The five kinds of column, as migrations spell them. Never change one: add another."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# The C collation sorts by code point, as SQLite does.
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INTEGER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
NUMBER: sa.types.TypeEngine[float] = sa.Double()
TIME = sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
DOCUMENT = sa.Text()

KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": TEXT,
    "integer": INTEGER,
    "number": NUMBER,
    "time": TIME,
    "document": DOCUMENT,
}
