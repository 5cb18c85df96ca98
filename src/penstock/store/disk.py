"""Files that survive a power cut: filled under another name, synced, renamed, and their directory synced."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from penstock.durable import sync
from penstock.errors import PenstockError, UsageError
from penstock.ids import new_id


@contextmanager
def open_draft(root: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """An open file in `tmp/` below `root`, read-only for all others, removed when writing it fails."""
    path = root / "tmp" / new_id()
    try:
        make_directory(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        with os.fdopen(descriptor, "wb") as file:
            yield file, path
    except OSError as error:
        path.unlink(missing_ok=True)
        raise refused(error, root) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def make_directory(directory: Path) -> None:
    """A new directory's own name must survive a power cut too, and those of the directories above it."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        sync(directory.parent)


def directory_at(path: Path, *, create: bool = False) -> Path:
    """The path, where there is a directory, or one was made. UsageError otherwise."""
    if path.exists() and not path.is_dir():
        raise UsageError("not a directory", where=str(path))
    if not path.exists() and not create:
        hint = "see whether the name is right and the disk is mounted"
        raise UsageError("there is no such directory", where=str(path), hint=hint)
    try:
        make_directory(path)
    except OSError as error:
        raise refused(error, path) from error
    return path


def refused(error: OSError, root: Path) -> PenstockError:
    """The error for people: the disk is full, or something below `root` cannot be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "the disk is full; nothing was published" if full else f"cannot write: {error.strerror or error}"
    hint = "free some space and run the same command again" if full else None
    return PenstockError(what, where=str(error.filename or root), hint=hint)
