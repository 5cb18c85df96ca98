"""A remote in an object store, by URL. What the store has acknowledged is there for good."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.store.objects import explained, object_store

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ObjectStore

CHUNK = 1 << 20  # bytes of an object in memory at a time, for each that is fetched
PIECE = 8 << 20  # bytes of a file sent in one request
AT_ONCE = 2  # requests that send pieces of one file


@dataclass(frozen=True)
class Bucket:
    """A prefix of an object store. What it has acknowledged is there for good."""

    url: str
    _objects: "ObjectStore"

    @classmethod
    def open(cls, url: str) -> "Bucket":
        """What is at the URL; nothing is asked of it yet."""
        return cls(url, object_store(url))

    def size(self, key: str) -> int | None:
        """Bytes of the object."""
        import obstore

        with explained(self.url):
            try:
                return obstore.head(self._objects, key)["size"]
            except FileNotFoundError:
                return None

    def send(self, key: str, path: Path) -> None:
        """Put it in pieces."""
        import obstore

        with explained(self.url):
            obstore.put(self._objects, key, path, chunk_size=PIECE, max_concurrency=AT_ONCE)

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """As they arrive."""
        import obstore

        with explained(self.url):
            try:
                return self._pieces(obstore.get(self._objects, key))
            except FileNotFoundError:
                return None

    def read(self, key: str) -> tuple[bytes, Mapping[str, str]] | None:
        """The object with its ETag, and its version where the bucket keeps those."""
        import obstore

        with explained(self.url):
            try:
                found = obstore.get(self._objects, key)
                data = bytes(found.bytes())
            except FileNotFoundError:
                return None
        state = {"e_tag": found.meta["e_tag"], "version": found.meta["version"]}
        return data, {name: text for name, text in state.items() if text is not None}

    def write(self, key: str, data: bytes) -> None:
        """Put it."""
        import obstore

        with explained(self.url):
            obstore.put(self._objects, key, data)

    def replace(self, key: str, data: bytes, expected: Mapping[str, str] | None) -> bool:
        """A conditional write."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = dict(expected) if expected else "create"
        with explained(self.url):
            try:
                obstore.put(self._objects, key, data, mode=mode)
            except (AlreadyExistsError, PreconditionError):
                # when an answer was lost on its way, the client has asked again and lost against itself
                present = self.read(key)
                return present is not None and present[0] == data
        return True

    def settle(self, keys: Iterable[str]) -> None:
        """They are."""

    def keys(self, prefix: str) -> list[str]:
        """As many requests as there are thousands."""
        import obstore

        with explained(self.url):
            return sorted(one["path"] for batch in obstore.list(self._objects, prefix) for one in batch)

    def _pieces(self, found: "GetResult") -> Iterator[bytes]:
        with explained(self.url):
            yield from (bytes(piece) for piece in found.stream(min_chunk_size=CHUNK))
