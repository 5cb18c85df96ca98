"""Ingest of a directory: its files go into packs, and a row per file through the contract like any other row.

files ─ remembered by size, time, inode? ─> digest known
└ read once: digested, and packed if no pack of the version before has them ─> path, bytes, digest
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from penstock.data.ingestion.opening import Opened
from penstock.data.ingestion.plan import Plan
from penstock.data.reserved import ROW
from penstock.data.sources.directory import COLUMNS, Reading, files_below, recalled, remember
from penstock.data.sources.inputs import Input
from penstock.data.sources.readers import Raw
from penstock.digest import digest_value
from penstock.store import Store

LIVE = 0.5  # a pack of which less is needed is written again without the rest


@dataclass(frozen=True)
class Directory:
    """The files that a directory holds now, with the digests of those that have not changed since they were read."""

    root: Path
    source: str
    memory: Path
    files: pl.DataFrame
    looked_ns: int

    @classmethod
    def look(cls, root: Path, source: str, memory: Path) -> "Directory":
        """List the files; none is read."""
        looked = time.time_ns()
        return cls(root, source, memory, recalled(files_below(root, source), memory), looked)

    @property
    def input(self) -> Input:
        """The directory as one input. Its digest is "" as long as a file is unread."""
        unread = self.files["digest"].null_count()
        rows = [] if unread else self.files.select("path", "digest").rows()
        size = int(self.files["bytes"].sum())
        return Input(self.source, self.root / self.source, size, 0, digest_value(rows) if rows else "")

    def read(self, store: Store, packs: Sequence[str]) -> "tuple[Directory, tuple[str, ...]]":
        """Read what is unread or in none of `packs`; the directory with every digest, and the packs that this made."""
        there = store.scan_packs(packs).select("digest").collect()["digest"]
        # what is remembered may never have been published: an ingest that broke leaves its packs to the garbage
        packed = self.files["digest"].is_in(there.implode()).fill_null(False)
        unread = self.files.filter(~packed)
        reading = Reading(self.root, self.source, unread)
        known = set(there)
        made = store.write_packs(one for one in reading.contents() if one[0] not in known)
        found = unread.with_columns(pl.Series("digest", reading.digests, dtype=pl.String))
        return replace(self, files=pl.concat([self.files.filter(packed), found]).sort("path")), made

    def opened(self) -> Opened:
        """Its rows, to be held against a contract."""
        rows = self.files.lazy().select(*COLUMNS).with_row_index(ROW, offset=1)
        return Opened(self.input, Raw(self.source, rows.with_columns(pl.col(ROW).cast(pl.Int64)), False), iter(()))

    def remember(self) -> None:
        """Read none of these files again as long as they stay as they are."""
        remember(self.files, self.memory, self.looked_ns)

    def plan(self, plan: Plan) -> Plan:
        """The plan with the digest that the directory turned out to have."""
        one = self.input
        files = tuple({**file, "digest": one.digest} if file["name"] == one.name else file for file in plan.files)
        return replace(plan, read=(one,), files=files)


def live_packs(store: Store, packs: Sequence[str], wanted: Sequence[pl.LazyFrame]) -> tuple[str, ...]:
    """Packs that hold every file of `wanted` (with a column `digest`), without those that hardly any of them is in."""
    needed = pl.concat([rows.select("digest") for rows in wanted]).unique().collect()["digest"].implode()
    kept: list[str] = []
    thin: list[str] = []
    for pack in packs:
        share = store.scan_packs([pack]).select(pl.col("digest").is_in(needed).mean()).collect().item()
        if share:
            (kept if share >= LIVE else thin).append(pack)
    files = store.scan_packs(thin).filter(pl.col("digest").is_in(needed))
    return (*kept, *(store.write_packs(_rows(files)) if thin else ()))


def _rows(files: pl.LazyFrame) -> Iterator[tuple[str, bytes]]:
    for batch in files.collect_batches(chunk_size=1_000, maintain_order=True):
        yield from batch.iter_rows()
