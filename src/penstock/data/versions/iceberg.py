"""A version as a snapshot of an Iceberg table, for Spark, Trino, DuckDB and whoever else reads those.

No row is copied: the table names the parts in the store, which a tag keeps from the garbage. So it is read where the
store can be read, and is not written to: the next export makes it what the exported version is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.digest import short
from penstock.errors import MissingExtra, PenstockError, UsageError
from penstock.store import Manifest, Store

COMMIT = "penstock.commit"  # the property of a snapshot that says which version it is


@dataclass(frozen=True)
class Exported:
    """What an export did. `added`: parts that the table did not have; `replaced`: whether others had to go."""

    table: str
    commit: str
    rows: int
    added: int
    replaced: bool


def export_iceberg(
    store: Store,
    commit: str,
    table: str,
    catalog: str,
    *,
    warehouse: str | None = None,
    before: Callable[[], object] = lambda: None,
) -> Exported:
    """Make an Iceberg table what a version is, in one transaction of its catalog.

    `table` is NAMESPACE.TABLE. `catalog` is a name that PyIceberg's configuration knows, or the URL of an SQL
    database, which then needs a `warehouse`, the directory or URL where metadata go. MissingExtra without PyIceberg;
    UsageError for types that Iceberg has no equal for. `before` is called once the catalog is open and nothing is
    written yet.
    """
    manifest = store.manifest(commit)
    _refuse(manifest)
    if table.count(".") < 1:
        raise UsageError(f"{table!r} is no name of an Iceberg table", expected="NAMESPACE.TABLE")
    paths = [f"file://{store.path(part.digest).resolve()}" for part in manifest.parts]
    try:
        opened = _catalog(catalog, warehouse)
        before()
        return _export(opened, table, commit, manifest, paths)
    except PenstockError:
        raise
    except Exception as error:
        raise PenstockError(f"the Iceberg catalog refused: {str(error).splitlines()[0]}", where=catalog) from error


def _export(catalog: Any, name: str, commit: str, manifest: Manifest, paths: Sequence[str]) -> Exported:
    from pyarrow.parquet import read_schema

    schema = read_schema(paths[0].removeprefix("file://"))
    catalog.create_namespace_if_not_exists(name.rpartition(".")[0])
    table = catalog.create_table_if_not_exists(name, schema=schema)
    there = {file["file_path"] for file in table.inspect.files().to_pylist()} if table.current_snapshot() else set()
    if there == set(paths):
        return Exported(name, commit, manifest.rows, 0, False)
    replaced = bool(there - set(paths))
    new = [path for path in paths if replaced or path not in there]
    with table.transaction() as transaction:
        if replaced:
            from pyiceberg.expressions import AlwaysTrue

            transaction.delete(AlwaysTrue())  # names no file any more; deletes none
        with transaction.update_schema(allow_incompatible_changes=replaced) as change:
            for field in table.schema().fields:
                if replaced and field.name not in schema.names:
                    change.delete_column(field.name)
            change.union_by_name(schema)
        transaction.add_files(new, snapshot_properties={COMMIT: commit})
    return Exported(name, commit, manifest.rows, len(set(new) - there), replaced)


def _catalog(catalog: str, warehouse: str | None) -> Any:
    try:
        from pyiceberg.catalog import load_catalog
    except ImportError as error:
        raise MissingExtra("pyiceberg", "iceberg") from error
    if "://" not in catalog:
        return load_catalog(catalog)
    if warehouse is None:
        hint = "--warehouse DIRECTORY"
        raise UsageError(
            "a catalog in a database needs a warehouse, the place of its metadata", where=catalog, hint=hint
        )
    return load_catalog("default", type="sql", uri=catalog, warehouse=warehouse)


def _refuse(manifest: Manifest) -> None:
    """What an Iceberg table cannot be made of: no rows at all, and numbers without a sign."""
    if not manifest.parts:
        raise UsageError("the version has no rows, and Iceberg takes its columns from a file")
    if manifest.packs:
        raise UsageError("the version holds files, and an Iceberg table holds rows")
    unsigned = [name for name, dtype in manifest.schema if dtype.startswith("UInt")]
    if unsigned:
        what = f"Iceberg has no unsigned numbers: {', '.join(unsigned)}"
        raise UsageError(what, hint="cast them in a transform, and export that")


def tag_name(commit: str) -> str:
    """The tag that keeps the parts of an exported version: iceberg-3f9c2a…"""
    return f"iceberg-{short(commit)}"
