"""Immutable bytes: everything that a version consists of.

A *blob* is a file named by the digest of its bytes. A *table* is rows in Parquet blobs, its parts. A
*manifest* names a table's schema, parts, parents and producer; it is itself a blob, and its digest is
the version's id, the *commit*. The *lock file* pins a commit per dataset and is kept in Git.

    store = Store.open(Path(".penstock/store"))
    table = store.write_table(frame)
    commit = store.commit(Manifest(table.schema, table.parts, producer="ingest"))
    store.scan(commit).collect()

Nothing is ever changed in place; reading verifies; what nobody refers to is collected.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from penstock.store.lock import Pin, read_lock, write_lock
from penstock.store.manifest import Manifest, Part, Table
from penstock.store.store import Store

if TYPE_CHECKING:
    from penstock.store.collect import Swept
    from penstock.store.tables import dtype_of
    from penstock.store.verify import Damage

__all__ = ["Damage", "Manifest", "Part", "Pin", "Store", "Swept", "Table", "dtype_of", "read_lock", "write_lock"]


_HOMES = {"Damage": "verify", "Swept": "collect", "dtype_of": "tables"}


def __getattr__(name: str) -> object:
    """What few commands need comes on first use; `dtype_of` loads Polars."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.store' has no attribute {name!r}")
    return getattr(import_module(f"penstock.store.{_HOMES[name]}"), name)
