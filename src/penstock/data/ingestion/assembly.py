"""A new version's rows: parts just written beside parts that stay."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.data.ingestion.plan import File, Known, Plan
from penstock.errors import ContractBroken
from penstock.store import Manifest, Store, Table

if TYPE_CHECKING:
    from penstock.data.ingestion.staging import Staged


def with_parts(plan: Plan, staged: "Sequence[Staged]") -> list[File]:
    """The plan's files, each with the digests of its parts."""
    parts = {one.input.name: {"good": _names(one.good), "bad": _names(one.bad)} for one in staged}
    return [{**file, **parts.get(file["name"], {})} for file in plan.files]


def tables_of(store: Store, known: Known, files: Sequence[File], staged: "Sequence[Staged]") -> tuple[Table, Table]:
    """Good and bad rows of all files. ContractBroken when parts that stay have other columns than the new ones."""
    versions = (known.version, known.aside) if known.current else (None, None)
    before = [store.manifest(version.commit) if version else None for version in versions]
    good, bad = (
        _table(side, old, [getattr(one, side) for one in staged], files, {one.input.name for one in staged})
        for side, old in zip(("good", "bad"), before, strict=True)
    )
    return good, bad


def _table(side: str, old: Manifest | None, fresh: list[Table], files: Sequence[File], read: set[str]) -> Table:
    schema = fresh[0].schema if fresh else (old.schema if old else ())
    stays = any(file[side] for file in files if file["name"] not in read)
    if stays and old and old.schema != schema:
        raise ContractBroken(
            "the contract gives other columns than rows have that were appended before and whose files are gone",
            table=_changes(old, schema),
            hint="put the files back, or give the dataset another name",
        )
    parts = {part.digest: part for table in [*([old] if old else []), *fresh] for part in table.parts}
    return Table(schema, tuple(parts[digest] for file in files for digest in file[side]))


def _names(table: Table) -> list[str]:
    return [part.digest for part in table.parts]


def _changes(old: Manifest, schema: Sequence[tuple[str, str]]) -> list[dict[str, object]]:
    was, now = dict(old.schema), dict(schema)
    names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    return [{"column": name, "was": was.get(name, ""), "is": now.get(name, "")} for name in names]
