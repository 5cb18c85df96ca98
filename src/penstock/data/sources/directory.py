"""A directory of files (images, sounds, texts) as a source: a row per file.

    path      below the directory, with `/` between names
    bytes     its size
    digest    of its content

Names that begin with a dot are left out. A file of the same size, time and inode as when it was last read is not
read again; one that was written within the last two seconds is, since a clock may not tell its next change.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl

from penstock.digest import digest_bytes
from penstock.errors import ContractBroken, UsageError

COLUMNS = ("path", "bytes", "digest")
KEY = ("path",)
STAT = ("path", "bytes", "mtime_ns", "inode")
LARGEST = 512 << 20
UNSETTLED = 2_000_000_000  # nanoseconds

_SCHEMA = {"path": pl.String(), "bytes": pl.Int64(), "mtime_ns": pl.Int64(), "inode": pl.UInt64()}
_SEEN = {**_SCHEMA, "digest": pl.String()}


def files_below(root: Path, source: str) -> pl.DataFrame:
    """The files of a directory by path: `path`, `bytes`, `mtime_ns`, `inode`. UsageError when it is none or empty."""
    directory = root / source
    if not directory.is_dir():
        raise UsageError(f"there is no directory {source!r}", where=str(root), hint="create it, or correct `source`")
    found = pl.DataFrame(list(_walked(directory)), _SCHEMA, orient="row").sort("path")
    if not found.height:
        raise UsageError(
            f"no file is below {source!r}", where=str(directory), expected="files whose names begin with no dot"
        )
    return found


def recalled(files: pl.DataFrame, memory: Path) -> pl.DataFrame:
    """The files with their `digest`, as far as it is remembered from when they were last read; null otherwise."""
    seen = pl.DataFrame(schema=_SEEN)
    if memory.exists():
        try:
            seen = pl.read_parquet(memory, memory_map=False).select(*_SEEN)
        except (OSError, pl.exceptions.PolarsError):
            memory.unlink(missing_ok=True)  # a memory that cannot be read is none: the files are
    return files.join(seen, on=STAT, how="left", maintain_order="left")


def remember(files: pl.DataFrame, memory: Path, now_ns: int) -> None:
    """Keep the digests of files that have been still for a while."""
    memory.parent.mkdir(parents=True, exist_ok=True)
    draft = memory.with_name(f"{memory.name}.{os.getpid()}.tmp")
    files.filter(pl.col("mtime_ns") < now_ns - UNSETTLED).write_parquet(draft)
    os.replace(draft, memory)


def directory_rows(root: Path, source: str) -> pl.DataFrame:
    """The rows of a directory; every file is read."""
    files = files_below(root, source)
    digests = [digest for digest, _ in Reading(root, source, files).contents()]
    return files.with_columns(pl.Series("digest", digests, dtype=pl.String)).select(COLUMNS)


class Reading:
    """Reads what is not known yet. `digests`: of the files that `contents` has gone through, in order."""

    def __init__(self, root: Path, source: str, files: pl.DataFrame) -> None:
        self.digests: list[str] = []
        self._directory = root / source
        self._source = source
        self._files = files

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """(digest, content) of each file. ContractBroken when one of them changes or cannot be read."""
        for path, size, *stamp in self._files.select(STAT).iter_rows():
            content = self._read(path, size, stamp)
            digest = digest_bytes(content)
            self.digests.append(digest)
            yield digest, content

    def _read(self, path: str, size: int, stamp: list[int]) -> bytes:
        where = f"{self._source}{path}"
        if size > LARGEST:
            what = f"the file has {size:,} bytes; a row holds up to {LARGEST:,}"
            raise ContractBroken(
                what, where=where, hint="cut it into several files, or keep it elsewhere and its name here"
            )
        try:
            with open(self._directory / path, "rb", buffering=0) as file:
                content = file.readall()
                now = os.fstat(file.fileno())
        except OSError as error:
            raise ContractBroken(
                f"cannot be read: {error.strerror}", where=where, hint="make it readable, or remove it"
            ) from error
        if [now.st_mtime_ns, now.st_ino] != stamp or now.st_size != size or len(content) != size:
            hint = "let it be written under a name that begins with a dot and renamed when it is complete"
            raise ContractBroken("the file changed while it was read", where=where, hint=hint)
        return content


def _walked(directory: Path) -> Iterator[tuple[str, int, int, int]]:
    waiting = [""]
    while waiting:
        below = waiting.pop()
        for entry in _entries(directory / below):
            path = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{path}/")
            elif entry.is_file():
                with suppress(FileNotFoundError):  # gone since its directory was read
                    yield _named(path, directory), *_stat(entry)


def _entries(directory: Path) -> "list[os.DirEntry[str]]":
    with suppress(FileNotFoundError), os.scandir(directory) as entries:  # the directory may be gone, too
        return [entry for entry in entries if not entry.name.startswith(".")]
    return []


def _stat(entry: "os.DirEntry[str]") -> tuple[int, int, int]:
    found = entry.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _named(path: str, directory: Path) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="surrogateescape").decode(errors="replace")
        raise ContractBroken(
            f"the name is not UTF-8: {shown!r}", where=str(directory), hint="rename the file"
        ) from None
    return path
