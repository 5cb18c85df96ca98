"""A store elsewhere: the same blobs at a URL, records beside them, and refs that move by compare-and-set.

    blobs/ab/ab12…                   immutable, named by their digests, as in the local store
    versions/DATASET/COMMIT.json     written once, after every blob of the version
    refs/DATASET/NAME.json           moved last, by conditional writes

So whatever kills a writer and whenever, no ref leads to something that is not there.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from penstock.digest import canonical_json
from penstock.errors import Damaged
from penstock.store.blobs import Blobs
from penstock.store.objects import explained, is_url, object_store

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHUNK = 1 << 20  # bytes of a blob in memory at a time, for each that is fetched
PIECE = 8 << 20  # bytes of a blob sent in one request
AT_ONCE = 2  # requests that send pieces of one blob

_HINT = "send it again from where it is whole: penstock data push --verify"


@dataclass(frozen=True)
class Stored:
    """A JSON document and what names this state of it."""

    value: Any
    state: Mapping[str, str]  # what the object store calls it: its ETag, and a version where it keeps those


@dataclass(frozen=True)
class Remote:
    """The store at `url`. Safe for any number of machines at once."""

    url: str
    _objects: "ObjectStore"
    _directory: Path | None  # what it is where `url` is one: file systems know no conditional writes

    @classmethod
    def open(cls, url: str, *, root: Path, create: bool = False) -> "Remote":
        """The store at `url`, an object store's or a directory's, seen from `root`. Nothing is asked of it yet."""
        if is_url(url) and not url.startswith("file://"):
            return cls(url.rstrip("/"), object_store(url), None)
        path = Path(url.removeprefix("file://")) if is_url(url) else root / Path(url).expanduser()
        directory = path.resolve()
        return cls(str(directory), object_store(directory, create=create), directory)

    # --- blobs ---

    def holds(self, digest: str, size: int) -> bool:
        """Whether a blob of that name and size is there; its bytes are not looked at."""
        import obstore

        with explained(self.url):
            try:
                return obstore.head(self._objects, _blob(digest))["size"] == size
            except FileNotFoundError:
                return False

    def send(self, digest: str, path: Path) -> None:
        """Put the bytes of a file there. They are seen all at once, or not at all."""
        import obstore

        with explained(self.url):
            obstore.put(self._objects, _blob(digest), path, chunk_size=PIECE, max_concurrency=AT_ONCE)

    def fetch(self, digest: str, blobs: Blobs) -> None:
        """Keep a blob here. Damaged, naming it there, when it is missing or not what its name says."""
        with explained(self.url):
            blobs.receive(digest, self._chunks(digest), source=self.place(digest), hint=_HINT)

    def check(self, digest: str) -> None:
        """Read a whole blob there and raise Damaged unless it is what its name says."""
        from blake3 import blake3

        hasher = blake3()
        with explained(self.url):
            for chunk in self._chunks(digest):
                hasher.update(chunk)
        if hasher.hexdigest() != digest:
            raise Damaged(f"blob {digest} is damaged", where=self.place(digest), hint=_HINT)

    def place(self, digest: str) -> str:
        """Where a blob is, for people."""
        return f"{self.url}/{_blob(digest)}"

    def _chunks(self, digest: str) -> Iterator[bytes]:
        import obstore

        try:
            found = obstore.get(self._objects, _blob(digest))
        except FileNotFoundError:
            raise Damaged(f"blob {digest} is missing", where=self.place(digest), hint=_HINT) from None
        for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    # --- records and refs ---

    def read(self, key: str) -> Stored | None:
        """The JSON document at a key, None when there is none. Damaged when it is not JSON."""
        import json

        import obstore

        with explained(self.url):
            try:
                found = obstore.get(self._objects, key)
                data = bytes(found.bytes())
            except FileNotFoundError:
                return None
        try:
            value = json.loads(data)
        except ValueError:
            raise Damaged("not a JSON document", where=f"{self.url}/{key}") from None
        state = {"e_tag": found.meta["e_tag"], "version": found.meta["version"]}
        return Stored(value, {name: text for name, text in state.items() if text is not None})

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins with `prefix/`."""
        import obstore

        with explained(self.url):
            return sorted(one["path"] for batch in obstore.list(self._objects, prefix) for one in batch)

    def write(self, key: str, value: Any) -> None:
        """Put a JSON document there, whatever is there."""
        import obstore

        with explained(self.url):
            obstore.put(self._objects, key, canonical_json(value))

    def move(self, key: str, value: Any, expected: Stored | None) -> bool:
        """Compare and set: put a document in place of `expected` (None: of nothing). False when another is there."""
        if self._directory is not None:
            with self._alone(self._directory):
                present = self.read(key)
                if (present and present.value) != (expected and expected.value):
                    return False
                self.write(key, value)
            return True
        return self._put_if(key, value, expected)

    def _put_if(self, key: str, value: Any, expected: Stored | None) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = dict(expected.state) if expected else "create"
        with explained(self.url):
            try:
                obstore.put(self._objects, key, canonical_json(value), mode=mode)
            except (AlreadyExistsError, PreconditionError):
                # when an answer was lost on its way, the client has asked again and lost against itself
                present = self.read(key)
                return present is not None and present.value == value
        return True

    @staticmethod
    @contextmanager
    def _alone(directory: Path) -> Iterator[None]:
        descriptor = os.open(directory / "moving", os.O_RDONLY | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def record_key(dataset: str, commit: str) -> str:
    """Where the record of a version is."""
    return f"versions/{dataset}/{commit}.json"


def ref_key(dataset: str, name: str) -> str:
    """Where a ref is. Branches of Git may have any character in their names; keys may not."""
    return f"refs/{dataset}/{quote(name, safe='').replace('%', '=')}.json"


def _blob(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"
