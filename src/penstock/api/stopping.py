"""How a command that runs until it is told ends: by SIGTERM or SIGINT, at once and well."""

import signal


class Told(BaseException):
    """SIGTERM or SIGINT. Not KeyboardInterrupt: one that was caught can still end CPython by SIGINT."""


class Stop:
    """Raises where the signal finds the program, and remembers: a library that was calling back may swallow it."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def heed(self) -> None:
        """Raise again if it was told once."""
        if self._asked:
            raise Told

    def _ask(self, *_: object) -> None:
        self._asked = True
        raise Told  # a training under way is given up: the next loop takes it up again
