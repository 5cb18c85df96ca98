"""Rows that come back into a dataset that upserts: each in the place of the row of its key, unless that one is newer.

Of two rows the one with the larger watermark is newer. Where that is equal, or there is none, it is the one that was
read later. The row that is there was read earlier when it belongs to a file that was last read before the other's, or
when it was there, the same, before the other's file was read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from penstock.data.ingestion.plan import File
from penstock.data.ingestion.upsert import upsert
from penstock.data.reserved import RAW
from penstock.store import Manifest, Part, Store, Table


@dataclass(frozen=True)
class Replaced:
    """The files with their parts after rows came back, every part that they name, and rows that a newer one beat."""

    files: tuple[File, ...]
    parts: tuple[Part, ...]
    superseded: int


def replace_rows(
    store: Store,
    good: Manifest,
    files: Sequence[File],
    back: Mapping[str, Table],
    key: Sequence[str],
    watermark: str | None,
) -> Replaced:
    """Put the rows that come `back`, by the name of their file, among the `good` ones."""
    parts = {part.digest: part for part in good.parts}
    entries = {str(file["name"]): dict(file) for file in files}
    superseded = 0

    def rows_since(turn: int) -> Table:
        digests = (digest for entry in entries.values() if _turn(entry) >= turn for digest in entry["good"])
        return Table(good.schema, tuple(parts[digest] for digest in digests))

    for name in sorted(back, key=lambda name: _turn(entries[name])):
        mine = entries[name]
        newest = _not_beaten(store, rows_since(_turn(mine)), str(mine.get("before", "")), back[name], key, watermark)
        done = upsert(store, rows_since(0), newest, key, watermark)
        parts |= {part.digest: part for some in (done.added, *done.stays.values()) for part in some}
        for entry in entries.values():
            entry["good"] = list(_after(entry["good"], done.stays))
        mine["good"] += [part.digest for part in done.added]
        superseded += back[name].rows - sum(part.rows for part in done.added)
    return Replaced(tuple(entries.values()), tuple(parts.values()), superseded)


def _turn(file: File) -> int:
    """When it was last read, among the files of its dataset."""
    return int(file.get("turn", 0))


def _after(digests: Sequence[str], stays: Mapping[str, tuple[Part, ...]]) -> Iterator[str]:
    """What a file's parts have become."""
    for digest in digests:
        yield from (part.digest for part in stays[digest]) if digest in stays else (digest,)


def _not_beaten(
    store: Store, there: Table, before: str, back: Table, key: Sequence[str], watermark: str | None
) -> Table:
    """The rows that come back without those beside which a row of the same key, and watermark, was read later."""
    rows = store.rows(back)
    alike = [*key, watermark] if watermark and watermark not in key else list(key)
    rivals = store.rows(there).join(rows.select(alike).unique(), on=alike, how="semi").collect(engine="streaming")
    if before and rivals.height:
        rivals = _changed_since(store, before, rivals, key)
    if not rivals.height:
        return back
    return store.write_table(rows.join(rivals.lazy().select(alike), on=alike, how="anti", maintain_order="left"))


def _changed_since(store: Store, commit: str, rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Rows that a version has not got as they are."""
    others = [name for name in rows.columns if name not in key]
    was = store.scan(commit).join(rows.lazy().select(key), on=list(key), how="semi")
    pairs = rows.lazy().join(was.rename({name: RAW + name for name in others}), on=list(key))
    same = [pl.col(name).eq_missing(pl.col(RAW + name)) for name in others]
    unchanged = pairs.filter(pl.all_horizontal(pl.lit(True), *same)).select(key)
    return rows.lazy().join(unchanged, on=list(key), how="anti").collect(engine="streaming")
