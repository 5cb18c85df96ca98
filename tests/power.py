"""What a power cut would leave of some files: that whose bytes were synced, under names whose directories were."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest


class Power:
    """Watches the real `os.fsync` and `os.replace`; `renaming` is called with a final name before it appears."""

    def __init__(self, patch: pytest.MonkeyPatch, renaming: Callable[[Path], None] = lambda final: None) -> None:
        self._bytes: dict[int, int] = {}  # of synced files, by inode
        self._names: dict[int, dict[str, int]] = {}  # what each synced directory had, by inode
        fsync, replace = os.fsync, os.replace

        def synced(descriptor: int) -> None:
            fsync(descriptor)
            found = os.fstat(descriptor)
            if stat.S_ISDIR(found.st_mode):
                self._names[found.st_ino] = {entry.name: entry.inode() for entry in os.scandir(descriptor)}
            else:
                self._bytes[found.st_ino] = found.st_size

        def replaced(draft: Path, final: Path) -> None:
            renaming(Path(final))
            replace(draft, final)

        patch.setattr(os, "fsync", synced)
        patch.setattr(os, "replace", replaced)

    def leaves(self, path: Path, *, below: Path) -> bool:
        """Whether a file would be there, whole, in a directory that was there before."""
        found = path.stat()
        return self._bytes.get(found.st_ino) == found.st_size and self._leaves_name(path, below)

    def forget_names(self, root: Path) -> None:
        """As if neither `root` nor a directory below it had been synced: who renamed files was killed before that."""
        for directory in (root, *(path for path in root.rglob("*") if path.is_dir())):
            self._names.pop(directory.stat().st_ino, None)

    def _leaves_name(self, path: Path, below: Path) -> bool:
        names = self._names.get(path.parent.stat().st_ino, {})
        there = names.get(path.name) == path.stat().st_ino
        return there and (path.parent == below or self._leaves_name(path.parent, below))
