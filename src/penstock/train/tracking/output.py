"""What a process prints while a run goes on, kept beside the run as well."""

import sys
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any


class Output:
    """A copy of what Python writes to `sys.stdout` and `sys.stderr`, in a file.

    What a library writes past Python, to the descriptors themselves, is not in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None  # until something is printed
        self._open = True
        self._copies = {name: _Copy(getattr(sys, name), self) for name in ("stdout", "stderr")}
        for name, copy in self._copies.items():
            setattr(sys, name, copy)

    def keep(self, text: str) -> None:
        """Write to the file; what a full disk does not take is left out."""
        # No lock: a forked process prints too, and would find it held for ever.
        with suppress(OSError, ValueError):  # the second from a file that was closed meanwhile
            if self._open:
                self._file = self._file or FileIO(self._path, "a")
                self._file.write(text.encode(errors="replace"))

    def stop(self) -> None:
        """Give the streams back. One that was replaced meanwhile by somebody else stays."""
        for name, copy in self._copies.items():
            if getattr(sys, name) is copy:
                setattr(sys, name, copy.stream)
        self._open = False
        if self._file:
            self._file.close()


class _Copy:
    """A stream that also goes to the file."""

    def __init__(self, stream: Any, output: Output) -> None:
        self.stream = stream
        self._output = output

    def write(self, text: str) -> int:
        self._output.keep(text)
        return int(self.stream.write(text) or 0) if self.stream else len(text)  # without a console there is none

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
