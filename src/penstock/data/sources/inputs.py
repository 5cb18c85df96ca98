"""Where rows come from, and whether it changed. Nothing here reads a row.

A source is a path, a glob relative to the project, or a function of the project. A file is recognised
by its size and modification time; when only the time moved, by its digest. A function is recognised by
the digest of its code: it is called again when its code changes, or when the caller asks for it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from glob import escape, glob
from pathlib import Path
from typing import Any

from penstock.digest import digest_file, digest_value
from penstock.errors import UsageError, did_you_mean

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
PACKED = ".gz"  # csv and ndjson may be compressed


@dataclass(frozen=True)
class Input:
    """A file or a function that gives rows.

    name      data/2013-01.csv, or pipeline:flights
    path      None for a function
    digest    of the file's bytes or of the function's code; "" until it is needed
    """

    name: str
    path: Path | None
    size: int = 0
    mtime_ns: int = 0
    digest: str = ""

    @property
    def format(self) -> str:
        """csv, parquet, ndjson, arrow or function."""
        return FORMATS[_extension(self.path)] if self.path else "function"

    @property
    def text(self) -> bool:
        """Whether its values are texts that have yet to be parsed."""
        return self.format in ("csv", "ndjson")

    def same_stat(self, known: Mapping[str, Any]) -> bool:
        """Whether size and time are the remembered ones."""
        return bool(known.get("size") == self.size and known.get("mtime_ns") == self.mtime_ns)

    def changed_since(self) -> bool:
        """Whether the file is another one than when this input was listed."""
        if self.path is None:
            return False
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return True
        return (stat.st_size, stat.st_mtime_ns) != (self.size, self.mtime_ns)


def is_function(source: str) -> bool:
    """Whether a source is `module:function`."""
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", source) is not None


def inputs_of(
    root: Path, source: str, known: Mapping[str, Mapping[str, Any]] | None = None, *, may_be_none: bool = False
) -> tuple[Input, ...]:
    """The inputs that a source has now, by name, with their digests.

    `known` holds what an earlier call found, by name; a file of the same size and time keeps that digest
    and is not read. UsageError when there is no file, unless there `may_be_none`, or one that we cannot read.
    """
    if is_function(source):
        return (Input(source, None, digest=function_digest(root, source)),)
    listed = [_listed(root, path) for path in _paths(root, source, may_be_none)]
    return tuple(_digested(one, (known or {}).get(one.name, {})) for one in listed)


def function_digest(root: Path, reference: str) -> str:
    """The digest of a function's code: its name and every file of the project that it imports. Runs none of it."""
    from penstock.project import project_sources

    files = project_sources(root, [reference])
    return digest_value(
        {"function": reference, "files": {name: digest_file(path) for name, path in sorted(files.items())}}
    )


def _paths(root: Path, source: str, may_be_none: bool) -> list[Path]:
    pattern = source if Path(source).is_absolute() else f"{escape(str(root))}/{source}"
    # a file whose name happens to hold glob characters is meant as it is
    exact = root / source
    found = [exact] if exact.is_file() else sorted({Path(match) for match in glob(pattern, recursive=True)})
    files = [path for path in found if path.is_file()]
    if not files and not may_be_none:
        raise UsageError(
            f"no file matches {source!r}",
            where=str(root),
            expected="a path or a glob such as data/*.csv",
            hint=_nearby(root, source, found),
        )
    wrong = [path for path in files if _extension(path) not in FORMATS]
    if wrong:
        kinds = ", ".join(FORMATS)
        raise UsageError(
            f"cannot tell what kind of file this is: {wrong[0].name}",
            where=str(wrong[0]),
            expected=f"a name that ends in {kinds}",
        )
    return files


def _nearby(root: Path, source: str, found: Iterable[Path]) -> str | None:
    if any(path.is_dir() for path in found):
        return f"{source!r} is a directory: name its files, such as {source.rstrip('/')}/*.csv"
    parent = (root / source).parent
    there = [path.name for path in parent.iterdir() if path.is_file()] if parent.is_dir() else []
    meant = did_you_mean(Path(source).name, there).strip()
    return f"look into {parent} {meant}".strip() if there else None


def _extension(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [PACKED] and FORMATS.get(suffixes[-2] if len(suffixes) > 1 else "") in ("csv", "ndjson")
    return suffixes[-2] if packed else (suffixes[-1] if suffixes else "")


def _listed(root: Path, path: Path) -> Input:
    stat = path.stat()
    name = path.relative_to(root) if path.is_relative_to(root) else path
    return Input(name.as_posix(), path, stat.st_size, stat.st_mtime_ns)


def _digested(one: Input, known: Mapping[str, Any]) -> Input:
    assert one.path is not None
    return replace(one, digest=str(known["digest"]) if one.same_stat(known) else digest_file(one.path))
