"""Packs: the bytes of many files in a few blobs.

A pack is a Parquet blob with the columns `digest` and `content`, a row per file. Ten thousand small files
are two packs: written with two syncs, sent with two requests, read with two scans.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl

from penstock.store.blobs import Blobs, Draft

SCHEMA = {"digest": pl.String(), "content": pl.Binary()}
PACK = 64 << 20  # bytes of files in a pack; a larger file has a pack of its own

File = tuple[str, bytes]  # digest, content


def write(blobs: Blobs, files: Iterable[File]) -> tuple[str, ...]:
    """Keep files, each digest once; the packs that hold them. About a pack's bytes are in memory at a time."""
    drafts: list[Draft] = []
    packs: list[str] = []
    try:
        for group in _grouped(files):
            kept = blobs.draft(_to_parquet(group))
            drafts += [kept] if isinstance(kept, Draft) else []
            packs.append(kept.digest if isinstance(kept, Draft) else kept)
        blobs.publish(drafts)
    finally:
        blobs.discard(drafts)
    return tuple(packs)


def digests(paths: Sequence[Path]) -> list[pl.Series]:
    """The digests of the files in each pack, in order."""
    return [pl.read_parquet(path, columns=["digest"])["digest"] for path in paths]


def scan(paths: Sequence[Path]) -> pl.LazyFrame:
    """`digest`, `content` of every file in the packs; a file that is in several of them comes several times."""
    if not paths:
        return pl.LazyFrame(schema=SCHEMA)
    return pl.scan_parquet(list(paths), glob=False, hive_partitioning=False)


def read(path: Path) -> Iterator[File]:
    """The files of a pack."""
    yield from pl.read_parquet(path).iter_rows()


def _grouped(files: Iterable[File]) -> Iterator[list[File]]:
    group: list[File] = []
    seen: set[str] = set()
    size = 0
    for digest, content in files:
        if digest in seen:
            continue
        seen.add(digest)
        if group and size + len(content) > PACK:
            yield group
            group, size = [], 0
        group.append((digest, content))
        size += len(content)
    if group:
        yield group


def _to_parquet(group: Sequence[File]) -> bytes:
    frame = pl.DataFrame({"digest": [digest for digest, _ in group], "content": [data for _, data in group]}, SCHEMA)
    buffer = io.BytesIO()
    # no statistics: the least and the greatest file, whole, would stand in the footer
    frame.write_parquet(buffer, compression="zstd", compression_level=1, statistics=False)
    return buffer.getvalue()
