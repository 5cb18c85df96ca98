"""Where rows come from, and whether it changed. Nothing here reads a row.

A source is a path or a glob relative to the project, a URL with a glob in an object store, a function of the
project, a query, or several of these. A file is recognised by its size and modification time; when only the time
moved, by its digest. An object is recognised by its size and ETag, a file under DVC by its MD5, a query by the answer
to another one. A function is recognised by the digest of its code: it is called again when its code changes, or when
the caller asks for it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from glob import escape, glob
from os import stat_result
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from penstock.digest import digest_file, digest_value
from penstock.errors import ContractBroken, UsageError, did_you_mean
from penstock.store.objects import is_url

if TYPE_CHECKING:
    from penstock.data.sources.dvc import Tracked
    from penstock.project import FileSource, Source, SqlSource

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json",
    ".xlsx": "excel", ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
LINES = ("csv", "ndjson", "json")  # may be compressed
TEXT = (*LINES, "excel")
PACKED = ".gz"


class Input(NamedTuple):
    """A file, an object in an object store, a function or a query that gives rows.

    name      data/2013-01.csv, s3://lake/2013-01.csv, pipeline:flights, postgresql://db.example/shop/orders
    path      of a file in a directory; else None
    mtime_ns  when it was written
    digest    of the file's bytes, of the object's size and ETag, of the function's code, of the answer to `changed`
    etag      of an object
    reading   what the project says about how a file is read
    tracked   of a file under DVC, which may have to be fetched
    query     what a database is asked
    """

    name: str
    path: Path | None
    size: int = 0
    mtime_ns: int = 0
    digest: str = ""
    etag: str | None = None
    reading: "FileSource | None" = None
    tracked: "Tracked | None" = None
    query: "SqlSource | None" = None

    @property
    def is_function(self) -> bool:
        """Whether rows come from code of the project."""
        return self.path is None and self.tracked is None and not is_url(self.name)

    @property
    def is_asked(self) -> bool:
        """Whether rows come from a function or a query, of which nobody knows what it gives next time."""
        return self.is_function or self.query is not None

    @property
    def format(self) -> str:
        """csv, parquet, ndjson, json, excel, arrow, function or query."""
        if self.query is not None:
            return "query"
        return "function" if self.is_function else FORMATS[extension(self.name)]

    @property
    def text(self) -> bool:
        """Whether its values are texts that have yet to be parsed."""
        return gives_text(self.name)

    def same_stat(self, known: Mapping[str, Any]) -> bool:
        """Whether size and time are the remembered ones."""
        return bool(known.get("size") == self.size and known.get("mtime_ns") == self.mtime_ns)

    def changed_since(self) -> bool:
        """Whether the file is another one than when this input was listed. An object is read as it was listed."""
        if self.path is None:
            return False
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return True
        return (stat.st_size, stat.st_mtime_ns) != (self.size, self.mtime_ns)


def is_function(source: object) -> bool:
    """Whether a source is `module:function`."""
    return isinstance(source, str) and re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", source) is not None


def is_asked(source: "Source") -> bool:
    """Whether a source, or one of several, is a function or a query."""
    from penstock.project import SqlSource

    return any(is_function(one) or isinstance(one, SqlSource) for one in _each(source))


def is_directory(source: object) -> TypeGuard[str]:
    """Whether a source is a directory whose files are the rows: `images/`."""
    return isinstance(source, str) and source.endswith("/") and not is_url(source)


def gives_text(name: str) -> bool:
    """Whether the values of an input of this name are texts that have yet to be parsed."""
    return name.startswith("sqlite://") or (not is_function(name) and FORMATS.get(extension(name)) in TEXT)


def inputs_of(
    root: Path, source: "Source", known: Mapping[str, Mapping[str, Any]] | None = None, *, may_be_none: bool = False
) -> tuple[Input, ...]:
    """The inputs that a source has now, with their digests: one entry of it after the other, each by name.

    `known` holds what an earlier call found, by name; a file of the same size and time keeps that digest
    and is not read. UsageError when there is no file, unless there `may_be_none`, one that we cannot read,
    or one that two entries give.
    """
    found = listed(root, source, may_be_none=may_be_none)
    return tuple(_digested(one, (known or {}).get(one.name, {})) for one in found)


def listed(root: Path, source: "Source", *, may_be_none: bool = False) -> tuple[Input, ...]:
    """The same inputs, but files of a directory without their digests: none of them is read."""
    found = [one for entry in _each(source) for one in _inputs(root, entry, may_be_none)]
    twice = [name for name, count in Counter(one.name for one in found).items() if count > 1]
    if twice:
        hint = "take it out of one of them: its rows would be read twice"
        raise UsageError(f"two entries of the source give {twice[0]}", where=str(root), hint=hint)
    return tuple(found)


def function_digest(root: Path, reference: str) -> str:
    """The digest of a function's code: its name and every file of the project that it imports. Runs none of it."""
    from penstock.project import project_sources

    files = project_sources(root, [reference])
    return digest_value(
        {"function": reference, "files": {name: digest_file(path) for name, path in sorted(files.items())}}
    )


