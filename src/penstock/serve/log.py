"""The prediction log: what was answered is on record before the answer leaves.

Records are appended to segments, `predictions-<start>-<pid>.log` and `feedback-<start>-<pid>.log`, as frames
(`penstock.frames`) whose payload is one record in MessagePack.

One `write()` takes all records of a request, so they survive `kill -9` of the server; `disk` adds an fdatasync, so
they survive a power loss. The marker lets a reader find the next frame behind a damaged one.
"""

import errno
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn

import msgspec

from penstock.durable import sync
from penstock.errors import Damaged, PenstockError
from penstock.frames import frame, scan

Kind = Literal["predictions", "feedback"]
Durability = Literal["process", "disk"]

SEGMENT_BYTES = 64 * 1024 * 1024


# Records hold no cycles: the collector need not walk a segment of them (gc=False).
class PredictionRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One answer."""

    id: str  # time-ordered; also in the reply
    at: datetime  # when it was answered
    endpoint: str
    model: str  # flight-delay@3
    number: int
    bundle: str  # digest
    generation: int
    role: str  # champion
    key: Any = None  # the request's value in the key column
    request: dict[str, Any]  # the row as it came
    vector: dict[str, Any]  # the features that the model saw
    score: float | None  # P(event), P(label) or the predicted number
    probabilities: dict[str, float] | None = None  # multiclass: class -> probability
    label: Any = None  # the decision; None for a regression
    latency_us: int  # of the request, from its last byte until its records were made


class FeedbackRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What turned out to be true."""

    id: str
    at: datetime  # when it was received
    endpoint: str
    prediction: str | None = None
    key: Any = None
    label: Any
    observed_at: datetime | None = None  # when it became true, if the sender said so


Record = PredictionRecord | FeedbackRecord
_TYPES: dict[str, type[Record]] = {"predictions": PredictionRecord, "feedback": FeedbackRecord}


class LogError(PenstockError):
    """Records cannot be made durable; nothing may be acknowledged."""


# --- write ---------------------------------------------------------------------------------------


