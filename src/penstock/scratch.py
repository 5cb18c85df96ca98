"""Room for files that nobody needs afterwards: copies of inputs, trainings whose models are only compared.

A process that is killed leaves its directory behind, with all that is in it. Each directory is locked for as
long as its owner lives, so the next one that needs room removes those that nobody holds any more.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "penstock-scratch-"
LOCK = "lock"


@contextmanager
def scratch_directory(within: Path | None = None) -> Iterator[Path]:
    """An empty directory under `within`, which is made if need be, or under TMPDIR; gone at the end of the block."""
    base = within or Path(tempfile.gettempdir())
    base.mkdir(parents=True, exist_ok=True)
    for left in base.glob(f"{PREFIX}*"):
        _remove_if_left(left)
    unnamed = Path(tempfile.mkdtemp(prefix="penstock-", dir=base))
    held = os.open(unnamed / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX)
    named = base / f"{PREFIX}{unnamed.name}"
    os.rename(unnamed, named)  # by now whoever finds it finds it locked
    try:
        room = named / "room"
        room.mkdir()
        yield room
    finally:
        shutil.rmtree(named, ignore_errors=True)
        os.close(held)


def _remove_if_left(directory: Path) -> None:
    with suppress(OSError):  # somebody else's, or gone meanwhile
        held = os.open(directory / LOCK, os.O_RDWR)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
        finally:
            os.close(held)
