"""A store elsewhere: the same blobs at a URL, records beside them, and refs that move by compare-and-set.

    blobs/ab/ab12…                   immutable, named by their digests, as in the local store
    versions/DATASET/COMMIT.json     written once, after every blob of the version
    refs/DATASET/NAME.json           moved last, by conditional writes

So whatever kills a writer and whenever, no ref leads to something that is not there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from penstock.digest import canonical_json
from penstock.errors import Damaged
from penstock.store.blobs import Blobs
from penstock.store.bucket import Bucket
from penstock.store.directory import Directory
from penstock.store.objects import is_url

_HINT = "send it again from where it is whole: penstock data push --verify"


class Place(Protocol):
    """Files by key. Whoever reads one sees it whole or not at all. PenstockError where something cannot be done."""

    def size(self, key: str) -> int | None:
        """Its bytes; None when there is none."""

    def send(self, key: str, path: Path) -> None:
        """Put a copy of a file there. It survives a power cut once it is settled."""

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """Its bytes, a piece at a time."""

    def read(self, key: str) -> tuple[bytes, Mapping[str, str]] | None:
        """All its bytes, and what names that state of it."""

    def write(self, key: str, data: bytes) -> None:
        """Put bytes there, settled, whatever is there."""

    def replace(self, key: str, data: bytes, expected: Mapping[str, str] | None) -> bool:
        """The same in place of what is in that state (None: of nothing). False when something else is there."""

    def settle(self, keys: Iterable[str]) -> None:
        """Have files survive a power cut from here on, whoever has put them there."""

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins with `prefix/`."""


@dataclass(frozen=True)
class Stored:
    """A JSON document, and what names this state of it."""

    value: Any
    state: Mapping[str, str]


@dataclass(frozen=True)
class Remote:
    """The store at `url`. Safe for any number of machines at once."""

    url: str
    _place: Place

    @classmethod
    def open(cls, url: str, *, root: Path, create: bool = False) -> "Remote":
        """The store at `url`, an object store's or a directory's, seen from `root`. Nothing is asked of it yet.

        `create` makes a directory that is missing; buckets are never made.
        """
        if is_url(url) and not url.startswith("file://"):
            return cls(url.rstrip("/"), Bucket.open(url))
        path = Path(unquote(urlsplit(url).path)) if is_url(url) else root / Path(url).expanduser()
        directory = path.resolve()
        return cls(str(directory), Directory.open(directory, create=create))

    # --- blobs ---

    def holds(self, digest: str, size: int) -> bool:
        """Whether a blob of that name and size is there; its bytes are not looked at."""
        return self._place.size(blob_key(digest)) == size

    def send(self, digest: str, path: Path) -> None:
        """Put the bytes of a file there. They are seen all at once, or not at all."""
        self._place.send(blob_key(digest), path)

    def settle(self, keys: Iterable[str]) -> None:
        """Have what is at these keys survive a power cut: before anything is written that refers to it."""
        self._place.settle(keys)

    def fetch(self, digest: str, blobs: Blobs) -> None:
        """Keep a blob here. Damaged, naming it there, when it is missing or not what its name says."""
        blobs.receive(digest, self._chunks(digest), source=self.place(digest), hint=_HINT)

    def check(self, digest: str) -> None:
        """Read a whole blob there and raise Damaged unless it is what its name says."""
        from blake3 import blake3

        hasher = blake3()
        for chunk in self._chunks(digest):
            hasher.update(chunk)
        if hasher.hexdigest() != digest:
            raise Damaged(f"blob {digest} is damaged", where=self.place(digest), hint=_HINT)

    def place(self, digest: str) -> str:
        """Where a blob is, for people."""
        return f"{self.url}/{blob_key(digest)}"

    def _chunks(self, digest: str) -> Iterator[bytes]:
        chunks = self._place.chunks(blob_key(digest))
        if chunks is None:
            raise Damaged(f"blob {digest} is missing", where=self.place(digest), hint=_HINT)
        return chunks

    # --- records and refs ---

    def read(self, key: str) -> Stored | None:
        """The JSON document at a key, None when there is none. Damaged when it is not JSON."""
        found = self._place.read(key)
        if found is None:
            return None
        data, state = found
        try:
            return Stored(json.loads(data), state)
        except ValueError:
            raise Damaged("not a JSON document", where=f"{self.url}/{key}") from None

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins with `prefix/`."""
        return self._place.keys(prefix)

    def write(self, key: str, value: Any) -> None:
        """Put a JSON document there, whatever is there."""
        self._place.write(key, canonical_json(value))

    def move(self, key: str, value: Any, expected: Stored | None) -> bool:
        """Compare and set: put a document in place of `expected` (None: of nothing). False when another is there."""
        return self._place.replace(key, canonical_json(value), expected.state if expected else None)


def record_key(dataset: str, commit: str) -> str:
    """Where the record of a version is."""
    return f"versions/{dataset}/{commit}.json"


def ref_key(dataset: str, name: str) -> str:
    """Where a ref is. Branches of Git may have any character in their names; keys may not."""
    return f"refs/{dataset}/{quote(name, safe='').replace('%', '=')}.json"


def blob_key(digest: str) -> str:
    """Where a blob is."""
    return f"blobs/{digest[:2]}/{digest}"
