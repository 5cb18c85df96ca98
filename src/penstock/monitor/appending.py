"""Datasets that grow at the end: a new version is the old parts and new ones.

Small parts at the end are written again together with the new rows, so that a log which is read every minute
has few parts after a year, and each row is written a few times only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from penstock.data import head, publish, version_of
from penstock.ledger import Ledger, Transaction, Version, node
from penstock.store import Manifest, Part, Store, Table

PART_ROWS = 200_000


@dataclass(frozen=True)
class Appended:
    """A version that is in the store and waits to be published after `before`."""

    version: Version
    before: Version | None


def prepare(ledger: Ledger, store: Store, dataset: str, rows: pl.DataFrame, producer: str) -> Appended:
    """Write `rows` behind the rows of a dataset. Nobody sees them before `publish_appended`."""
    with ledger.read() as reader:
        before = head(reader, dataset)
    present = store.manifest(before.commit) if before else Manifest((), ())
    kept = len(present.parts) - rewritten(present.parts, rows.height)
    if kept < len(present.parts):
        last = store.rows(Table(present.schema, present.parts[kept:])).collect()
        rows = pl.concat([last, rows])
    table = store.write_table(rows, rows_per_part=PART_ROWS)
    parents = (before.commit,) if before else ()
    manifest = Manifest(table.schema, (*present.parts[:kept], *table.parts), parents=parents, producer=producer)
    return Appended(version_of(dataset, store.commit(manifest), manifest), before)


def publish_appended(tx: Transaction, appended: Appended) -> None:
    """Let the dataset grow. Conflict when it has grown meanwhile."""
    before = appended.before
    publish(tx, appended.version, expected=before.commit if before else None)
    if before:
        tx.link(node("data", before.commit), node("data", appended.version.commit), "parent")


def rewritten(parts: Sequence[Part], rows: int) -> int:
    """How many parts at the end to write again with `rows` new rows.

    Each part that stays has at least twice as many rows as what follows it, or is about full. So there are never
    more than a few small parts, and a row is written again only when its part at least doubles by half.
    """
    count = 0
    for part in reversed(parts):
        if part.rows >= 2 * rows or part.rows + rows > PART_ROWS:
            break
        count, rows = count + 1, rows + part.rows
    return count
