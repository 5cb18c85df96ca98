"""What a run keeps as files."""

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from penstock.errors import UsageError
from penstock.train.tracking.journal import File

if TYPE_CHECKING:
    from penstock.store import Store


def kept_files(store: "Store", source: "Path | str | bytes", name: str | None) -> Iterator[File]:
    """Keep a file, every file of a directory, or bytes. UsageError before anything is kept."""
    if isinstance(source, bytes):
        if not name:
            raise UsageError("bytes have no name of their own", expected="log_artifact(data, name='scores.npy')")
        yield _kept(store, _checked(name), store.put_bytes(source))
        return
    path = Path(source)
    if path.is_file():
        yield _kept(store, _checked(name or path.name), store.put_file(path))
    elif path.is_dir():
        top = _checked(name or path.resolve().name)
        for file in sorted(each for each in path.rglob("*") if each.is_file()):
            yield _kept(store, f"{top}/{file.relative_to(path).as_posix()}", store.put_file(file))
    else:
        raise UsageError(f"there is no file {str(source)!r} to keep", hint=f"ls -l {path.parent}")


def _kept(store: "Store", name: str, digest: str) -> File:
    return File(name, digest, store.blobs.size(digest))


def _checked(name: str) -> str:
    """A name that means the same file wherever artifacts are written out."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or path.as_posix() != name:
        raise UsageError(f"{name!r} cannot be the name of an artifact", expected="plots/roc.png")
    return name


def figure_bytes(figure: Any, name: str) -> bytes:
    """A figure of Matplotlib in the format of the name's ending, or of Plotly as a page. UsageError for others."""
    ending = PurePosixPath(name).suffix.removeprefix(".")
    if hasattr(figure, "savefig"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=ending or "png", bbox_inches="tight")
        return buffer.getvalue()
    if hasattr(figure, "to_html") and ending == "html":
        return str(figure.to_html(include_plotlyjs="cdn")).encode()
    expected = "a figure of Matplotlib (roc.png, roc.svg) or of Plotly (roc.html)"
    raise UsageError(f"a {type(figure).__name__} cannot be kept as {name!r}", expected=expected)


def table_bytes(table: Any) -> bytes:
    """A table as Parquet: a frame of Polars, or what Polars makes one of."""
    import polars as pl

    frame = table if isinstance(table, pl.DataFrame) else pl.DataFrame(table)
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
