"""What the files of a version hold: the rows of a directory with the bytes that they stand for."""

import os
import shutil
from pathlib import Path, PurePosixPath

import polars as pl

from penstock.errors import Damaged, UsageError
from penstock.ids import new_id
from penstock.store import Manifest, Store


def rows_of(store: Store, commit: str) -> pl.LazyFrame:
    """The rows of a version; of a directory with the column `content` (Binary), in order of pack and path."""
    manifest = store.manifest(commit)
    if not manifest.packs:
        return store.scan(commit)
    _refuse_missing(store, manifest, commit)
    rows = store.scan(commit)
    # pack by pack: a join holds one side in memory, which is then one pack
    pieces = (store.scan_packs([pack]) for pack in manifest.packs)
    return pl.concat(rows.join(piece, on="digest", how="inner", maintain_order="left") for piece in pieces)


def write_files(store: Store, commit: str, directory: Path) -> int:
    """Write the files of a version into a new directory, which appears when all of them are there; their number.

    UsageError when the directory exists and is not empty, or the version has no files.
    """
    manifest = store.manifest(commit)
    if not manifest.packs:
        raise UsageError("the version holds rows, not files", expected="a file that ends in .csv or .parquet")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError("the directory is not empty", where=str(directory), expected="a new or an empty one")
    _refuse_missing(store, manifest, commit)
    draft = directory.with_name(f".{directory.name}.{new_id()}")
    try:
        count = _write(store, manifest, commit, draft)
        if directory.exists():
            directory.rmdir()
        os.replace(draft, directory)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return count


def _write(store: Store, manifest: Manifest, commit: str, directory: Path) -> int:
    paths: dict[str, list[str]] = {}
    for path, digest in store.scan(commit).select("path", "digest").collect().iter_rows():
        paths.setdefault(digest, []).append(_safe(path, commit))
    directory.mkdir(parents=True)
    made = {directory}
    for pack in manifest.packs:
        for digest, content in store.scan_packs([pack]).collect().iter_rows():
            for path in paths.get(digest, ()):
                target = directory / path
                if target.parent not in made:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    made.add(target.parent)
                target.write_bytes(content)
    return sum(map(len, paths.values()))


def _safe(path: str, commit: str) -> str:
    """A version may come from elsewhere: none of its files may be written outside of the directory."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise Damaged(f"version {commit} names a file outside of its directory: {path!r}")
    return path


def _refuse_missing(store: Store, manifest: Manifest, commit: str) -> None:
    """A file whose bytes are in no pack would otherwise be left out without a word."""
    packed = store.scan_packs(manifest.packs).select("digest")
    lost = store.scan(commit).join(packed, on="digest", how="anti").select("path").head(1).collect()
    if lost.height:
        raise Damaged(f"version {commit} lacks the content of {lost.item(0, 'path')!r}")
