"""Values that are there more than once, found in 8 bytes a row.

    keys ─ hash ─ sorted: equal neighbours are suspects ─ only rows with their hashes are compared

Two keys may share a hash, so a suspect is never a verdict. Hashes are Polars' own: they say nothing in another
version of it, and are not kept. Where each key is more than the one before, as running numbers are, none is hashed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from penstock.data.reserved import RAW

SUSPECTS = 1_000_000  # hashes whose rows are compared at a time
HEAD = 1_000  # rows that say whether it is worth looking at the order of all
HASH = RAW + "hash"


class Repeated(NamedTuple):
    """How many keys are there more than once, in how many rows, and one that is there most often, with how often."""

    keys: int
    rows: int
    example: tuple[object, ...]
    times: int


def repeated(rows: pl.LazyFrame, names: Sequence[str]) -> Repeated | None:
    """Keys of several rows; a key with a missing value is none. None when every key is there once."""
    keyed = rows.select(*names).drop_nulls()
    if _rises(keyed, names):
        return None
    suspects = shared(hashes(keyed, names))
    chunks = (suspects.slice(start, SUSPECTS) for start in range(0, suspects.len(), SUSPECTS))
    found = [one for chunk in chunks if (one := _compared(keyed, names, chunk))]
    if not found:
        return None
    most = max(found, key=lambda one: one.times)
    return Repeated(sum(one.keys for one in found), sum(one.rows for one in found), most.example, most.times)


def _rises(keyed: pl.LazyFrame, names: Sequence[str]) -> bool:
    """Whether each key is more than the one before it, by its first value that is another."""
    if any(dtype.is_nested() for dtype in keyed.collect_schema().dtypes()):
        return False  # lists have no order
    values = [pl.col(name) for name in names]
    more = values[-1] > values[-1].shift(1)
    for value in reversed(values[:-1]):
        more = (value > value.shift(1)) | ((value == value.shift(1)) & more)
    return all(some.select(more.all()).collect().item() for some in (keyed.head(HEAD), keyed))


def hashes(rows: pl.LazyFrame, names: Sequence[str]) -> pl.Series:
    """A hash of each row's key, in the order of the rows."""
    return rows.select(hash_of(names)).collect().to_series()


def hash_of(names: Sequence[str]) -> pl.Expr:
    """The hash of a key."""
    return pl.struct(*names).hash().alias(HASH)


def shared(found: pl.Series) -> pl.Series:
    """Hashes that several rows have."""
    ordered = found.sort()
    return ordered.filter(ordered == ordered.shift(1)).unique()


def with_hashes(rows: pl.LazyFrame, names: Sequence[str], wanted: pl.Series) -> pl.LazyFrame:
    """The rows whose keys have one of these hashes, in any order."""
    return rows.with_columns(hash_of(names)).join(wanted.alias(HASH).to_frame().lazy(), on=HASH, how="semi").drop(HASH)


def _compared(keyed: pl.LazyFrame, names: Sequence[str], suspects: pl.Series) -> Repeated | None:
    places = [str(place) for place in range(len(names))]  # a column of the data may be called "rows"
    twice = (
        with_hashes(keyed, names, suspects)
        .select(pl.col(name).alias(place) for name, place in zip(names, places, strict=True))
        .group_by(places)
        .len("rows")
        .filter(pl.col("rows") > 1)
        .sort("rows", *places, descending=[True] + [False] * len(places))
        .collect()
    )
    if not twice.height:
        return None
    *example, times = twice.row(0)
    return Repeated(twice.height, int(twice["rows"].sum()), tuple(example), times)
