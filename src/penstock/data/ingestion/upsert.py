"""Upsert: the rows of one input in place of the rows of the same key. Copy on write: only parts that lose rows change.

    new rows ─ the last of each key ─┬─ same as the row that is there ──> left out
                                     ├─ other than it: that one goes ───> added
                                     └─ no row of this key there ───────> added

Keys meet by their hashes, 8 bytes a row; only rows of parts that share a hash are compared whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from penstock.data.contracts.unique import hash_of, hashes, shared, with_hashes
from penstock.data.reserved import RAW, ROW
from penstock.store import Part, Store, Table

_NEW_ROW = RAW + ROW


@dataclass(frozen=True)
class Upserted:
    """What an input did to a table.

    stays    of each part that lost rows, by its digest: the parts of what is left
    added    parts of the rows that are new, or other than before
    counts   inserted, updated, unchanged, superseded: together the rows of the input
    """

    stays: Mapping[str, tuple[Part, ...]]
    added: tuple[Part, ...]
    counts: Mapping[str, int]


def upsert(store: Store, there: Table, new: Table, key: Sequence[str], watermark: str | None) -> Upserted:
    """Put `new` in the place of what `there` has of the same keys.

    Of two rows with a key the one with the larger watermark wins, and the later one where that is equal or
    there is none. No key is missing, and `there` has each once.
    """
    single = _without(store, new, _earlier(store.rows(new), key, watermark))
    rows = store.rows(single)
    arriving = hashes(rows, key).sort()
    stays: dict[str, tuple[Part, ...]] = {}
    useless: list[pl.Series] = []
    updated = unchanged = 0
    for part in there.parts:
        old = Table(there.schema, (part,))
        pairs = _pairs(store.rows(old), rows, key, arriving, watermark)
        if pairs is None:
            continue
        gone = pairs.filter("wins").get_column(ROW)
        if gone.len():
            stays[part.digest] = _without(store, old, gone).parts
        useless.append(pairs.filter(~pl.col("wins")).get_column(_NEW_ROW).alias(ROW))
        updated += gone.len()
        unchanged += int(pairs.get_column("same").sum())
    left_out = pl.concat(useless) if useless else pl.Series(ROW, [], pl.Int64)
    added = _without(store, single, left_out)
    superseded = new.rows - single.rows + left_out.len() - unchanged
    counts = {"inserted": added.rows - updated, "updated": updated, "unchanged": unchanged, "superseded": superseded}
    return Upserted(stays, added.parts, counts)


def _earlier(rows: pl.LazyFrame, key: Sequence[str], watermark: str | None) -> pl.Series:
    """The numbers of the rows that another one of the same key in the same input wins over."""
    suspects = shared(hashes(rows, key))
    order = [watermark, ROW] if watermark else [ROW]
    level = with_hashes(_numbered(rows), key, suspects).select({*key, *order}).collect().sort(order)
    last = level.unique(key, keep="last").get_column(ROW)
    return level.get_column(ROW).filter(~level.get_column(ROW).is_in(last.implode()))


def _pairs(
    old: pl.LazyFrame, new: pl.LazyFrame, key: Sequence[str], arriving: pl.Series, watermark: str | None
) -> pl.DataFrame | None:
    """Rows of one part that meet a new one: the numbers of both, whether they are the `same`, whether the new `wins`.

    None when none do.
    """
    met = _among(hashes(old, key), arriving)
    if not met.any():
        return None
    before = _numbered(old).collect().filter(met)
    suspects = before.select(hash_of(key)).to_series().unique()
    others = [name for name in before.columns if name not in {*key, ROW}]
    after = with_hashes(_numbered(new), key, suspects).collect()
    pairs = before.join(after.rename({name: RAW + name for name in [*others, ROW]}), on=list(key))
    same = [pl.col(name).eq_missing(pl.col(RAW + name)) for name in others]
    newer = pl.col(RAW + watermark) >= pl.col(watermark) if watermark in others else pl.lit(True)
    found = pairs.select(ROW, _NEW_ROW, pl.all_horizontal(pl.lit(True), *same).alias("same"), newer.alias("newer"))
    return found.with_columns((pl.col("newer") & ~pl.col("same")).alias("wins"))


def _among(found: pl.Series, ordered: pl.Series) -> pl.Series:
    """Which of the hashes found are in a sorted series."""
    if not ordered.len():
        return pl.repeat(False, found.len(), eager=True)
    places = ordered.search_sorted(found).clip(upper_bound=ordered.len() - 1)
    return ordered.gather(places) == found


def _without(store: Store, table: Table, rows: pl.Series) -> Table:
    """A table without the rows of these numbers, written anew if there are any."""
    if not rows.len():
        return table
    gone = rows.alias(ROW).to_frame().lazy()
    left = _numbered(store.rows(table)).join(gone, on=ROW, how="anti", maintain_order="left").drop(ROW)
    return Table(table.schema, store.write_table(left).parts)


def _numbered(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
