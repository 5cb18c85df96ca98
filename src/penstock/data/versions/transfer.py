"""Moving blobs between here and elsewhere: which ones a version needs, and several at a time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from penstock.store import Manifest

T = TypeVar("T")

# A transfer waits for the network most of its time: eight at once fill a line that one leaves idle, and hold a few
# megabytes each. The work in Python between the waits is small, so threads do.
WORKERS = 8


@dataclass(frozen=True)
class Transferred:
    """How far a transfer is: bytes that are over, of all that it will move."""

    done: int
    total: int


Listener = Callable[[Transferred], None]


class Tally:
    """Counts what has been moved, by several threads, and tells it."""

    def __init__(self, total: int, listener: Listener | None) -> None:
        self.done = 0
        self.total = total
        self._tell = listener or (lambda transferred: None)
        self._turn = Lock()

    def add(self, size: int) -> None:
        """A blob is over. Of some, how large they are is known only then."""
        with self._turn:
            self.done += size
            self.total = max(self.total, self.done)
            self._tell(Transferred(self.done, self.total))


def at_once(work: Callable[[str], T], names: Iterable[str]) -> Iterator[tuple[str, T]]:
    """The result of each, as they come; the first error ends it all."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="penstock-transfer") as pool:
        waiting = {pool.submit(work, name): name for name in names}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def contents(manifest: Manifest) -> set[str]:
    """The blobs with a version's rows and files."""
    return {digest for digest, _ in manifest.blobs()}
