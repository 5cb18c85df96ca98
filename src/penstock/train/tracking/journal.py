"""The journal of a run: what was logged, in the order in which it was, safe from the death of its process."""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from penstock.frames import frame, scan
from penstock.ids import new_id

SUFFIX = ".journal"
PENDING = 64 << 20  # bytes that are held in memory while the disk takes nothing
CHUNK = 8 << 20  # bytes that are read at once


class Started(msgspec.Struct, tag="started", frozen=True):
    """The first entry of the process that started a run: the fields of its record."""

    run: dict[str, Any]


class Attached(msgspec.Struct, tag="attached", frozen=True):
    """The first entry of another process that logs to a run."""

    pid: int
    host: dict[str, Any]


class Values(msgspec.Struct, tag="values", frozen=True):
    """Metrics: (name, value, step, when)."""

    points: Sequence[tuple[str, float, int, datetime]]


class Params(msgspec.Struct, tag="params", frozen=True):
    """Parameters: JSON values."""

    params: dict[str, Any]


class Tags(msgspec.Struct, tag="tags", frozen=True):
    """Tags; a later one replaces an earlier one."""

    tags: dict[str, str]


class File(msgspec.Struct, tag="file", frozen=True):
    """An artifact, whose bytes are in the store."""

    name: str
    digest: str
    bytes: int


class Used(msgspec.Struct, tag="used", frozen=True):
    """A version of a dataset that the run read."""

    dataset: str
    commit: str


class Context(msgspec.Struct, tag="context", frozen=True):
    """Fields of the run's record that were found out meanwhile: code, environment."""

    fields: dict[str, str]


class Ended(msgspec.Struct, tag="ended", frozen=True):
    """The end of a run."""

    status: str
    at: datetime
    error: str | None = None
    log: str | None = None


Entry = Started | Attached | Values | Params | Tags | File | Used | Context | Ended

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


_CLOSED = -1  # the number of a closed file may be given to another one


class Journal:
    """Appends entries to a file; threads may share it.

    An entry is handed to the operating system before `append` returns. While the disk takes nothing, entries wait in
    memory, up to PENDING bytes, and go first when it does again; what came after that is counted in `lost`.

    A process that was forked writes a file of its own beside it, which begins with the entry that `introduce` gives.
    """

    def __init__(self, path: Path, introduce: Callable[[], Entry] | None = None) -> None:
        self.lost = 0
        self._locks: dict[int, threading.Lock] = {}  # by process: a fork inherits one as another thread held it
        self._descriptor = _CLOSED
        self._introduce = introduce
        self._open(path)

    def append(self, entry: Entry) -> None:
        """Keep an entry."""
        data = frame(_encode(entry))
        with self._lock():
            self._be_own()
            self._keep(data)

    def flush(self) -> bool:
        """Try to write what waits in memory; whether nothing does any more."""
        with self._lock():
            self._be_own()
            return self._flush()

    @property
    def waiting(self) -> bool:
        """Whether something is in memory only."""
        return bool(self._waiting)

    def pending(self) -> list[Entry]:
        """The entries that no disk took yet."""
        with self._lock():
            return [_decode(payload) for data in self._waiting for payload in scan(data).payloads]

    def close(self) -> None:
        """Give the file back; nothing can be appended behind it."""
        with self._lock():
            os.close(self._descriptor)
            self._descriptor = _CLOSED

    def _lock(self) -> threading.Lock:
        process = os.getpid()
        return self._locks.get(process) or self._locks.setdefault(process, threading.Lock())

    def _open(self, path: Path) -> None:
        self.path = path
        self._process = os.getpid()
        self._waiting: list[bytes] = []
        self._held = 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._size = os.fstat(self._descriptor).st_size

    def _be_own(self) -> None:
        """After a fork, write a file of this process: what waits in memory is the parent's to write."""
        if self._process == os.getpid():
            return
        os.close(self._descriptor)
        self.path.parent.mkdir(parents=True, exist_ok=True)  # the parent may have ended the run
        self._open(self.path.with_name(f"{new_id()}{SUFFIX}"))
        if self._introduce:
            self._keep(frame(_encode(self._introduce())))

    def _keep(self, data: bytes) -> None:
        if not (self._flush() and self._write(data)):
            self._hold(data)

    def _flush(self) -> bool:
        while self._waiting and self._write(self._waiting[0]):
            self._held -= len(self._waiting.pop(0))
        return not self._waiting

    def _write(self, data: bytes) -> bool:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            with suppress(OSError):  # half a frame would end the reading here
                os.ftruncate(self._descriptor, self._size)
            return False
        self._size += len(data)
        return True

    def _hold(self, data: bytes) -> None:
        if self._held + len(data) > PENDING:
            self.lost += 1
        else:
            self._waiting.append(data)
            self._held += len(data)


def read_journal(path: Path, start: int = 0) -> tuple[list[Entry], int]:
    """Whole entries from `start` on, about CHUNK bytes of them, and where to go on.

    None are left when there are none. A damaged place costs the entries in it; a file that is gone is empty.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            found = scan(file.read(CHUNK))
            if not found.end:  # an entry that is larger
                file.seek(start)
                found = scan(file.read())
    except FileNotFoundError:
        return [], start
    return [_decode(payload) for payload in found.payloads], start + found.end
