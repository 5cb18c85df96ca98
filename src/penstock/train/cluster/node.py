"""What a node does: give the training process what it needs, and pass on what it makes while it works.

home/store/       blobs that were sent or made, until none has asked for them for a week
home/runs/ID/     where a process works that cannot work on the disk of whoever asks
"""

import os
import platform
import queue
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.digest import CHUNK
from penstock.engine.ray_node import take
from penstock.errors import Damaged
from penstock.ids import new_id
from penstock.store import Store
from penstock.train.launch import Trained, launch
from penstock.train.recipe import Recipe

if TYPE_CHECKING:
    from penstock.train.tracking.live import Sampler

TOKEN = "token"  # a file in the place of a run, by which a node knows that it sees the same disk
PIECE = 4 << 20
_UNUSED = timedelta(days=7)
_WAITING = 16  # pieces
_POLL_SECONDS = 0.05

Message = tuple[Any, ...]


def train(argument: Mapping[str, Any]) -> Iterator[Message]:
    """Train, and say as it goes:

    ("lacking", digests)         ask again with these blobs; nothing was done
    ("node", name)               the training begins here
    ("piece", file, bytes)       was appended to a file of the run's place
    ("blob", digest, count)      a blob follows in so many messages ("part", bytes)
    ("trained", facts)           the end
    """
    place = Path(argument["place"])
    if sees(place, argument["token"]):
        yield ("node", platform.node())
        yield from _work(argument, Store.open(Path(argument["store"])), place, sends=False)
        return
    home = node_home()
    store = Store.open(home / "store")
    lacking = [digest for digest in argument["blobs"] if not store.blobs.keep(digest)]
    if unsent := [digest for digest in lacking if digest not in argument["handles"]]:
        yield ("lacking", unsent)
        return
    for digest in lacking:
        fetch(store, digest, argument["handles"][digest])
    yield ("node", platform.node())
    own = home / "runs" / new_id()
    try:
        yield from _work(argument, store, own, sends=True)
    finally:
        shutil.rmtree(own, ignore_errors=True)
        with suppress(OSError):
            store.collect_garbage([], grace=_UNUSED)


def node_home() -> Path:
    """Where a node keeps what it was sent."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "penstock" / "node"


def sees(place: Path, token: str) -> bool:
    """Whether this node sees the disk of whoever asks."""
    try:
        return (place / TOKEN).read_text() == token
    except OSError:
        return False


def fetch(store: Store, digest: str, handles: Sequence[Any]) -> None:
    """Keep a blob that was sent. Damaged when it is another."""
    pieces = (take(handle) for handle in handles)
    store.blobs.receive(digest, pieces, source="sent by the driver", hint="penstock data verify, there")


def _work(argument: Mapping[str, Any], store: Store, place: Path, *, sends: bool) -> Iterator[Message]:
    """Run the process beside this generator, and yield what it appends to its files."""
    work = _Work(argument, store, place, sends)
    work.thread.start()
    try:
        while work.thread.is_alive() or not work.out.empty():
            with suppress(queue.Empty):
                yield work.out.get(timeout=_POLL_SECONDS)
    finally:  # interrupted, since nobody wants it any more
        work.stop.set()
        work.thread.join()
    if work.error:
        raise work.error
    assert work.trained is not None
    if sends:
        for digest in _made(store, work.trained):
            yield from _blob(store, digest)
    yield ("trained", asdict(work.trained))


class _Work:
    """A training in a thread, which ends it when `stop` is set. `out` has what it wrote, if that is to be sent."""

    def __init__(self, argument: Mapping[str, Any], store: Store, place: Path, sends: bool) -> None:
        self.stop = threading.Event()
        self.out: queue.Queue[Message] = queue.Queue(_WAITING)
        self.trained: Trained | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self._argument = argument
        self._store = store
        self._place = place
        self._tails = _Tails(place, Path(argument["place"])) if sends else None

    def _run(self) -> None:
        from penstock.train.tracking.live import Sampler

        sampler = Sampler(self._place)
        try:
            self.trained = launch(
                Recipe.from_json(self._argument["recipe"]),
                run=self._argument["run"],
                store=self._store,
                output=self._store,
                signing_key=self._place / "key",  # of no value: whoever asked signs
                place=self._place,
                watch=lambda pid: self._look(sampler, pid or 0),
            )
        except BaseException as error:
            self.error = error
        finally:
            with suppress(CancelledError):
                self._send(final=True)

    def _look(self, sampler: "Sampler", pid: int) -> None:
        sampler.look(pid)
        self._send()
        if self.stop.is_set():
            raise CancelledError

    def _send(self, *, final: bool = False) -> None:
        for message in self._tails.new(final=final) if self._tails else ():
            while True:
                if self.stop.is_set():
                    raise CancelledError
                with suppress(queue.Full):
                    self.out.put(message, timeout=_POLL_SECONDS)
                    break


class _Tails:
    """What was appended to the log and the journals since the last look.

    The log names files by the place of the run; it is sent in whole lines, so that none of these names is cut.
    """

    def __init__(self, place: Path, asked: Path) -> None:
        self._place = place
        self._names = (str(place.resolve()).encode(), str(asked).encode())
        self._sent: dict[Path, int] = {}

    def new(self, *, final: bool) -> Iterator[Message]:
        for path in (self._place / "log", *sorted(self._place.glob("*.journal"))):
            while piece := self._piece(path, final):
                self._sent[path] = self._sent.get(path, 0) + len(piece)
                shown = piece.replace(*self._names) if path.name == "log" else piece
                yield ("piece", path.name, shown)

    def _piece(self, path: Path, final: bool) -> bytes:
        try:
            with path.open("rb") as file:
                file.seek(self._sent.get(path, 0))
                piece = file.read(PIECE)
        except FileNotFoundError:
            return b""
        whole = path.name != "log" or final or len(piece) == PIECE
        return piece if whole else piece[: piece.rfind(b"\n") + 1]


def _made(store: Store, trained: Trained) -> Iterator[str]:
    """The blobs of a bundle and of its environment."""
    environment = store.read_json(trained.environment)
    for distribution in environment["distributions"].values():
        if "wheel" in distribution:
            yield distribution["wheel"]
    yield trained.environment
    for file in store.read_json(trained.bundle)["files"].values():
        yield file["blake3"]
    yield trained.bundle


def _blob(store: Store, digest: str) -> Iterator[Message]:
    size = store.blobs.size(digest)
    yield ("blob", digest, -(-size // CHUNK))
    with store.path(digest).open("rb") as file:
        while piece := file.read(CHUNK):
            yield ("part", piece)


def pieces_of(store: Store, digest: str) -> Iterator[bytes]:
    """A blob's bytes, some megabytes at a time; an empty blob has one empty piece."""
    if not store.has(digest):
        raise Damaged(f"blob {digest} is missing", hint="penstock data verify")
    with store.path(digest).open("rb") as file:
        yield file.read(PIECE)
        while piece := file.read(PIECE):
            yield piece
