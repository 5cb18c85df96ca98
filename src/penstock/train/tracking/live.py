"""A training's values while it goes on: from the journals in its directory to the ledger, and to whoever asks."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from penstock.errors import PenstockError, Pruned
from penstock.ledger import Ledger, Point
from penstock.train.process import Watch
from penstock.train.tracking.delivery import deliver, journals, points_in, written
from penstock.train.tracking.journal import SUFFIX, Journal, Values, read_journal
from penstock.train.tracking.system import Usage

OnValues = Callable[[Sequence[Point]], bool | None]

_SYSTEM = f"system{SUFFIX}"
_DELIVERY_SECONDS = 1.0


def follow(ledger: Ledger, place: Path, on_values: OnValues | None) -> Watch:
    """What to do at each look at a training that works in `place`, told by the id of its process if that runs here.

    The ledger gets values about every second; `on_values` gets each batch of them once, as soon as it is seen, in
    the order in which it was reported. When that returns True, Pruned is raised.
    """
    return _Follower(ledger, place, on_values).look


class Sampler:
    """Keeps what a process uses of its machine in a journal of its own."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._usage: Usage | None = None

    def look(self, pid: int) -> None:
        """Keep a sample if it is time for one."""
        self._usage = self._usage or Usage(pid)
        if sampled := self._usage.sample():
            with closing(Journal(self._place / _SYSTEM)) as journal:
                journal.append(Values(sampled))


class _Follower:
    """Where the reading of the journals stands."""

    def __init__(self, ledger: Ledger, place: Path, on_values: OnValues | None) -> None:
        self._ledger = ledger
        self._place = place
        self._on_values = on_values
        self._read: dict[Path, int] = {}
        self._sampler = Sampler(place)
        self._due = 0.0
        self._delivered = 0  # bytes

    def look(self, pid: int | None) -> None:
        if pid is not None:  # elsewhere others look
            self._sampler.look(pid)
        if self._on_values and (points := self._new()) and self._on_values(points):
            raise Pruned("the training was ended early: its values promised nothing better")
        if time.monotonic() >= self._due:
            self._deliver()
            self._due = time.monotonic() + _DELIVERY_SECONDS

    def _new(self) -> list[Point]:
        points: list[Point] = []
        for path in journals(self._place):
            if path.name != _SYSTEM:
                entries, self._read[path] = read_journal(path, self._read.get(path, 0))
                points += points_in(entries)
        return points

    def _deliver(self) -> None:
        size = written(self._place)
        if size != self._delivered:
            with suppress(PenstockError):  # a ledger that is away gets it later; at the end it must be there
                deliver(self._ledger, self._place)
                self._delivered = size
