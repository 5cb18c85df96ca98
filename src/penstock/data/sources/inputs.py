"""What gives rows: a file, an object, a function or a query."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

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

    return any(is_function(one) or isinstance(one, SqlSource) for one in each(source))


def is_directory(source: object) -> TypeGuard[str]:
    """Whether a source is a directory whose files are the rows: `images/`."""
    return isinstance(source, str) and source.endswith("/") and not is_url(source)


def gives_text(name: str) -> bool:
    """Whether the values of an input of this name are texts that have yet to be parsed."""
    return name.startswith("sqlite://") or (not is_function(name) and FORMATS.get(extension(name)) in TEXT)


def extension(name: str) -> str:
    """`.csv` of `data/a.csv` and of `data/a.CSV.gz`."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    packed = suffixes[-1:] == [PACKED] and FORMATS.get(suffixes[-2] if len(suffixes) > 1 else "") in LINES
    return suffixes[-2] if packed else (suffixes[-1] if suffixes else "")


def each(source: "Source") -> "Sequence[str | FileSource | SqlSource]":
    """The entries of a source: it may be several."""
    return source if isinstance(source, tuple) else (source,)
