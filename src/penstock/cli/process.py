"""The process that a command is: quick to begin and quick to end."""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom, BufferedWriter, IOBase, TextIOWrapper

# What a command imports stays to its end: looking through it for garbage 700 objects at a time is wasted.
GARBAGE = 50_000


@contextmanager
def brief() -> Iterator[None]:
    """End the process as soon as everybody has said goodbye, with its memory as it is.

    Python would take apart every module that was loaded, which lasts longer than many a command does its work.
    What threads and `atexit` have to do is done first, and open files are written out.
    """
    status = 1
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    gc.set_threshold(GARBAGE)
    atexit.register(lambda: _leave(status))  # first in, so last out
    try:
        yield
        status = 0
    except SystemExit as told:
        status = told.code if isinstance(told.code, int) else int(told.code is not None)
        raise
    except OSError as error:
        _unwritten(error)
        sys.exit(1)


def _leave(status: int) -> None:
    for stream in (sys.stdout, sys.stderr, *_open_files()):
        try:
            if not stream.closed:
                stream.flush()
        except (BrokenPipeError, ValueError):
            pass  # whoever read our output has seen enough; a file whose inside was taken out
        except OSError as error:
            if not status:
                _unwritten(error)
            status = status or 1
    os._exit(status)


def _open_files() -> Iterator[IOBase]:
    """What the user's code has left open: Python would write it out when it takes the file apart."""
    kinds = (TextIOWrapper, BufferedWriter, BufferedRandom)
    return (one for one in gc.get_objects() if type(one) in kinds)


def _unwritten(error: OSError) -> None:
    with suppress(OSError):
        os.write(2, f"error: the output could not be written: {error.strerror or error}\n".encode())
