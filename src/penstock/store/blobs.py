"""Blobs: immutable files named by the digest of their bytes.

    blobs/ab/ab12…    a blob, read-only
    tmp/…             drafts of writers at work, or left behind by killed ones
    sweeping          locked while a sweep decides about one blob

A writer fills a draft, syncs it, renames it to its final name and syncs the directory, so a final
name always holds whole bytes, whatever kills the writer and whenever.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from penstock.digest import CHUNK, digest_bytes, digest_file, short
from penstock.durable import sync
from penstock.errors import Damaged, UsageError
from penstock.store.disk import make_directory, open_draft, refused

_DIGEST = re.compile(r"[0-9a-f]{64}")
_Stamp = tuple[int, int, int]  # size, mtime_ns, inode


class Draft(NamedTuple):
    """Bytes on disk that have no final name yet."""

    digest: str
    path: Path


class Filling:
    """A blob on its way into the store."""

    def __init__(self, file: BinaryIO) -> None:
        from blake3 import blake3

        self.size = 0
        self._file = file
        self._hasher = blake3()

    def write(self, chunk: bytes) -> None:
        """The next bytes."""
        self._hasher.update(chunk)
        self._file.write(chunk)
        self.size += len(chunk)

    @property
    def digest(self) -> str:
        """Of what was written so far."""
        return self._hasher.hexdigest()


@dataclass(frozen=True)
class Blobs:
    """The blobs under `root`. Reading never writes; the directories appear with the first blob."""

    root: Path
    _verified: dict[str, _Stamp] = field(default_factory=dict, compare=False, repr=False)

    def location(self, digest: str) -> Path:
        """Where the blob is, or would be."""
        if not _DIGEST.fullmatch(digest):
            raise UsageError(f"not a digest: {digest!r}", expected="64 hexadecimal characters")
        return self.root / "blobs" / digest[:2] / digest

    def has(self, digest: str) -> bool:
        """Whether there is a file of that name; its bytes are not looked at."""
        return self.location(digest).is_file()

    def read(self, digest: str) -> bytes:
        """The bytes, verified now."""
        path = self.location(digest)
        with _reading(digest, path):
            data = path.read_bytes()
        _compare(digest, digest_bytes(data), path)
        return data

    def path(self, digest: str) -> Path:
        """The file, verified once, and again when its size, time or inode changed since."""
        path = self.location(digest)
        with _reading(digest, path):
            stamp = _stamp(path)
        if self._verified.get(digest) != stamp:
            self.check(digest)
            self._verified[digest] = stamp
        return path

    def check(self, digest: str) -> None:
        """Read the whole blob and raise Damaged unless it is what its name says."""
        path = self.location(digest)
        with _reading(digest, path):
            actual = digest_file(path)
        _compare(digest, actual, path)

    def size(self, digest: str) -> int:
        """How many bytes the blob has; they are not looked at."""
        path = self.location(digest)
        with _reading(digest, path):
            return path.stat().st_size

    def head(self, digest: str) -> bytes:
        """The first bytes, not verified: what kind of blob it is."""
        path = self.location(digest)
        with _reading(digest, path), path.open("rb") as file:
            return file.read(64)

    def is_json(self, digest: str) -> bool:
        """Whether the blob looks like a JSON object or array: its first character says so."""
        return self.head(digest).lstrip()[:1] in (b"{", b"[")

    def digests(self) -> Iterator[str]:
        """Every blob there is, in order."""
        for directory in sorted((self.root / "blobs").glob("??")):
            yield from sorted(path.name for path in directory.iterdir() if _DIGEST.fullmatch(path.name))

    def put(self, data: bytes) -> str:
        """Keep bytes; returns their digest. Bytes that are already there cost no write."""
        made = self.draft(data)
        if isinstance(made, Draft):
            self.publish([made])
            return made.digest
        return made

    def draft(self, data: bytes) -> Draft | str:
        """Bytes on disk for a later `publish`, or their digest when they are already kept."""
        digest = digest_bytes(data)
        if self.keep(digest):
            return digest
        with open_draft(self.root) as (file, path):
            file.write(data)
        return Draft(digest, path)

    def put_file(self, source: Path) -> str:
        """Keep a copy of a file, hashed while it is copied; a later edit of `source` changes nothing here."""
        with source.open("rb") as original, self.filling() as blob:
            while chunk := original.read(CHUNK):
                blob.write(chunk)
        return blob.digest

    @contextmanager
    def filling(self) -> "Iterator[Filling]":
        """A blob that is written piece by piece; it is kept when the block ends, and gone when the block raises."""
        with open_draft(self.root) as (file, path):
            blob = Filling(file)
            yield blob
        if self.keep(blob.digest):
            path.unlink()
        else:
            self.publish([Draft(blob.digest, path)])

    def receive(self, digest: str, chunks: Iterable[bytes], *, source: str, hint: str) -> None:
        """Keep a blob that comes from elsewhere. Damaged, naming `source`, when the bytes are others: they never get
        its name then.
        """
        from blake3 import blake3

        hasher = blake3()
        with open_draft(self.root) as (file, path):
            for chunk in chunks:
                hasher.update(chunk)
                file.write(chunk)
            if hasher.hexdigest() != digest:
                raise Damaged(f"blob {digest} is damaged", where=source, hint=hint)
        self.publish([Draft(digest, path)])

    def publish(self, drafts: Iterable[Draft]) -> None:
        """Give drafts their final names: all are synced first, then renamed, then each directory is synced once."""
        pending = list(drafts)
        try:
            for draft in pending:
                sync(draft.path)
            finals = [self.location(draft.digest) for draft in pending]
            for directory in {final.parent for final in finals}:
                make_directory(directory)
            for draft, final in zip(pending, finals, strict=True):
                os.replace(draft.path, final)
            for directory in {final.parent for final in finals}:
                sync(directory)
        except OSError as error:
            raise refused(error, self.root) from error
        finally:
            self.discard(pending)

    def discard(self, drafts: Iterable[Draft]) -> None:
        """Remove drafts that will not be published."""
        for draft in drafts:
            draft.path.unlink(missing_ok=True)

    def keep(self, digest: str) -> bool:
        """Whether the blob is here and whole; if so its grace time starts anew.

        A damaged blob answers False, so that putting the same bytes again repairs it.
        """
        try:
            return self.location(digest).is_file() and bool(self.path(digest)) and self.renew(digest)
        except Damaged:
            return False

    def renew(self, digest: str) -> bool:
        """Whether the blob is here, unread; if so its grace time starts anew."""
        path = self.location(digest)
        try:
            with self.sweep_lock(exclusive=False):
                before = _stamp(path)
                os.utime(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise refused(error, self.root) from error
        if self._verified.get(digest) == before:
            self._verified[digest] = _stamp(path)
        return True

    @contextmanager
    def sweep_lock(self, *, exclusive: bool) -> Iterator[None]:
        """A sweep looks at a blob's age and removes it in one hold (exclusive); a writer that
        relies on an old blob renews its age in one hold (shared). Without it a blob could vanish in between.
        """
        descriptor = os.open(self.root / "sweeping", os.O_RDONLY | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    def drafts(self) -> Iterator[Path]:
        """Files of writers at work, or left behind by killed ones."""
        drafts = self.root / "tmp"
        yield from sorted(drafts.iterdir()) if drafts.is_dir() else ()


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _compare(digest: str, actual: str, path: Path) -> None:
    if actual != digest:
        raise Damaged(
            f"blob {digest} is damaged: its bytes now have the digest {short(actual)}…",
            where=str(path),
            hint="restore this file from a backup, or rebuild what it holds: writing the same bytes again repairs it",
        )


@contextmanager
def _reading(digest: str, path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Damaged(f"blob {digest} is missing", where=str(path), hint="restore this file from a backup") from error
    except OSError as error:
        raise Damaged(f"blob {digest} cannot be read: {error.strerror}", where=str(path)) from error
