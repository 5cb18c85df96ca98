"""Looking for damage: every blob is read and compared with its name."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from penstock.errors import Damaged
from penstock.store.blobs import Blobs
from penstock.store.manifest import Manifest, is_manifest


@dataclass(frozen=True)
class Damage:
    """A blob that is not what was written. `parts`: which parts of which versions it holds, and what points to it."""

    digest: str
    path: str
    why: str
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join([f"{self.path}: {self.why}", *self.parts])


def damages(blobs: Blobs, digests: Iterable[str] | None, expected: Iterable[str] = ()) -> list[Damage]:
    """Damage in these blobs and in the parts of those that are manifests (None: in the whole store)."""
    places: dict[str, list[str]] = {}
    asked = [*dict.fromkeys([*(blobs.digests() if digests is None else digests), *expected])]
    for commit in asked:
        for digest, place in _parts(blobs, commit):
            places.setdefault(digest, []).append(place)
    every = dict.fromkeys([*asked, *places])
    found = ((digest, _why(blobs, digest)) for digest in every)
    return [
        Damage(digest, str(blobs.location(digest)), why, tuple(places.get(digest, ()))) for digest, why in found if why
    ]


def _why(blobs: Blobs, digest: str) -> str | None:
    try:
        blobs.check(digest)
    except Damaged as damaged:
        return damaged.what
    return None


def _parts(blobs: Blobs, commit: str) -> Iterator[tuple[str, str]]:
    """(digest, place) of the parts and packs, when the blob is a whole manifest."""
    try:
        value = json.loads(blobs.read(commit)) if blobs.is_json(commit) else None
    except (Damaged, ValueError):
        return
    if is_manifest(value):
        yield from Manifest.from_json(value, commit=commit).blobs(commit)
