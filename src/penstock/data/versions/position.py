"""What belongs to each version of an ingested dataset: how far its sources were read, and what was set aside."""

from collections.abc import Mapping
from typing import Any

from penstock.ledger import Cursor, Reader

QUARANTINE = ".quarantine"


def cursor_name(dataset: str, commit: str) -> str:
    """Each version has its cursor, so that whoever comes back to it, on any branch, reads on from there."""
    return f"ingest:{dataset}@{commit}"


def position_of(reader: Reader, dataset: str, commit: str) -> Mapping[str, Any]:
    """The files and settings that a version was made of; empty for one that no ingest made."""
    found = reader.get(Cursor, name=cursor_name(dataset, commit))
    return found.position if found else {}