def extension(name: str) -> str:
    """`.csv` of `data/a.csv` and of `data/a.CSV.gz`."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    packed = suffixes[-1:] == [PACKED] and FORMATS.get(suffixes[-2] if len(suffixes) > 1 else "") in LINES
    return suffixes[-2] if packed else (suffixes[-1] if suffixes else "")


def _each(source: "Source") -> "Sequence[str | FileSource | SqlSource]":
    return source if isinstance(source, tuple) else (source,)


def _inputs(root: Path, source: "str | FileSource | SqlSource", may_be_none: bool) -> list[Input]:
    from penstock.project import SqlSource

    if isinstance(source, SqlSource):
        from penstock.data.sources.database import query_input

        return [query_input(root, source)]
    if isinstance(source, str) and is_function(source):
        return [Input(source, None, digest=function_digest(root, source))]
    if is_directory(source):
        what = f"{source!r} is a directory of files, which is a dataset by itself: a row per file"
        hint = f"name its files, such as {source}*.csv, to take their rows"
        raise UsageError(what, where=str(root), hint=hint)
    pattern, reading = (source, None) if isinstance(source, str) else (source.path, source)
    if is_url(pattern):
        found = _objects(pattern, may_be_none)
    elif pattern.endswith(".dvc"):
        found = [one for path, _ in _files(root, pattern, may_be_none) for one in _under_dvc(root, path)]
    else:
        found = [_listed(root, path, stat) for path, stat in _files(root, pattern, may_be_none)]
    _refuse_unknown_kinds(found)
    return [one._replace(reading=reading) for one in found]


def _refuse_unknown_kinds(inputs: Iterable[Input]) -> None:
    wrong = [one for one in inputs if extension(one.name) not in FORMATS]
    if wrong:
        raise UsageError(
            f"cannot tell what kind of file this is: {Path(wrong[0].name).name}",
            where=str(wrong[0].path or wrong[0].name),
            expected=f"a name that ends in {', '.join(FORMATS)}",
        )


# --- files ---------------------------------------------------------------------------------------


def _files(root: Path, source: str, may_be_none: bool) -> list[tuple[Path, stat_result]]:
    pattern = source if Path(source).is_absolute() else f"{escape(str(root))}/{source}"
    # a file whose name happens to hold glob characters is meant as it is
    exact = root / source
    found = [exact] if exact.is_file() else sorted({Path(match) for match in glob(pattern, recursive=True)})
    files = [(path, stat) for path in found if path.is_file() and (stat := _stat(path))]
    if not files and not may_be_none:
        raise UsageError(
            f"no file matches {source!r}",
            where=str(root),
            expected="a path or a glob such as data/*.csv",
            hint=_nearby(root, source, found),
        )
    return files


def _nearby(root: Path, source: str, found: Iterable[Path]) -> str | None:
    if any(path.is_dir() for path in found):
        return f"{source!r} is a directory: name its files, such as {source}/*.csv; {source}/ takes each file as a row"
    parent = (root / source).parent
    there = [path.name for path in parent.iterdir() if path.is_file()] if parent.is_dir() else []
    meant = did_you_mean(Path(source).name, there).strip()
    return f"look into {parent} {meant}".strip() if there else None


def _stat(path: Path) -> stat_result | None:
    """None where the file is gone since its directory was read."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _listed(root: Path, path: Path, stat: stat_result) -> Input:
    name = path.relative_to(root) if path.is_relative_to(root) else path
    return Input(name.as_posix(), path, stat.st_size, stat.st_mtime_ns)


def _digested(one: Input, known: Mapping[str, Any]) -> Input:
    if one.path is None:
        return one
    try:
        return one._replace(digest=str(known["digest"]) if one.same_stat(known) else digest_file(one.path))
    except FileNotFoundError:
        raise ContractBroken("the file went away while it was read", where=one.name, hint="ingest again") from None


def _under_dvc(root: Path, file: Path) -> Iterator[Input]:
    from penstock.data.sources.dvc import tracked

    for one in tracked(file):
        name = (file.parent / one.path).relative_to(root) if file.is_relative_to(root) else file.parent / one.path
        yield Input(name.as_posix(), None, digest=digest_value({"md5": one.md5}), tracked=one)


# --- objects -------------------------------------------------------------------------------------


def _objects(url: str, may_be_none: bool) -> list[Input]:
    from penstock.data.sources.objectfiles import list_objects

    found = list_objects(url)
    if not found and not may_be_none:
        raise UsageError(
            f"no object matches {url!r}",
            expected="a key or a glob such as s3://BUCKET/2024/*.parquet",
            hint=f"to take all that is under it: {url.rstrip('/')}/**/*.parquet" if "*" not in url else None,
        )
    return found