class SegmentLog:
    """Appends records of one kind. Safe to call from several threads; one process per segment.

    Positions count the bytes ever appended by this object: `append` returns one, `sync` takes it.
    """

    def __init__(
        self, directory: Path, kind: Kind, *, durability: Durability = "process", segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.kind = kind
        self.durability = durability
        self.segment_bytes = segment_bytes
        self.written = 0
        self._durable = 0
        self._lost = (0, 0)  # positions whose fdatasync failed: after the first, up to the second
        self._encoder = msgspec.msgpack.Encoder()
        # The event loop appends small requests, a thread large ones, another thread syncs.
        self._lock = threading.Lock()
        self._segment: tuple[int, Path] | None = None
        self._size = 0

    def append(self, records: Sequence[Record]) -> int:
        """Hand all records to the operating system, or none. LogError when it does not take them."""
        frames = b"".join([frame(self._encoder.encode(record)) for record in records])
        with self._lock:
            try:
                self._write(frames)
            except OSError as error:
                raise self._unavailable(error) from error
            self.written += len(frames)
            return self.written

    def sync(self, position: int) -> None:
        """With durability `disk`: return when everything up to `position` is on the disk, or raise LogError."""
        if self.durability != "disk":
            return
        with self._lock:
            if self._lost[0] < position <= self._lost[1]:
                raise self._unavailable(OSError(errno.EIO, os.strerror(errno.EIO)))
            if position <= self._durable or self._segment is None:
                return
            target, descriptor = self.written, self._duplicate(self._segment[0])
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            self._fail(error)
        finally:
            os.close(descriptor)
        with self._lock:
            self._durable = max(self._durable, target)

    def close(self) -> None:
        """Finish the segment; a later append starts another."""
        with self._lock:
            self._finish()

    def _write(self, frames: bytes) -> None:
        if self._segment and self._size + len(frames) > self.segment_bytes:
            self._finish()
        if self._segment is None:
            self._segment = self._start()
            self._size = 0
        try:
            _write_all(self._segment[0], frames)
        except OSError:
            self._undo()
            raise
        self._size += len(frames)

    def _start(self) -> tuple[int, Path]:
        name = f"{self.kind}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}.log"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        path = self.directory / name
        descriptor = os.open(path, flags, 0o644)
        if self.durability == "disk":
            sync(self.directory)
        return descriptor, path

    def _undo(self) -> None:
        """Cut what a failed write left, and leave the segment: a reader may already stand behind the cut."""
        assert self._segment is not None
        (descriptor, path), self._segment = self._segment, None
        with suppress(OSError):
            if self._size:
                os.ftruncate(descriptor, self._size)
            else:
                path.unlink()
        with suppress(OSError):
            self._settle(descriptor)
        os.close(descriptor)

    def _finish(self) -> None:
        if self._segment is None:
            return
        (descriptor, _), self._segment = self._segment, None
        try:
            self._settle(descriptor)
        finally:
            os.close(descriptor)

    def _settle(self, descriptor: int) -> None:
        """Sync a segment that will not be written again, for those who still wait for it."""
        if self.durability != "disk":
            return
        try:
            os.fdatasync(descriptor)
        except OSError:
            self._lost = (self._durable, self.written)
            raise
        self._durable = self.written

    def _duplicate(self, descriptor: int) -> int:
        try:
            return os.dup(descriptor)
        except OSError as error:
            raise self._unavailable(error) from error

    def _fail(self, error: OSError) -> NoReturn:
        # After a failed fdatasync the kernel may have dropped the pages: never trust this segment again.
        with self._lock:
            self._lost = (self._durable, self.written)
            if self._segment:
                os.close(self._segment[0])
                self._segment = None
        raise self._unavailable(error) from error

    def _unavailable(self, error: OSError) -> LogError:
        return LogError(
            f"the {self.kind} log cannot be written: {error.strerror}",
            where=str(self.directory),
            hint="free space or repair the disk; nothing is answered until then, so nothing is lost",
        )


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


# --- read ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SegmentRead:
    """What is new in one segment.

    `end` is where to go on next time: `{segment: end}` is a cursor. A frame that is only half there (being
    written, or torn by a crash) is left out and `end` stays before it.
    """

    segment: str
    start: int
    end: int
    records: tuple[Record, ...]
    damaged: tuple[Damaged, ...] = ()  # places where bytes changed; the records around them are intact


def read_segments(directory: Path, kind: Kind, cursor: Mapping[str, int] | None = None) -> Iterator[SegmentRead]:
    """Everything after `cursor` ({segment: offset}), one segment at a time, in the order they were started.

    Segments without news are skipped. Memory is bounded by one segment.
    """
    known = cursor or {}
    for path in sorted(directory.glob(f"{kind}-*.log")):
        start = known.get(path.name, 0)
        if path.stat().st_size > start:
            read = read_segment(path, kind, start)
            if read.end > start:
                yield read


def read_segment(path: Path, kind: Kind, start: int = 0) -> SegmentRead:
    """The whole frames of one segment from `start` on."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    payloads, damaged, end = scan(data)
    decoder = msgspec.msgpack.Decoder(_TYPES[kind])
    records = tuple(decoder.decode(payload) for payload in payloads)
    return SegmentRead(path.name, start, start + end, records, tuple(_damage(path, start, damaged)))


def _damage(path: Path, start: int, stretches: Iterable[tuple[int, int]]) -> Iterator[Damaged]:
    for begin, end in stretches:
        yield Damaged(
            f"{end - begin} bytes are not what was written",
            where=f"{path}:{start + begin}",
            expected="a frame whose checksum holds",
            hint="records before and behind are intact; restore the segment from a backup to get these back",
        )
