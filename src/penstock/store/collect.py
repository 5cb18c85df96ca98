"""Garbage: what no root reaches and no writer may still be about to name.

Mark walks from the roots through every JSON blob (manifests, bundle manifests, code snapshots…): any
text in it that looks like a digest counts as a reference, so a new kind of record needs no change
here, and a mistake can only keep too much. What may refer is verified: a damaged blob names other digests
or none, so the sweep does not begin.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from penstock.store.blobs import Blobs

_REFERENCE = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Swept:
    """What a sweep did. `freed` is in bytes; `young` are unreachable blobs still in their grace time."""

    kept: int
    young: int
    removed: int
    freed: int
    drafts: int


def mark(blobs: Blobs, roots: Iterable[str]) -> set[str]:
    """Every blob that is here and can be reached from `roots`. Roots that are no blob are passed over.

    Damaged when one of them that may refer to others is not what was written.
    """
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest not in reached and blobs.has(digest):
            reached.add(digest)
            waiting.extend(references(blobs, digest))
    return reached


def references(blobs: Blobs, digest: str) -> set[str]:
    """The digests that a JSON blob names; none for other blobs. Raises Damaged."""
    if blobs.head(digest).startswith(_PARQUET):
        return set()  # rows are the bulk of a store, and hardly a damage makes a manifest begin like them
    if blobs.is_json(digest):
        return {found.decode() for found in _REFERENCE.findall(blobs.read(digest))}
    blobs.check(digest)  # or it may have been JSON
    return set()


def sweep(blobs: Blobs, marked: set[str], grace: timedelta) -> Swept:
    """Remove unmarked blobs and left-over drafts that are older than `grace`."""
    oldest = time.time() - grace.total_seconds()
    young = removed = freed = kept = 0
    for digest in blobs.digests():
        if digest in marked:
            kept += 1
        elif (size := _remove(blobs, digest, oldest)) is None:
            young += 1
        else:
            removed += 1
            freed += size
    return Swept(kept=kept, young=young, removed=removed, freed=freed, drafts=_remove_drafts(blobs, oldest))


def _remove(blobs: Blobs, digest: str, oldest: float) -> int | None:
    """The bytes freed, or None for a blob that is younger than the grace time."""
    path = blobs.location(digest)
    with blobs.sweep_lock(exclusive=True):
        try:
            found = path.stat()
        except FileNotFoundError:
            return 0
        if found.st_mtime > oldest:
            return None
        path.unlink()
    return found.st_size


def _remove_drafts(blobs: Blobs, oldest: float) -> int:
    removed = 0
    for path in blobs.drafts():
        try:
            if path.stat().st_mtime <= oldest:
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue
    return removed
