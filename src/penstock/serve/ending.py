"""How a server is told to end: a signal, before it runs or while it does."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Ending:
    """That the server shall end, asked before there is one or while it runs."""

    def __init__(self) -> None:
        self._asked = False
        self._end: Callable[[], None] = lambda: None

    def ask(self, *_: object) -> None:
        """It shall end: now, or as soon as it can."""
        self._asked = True
        self._end()

    def by(self, end: Callable[[], None]) -> None:
        """From now on `end` makes it end."""
        self._end = end
        if self._asked:
            end()


@contextmanager
def surviving_signals() -> Iterator[Ending]:
    """Hear the signals that end a server. Uvicorn raises them once more at its end: that must not end the caller."""
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    before = {number: signal.signal(number, ending.ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
