"""What travels with a version: all that the ledger of another machine must know of it, as one JSON document."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.data.versions.position import cursor_name, position_of
from penstock.ledger import Cursor, Edge, Execution, Reader, Transaction, Version, node, utc_now
from penstock.store import Manifest

Record = Mapping[str, Any]


def record_of(reader: Reader, version: Version, manifest: Manifest) -> Record:
    """The version, its parents, the step that made it, how far its sources are read, and its lineage."""
    name = node("data", version.commit)
    edges = [*reader.find(Edge, target=name), *reader.find(Edge, source=name, role="quarantine")]
    return {
        "version": {**version._asdict(), "created_at": version.created_at.isoformat()},
        "parents": list(manifest.parents),
        "execution": _execution(reader, version),
        "position": _elsewhere(position_of(reader, version.dataset, version.commit)),
        "edges": sorted([edge.source, edge.target, edge.role, edge.at.isoformat()] for edge in edges),
    }


def version_in(record: Record) -> Version:
    """The version that a record is about."""
    fields = record["version"]
    return Version(**{**fields, "created_at": datetime.fromisoformat(fields["created_at"])})


def remember(tx: Transaction, record: Record) -> None:
    """Let this ledger know what the record says; what it knows already stays."""
    version, execution = version_in(record), record["execution"]
    if tx.get(Version, dataset=version.dataset, commit=version.commit) is None:
        tx.add(version)
    if execution and tx.get(Execution, key=execution["key"]) is None:
        tx.add(Execution(**{**execution, "finished_at": datetime.fromisoformat(execution["finished_at"])}))
    name = cursor_name(version.dataset, version.commit)
    if record["position"] and tx.get(Cursor, name=name) is None:
        tx.add(Cursor(name, record["position"], utc_now()))
    for source, target, role, at in record["edges"]:
        if tx.get(Edge, source=source, target=target, role=role) is None:
            tx.add(Edge(source, target, role, datetime.fromisoformat(at)))


def _execution(reader: Reader, version: Version) -> dict[str, Any] | None:
    """The step: an ingest by its key; a transform, whose versions name its function, by what came out."""
    found = reader.get(Execution, key=version.producer)
    if found is None:
        steps = reader.find(Execution, step=f"transform {version.dataset}")
        found = next((one for one in steps if one.outputs.get("commit") == version.commit), None)
    return {**found._asdict(), "finished_at": found.finished_at.isoformat()} if found else None


def _elsewhere(position: Mapping[str, Any]) -> dict[str, Any]:
    """Files have other times on another machine: without them each is known by its digest."""
    files = [{**file, "mtime_ns": 0} for file in position.get("files", ())]
    return {**position, "files": files} if position else {}
