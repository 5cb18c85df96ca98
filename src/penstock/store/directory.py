"""A remote in a directory, written as the local store is: a draft in `tmp/` is filled and synced, renamed to its key,
and the directories are synced before anything refers to it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.digest import CHUNK, digest_bytes
from penstock.durable import sync
from penstock.errors import PenstockError
from penstock.store.disk import directory_at, make_directory, open_draft, refused


@dataclass(frozen=True)
class Directory:
    """A directory, of this machine or of a file server. `moving` is locked while a file is compared and set."""

    root: Path

    @classmethod
    def open(cls, root: Path, *, create: bool) -> "Directory":
        """The directory; UsageError when there is none and none is to be made."""
        return cls(directory_at(root, create=create))

    def size(self, key: str) -> int | None:
        """Bytes of the file."""
        with self._reading(key):
            try:
                return (self.root / key).stat().st_size
            except FileNotFoundError:
                return None

    def send(self, key: str, path: Path) -> None:
        """Copy it to a draft, sync and rename that; the names in a directory are synced once, in `settle`."""
        with open_draft(self.root) as (file, draft):
            with path.open("rb") as source:
                shutil.copyfileobj(source, file, CHUNK)
            file.flush()
            self._name(draft, key)

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """As they are read."""
        return self._pieces(key) if self.size(key) is not None else None

    def read(self, key: str) -> tuple[bytes, Mapping[str, str]] | None:
        """The file with its digest."""
        with self._reading(key):
            try:
                data = (self.root / key).read_bytes()
            except FileNotFoundError:
                return None
        return data, {"digest": digest_bytes(data)}

    def write(self, key: str, data: bytes) -> None:
        """As `send`, and settled."""
        with open_draft(self.root) as (file, draft):
            file.write(data)
            file.flush()
            self._name(draft, key)
        self.settle([key])

    def replace(self, key: str, data: bytes, expected: Mapping[str, str] | None) -> bool:
        """File systems know no conditional writes: one process at a time."""
        with self._alone():
            present = self.read(key)
            if (present and present[1]) != expected:
                return False
            self.write(key, data)
        return True

    def settle(self, keys: Iterable[str]) -> None:
        """Sync the directories that they are in, and those above them."""
        above = {parent for key in keys for parent in (self.root / key).parents if parent.is_relative_to(self.root)}
        try:
            for directory in sorted(above):
                sync(directory)
        except OSError as error:
            raise refused(error, self.root) from error

    def keys(self, prefix: str) -> list[str]:
        """Every file below."""
        found = (path for path in (self.root / prefix).rglob("*") if path.is_file())
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def _pieces(self, key: str) -> Iterator[bytes]:
        with self._reading(key), (self.root / key).open("rb") as file:
            while piece := file.read(CHUNK):
                yield piece

    def _name(self, draft: Path, key: str) -> None:
        final = self.root / key
        sync(draft)
        make_directory(final.parent)
        os.replace(draft, final)

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PenstockError(f"cannot be read: {error.strerror or error}", where=str(self.root / key)) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            # NFS gives an exclusive lock only to who may write
            descriptor = os.open(self.root / "moving", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise refused(error, self.root) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
