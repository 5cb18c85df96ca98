"""The bins and levels of a reference, from a first look at its rows; the second look counts on them.

The first look keeps 65,536 rows at most, those whose number hashes lowest, so that it is the same sample
in whatever batches the rows come. Its quantiles are 0.2 % of the rows off where a bin has 1.6 %, which only
makes the bins a little uneven: they are counted exactly.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite

import numpy as np
import polars as pl

from penstock.stats.columns import UNSEEN, Column, LevelColumn, NumericColumn, first_unseen
from penstock.stats.counting import is_numeric, levels_of, numbers_of
from penstock.stats.distinct import mixed
from penstock.stats.grid import Floats

SAMPLE = 65_536
BINS = 64
LEVELS = 1024
CROWD = 4  # times the share that a bin started with
SEARCHED = 4 * LEVELS  # counted, to list the most frequent of them


def sample(batches: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """At most 65,536 of the rows, the same in whatever batches they come; all of them when they are no more."""
    kept, hashes, seen = [], np.empty(0, dtype=np.uint64), 0
    highest = np.iinfo(np.uint64).max
    for batch in batches:
        hashed = mixed(np.arange(seen, seen + batch.height, dtype=np.uint64))
        seen += batch.height
        low = hashed <= highest
        kept.append(batch.filter(low))
        hashes = np.concatenate([hashes, hashed[low]])
        if len(hashes) > 2 * SAMPLE:
            highest = np.partition(hashes, SAMPLE - 1)[SAMPLE - 1]
            kept = [pl.concat(kept, how="vertical_relaxed").filter(hashes <= highest)]
            hashes = hashes[hashes <= highest]
    together = pl.concat(kept, how="vertical_relaxed") if kept else pl.DataFrame()
    if len(hashes) <= SAMPLE:
        return together
    return together.filter(hashes <= np.partition(hashes, SAMPLE - 1)[SAMPLE - 1])


def blank(series: pl.Series) -> Column:
    """No rows yet, on the bins or levels of these."""
    if is_numeric(series.dtype):
        values = numbers_of(series)
        edges = _edges(np.sort(values[np.isfinite(values)]))
        return NumericColumn.on(tuple(edges.tolist()), temporal=series.dtype.is_temporal())
    if series.dtype == pl.Boolean:
        return LevelColumn.on(("false", "true"))
    frequent = levels_of(series).sort("rows", "level", descending=[True, False]).head(SEARCHED)
    return LevelColumn.on(tuple(frequent["level"].sort()))


def closed(column: Column) -> Column:
    """What the sample lacked is the reference's too: a bin below, one above, levels among the most frequent."""
    return _widened(column) if isinstance(column, NumericColumn) else _relisted(column)


def fits(column: Column) -> bool:
    """Whether the bins still tell the values apart that were counted on them: few are in none, or crowd in one.

    Bins start with a 64th of the values each, but for those of a single value.
    """
    share = (column.rows - column.missing) / BINS
    if isinstance(column, LevelColumn):
        return column.others <= share
    ends = _after(np.asarray(column.edges[:-1]))
    wide = np.asarray(column.edges[1:]) > ends
    crowded = np.asarray(column.counts) > CROWD * max(share, 1)
    return column.below + column.above <= share and not (wide & crowded).any()


def _edges(ordered: Floats) -> Floats:
    """Quantiles, each once; a value that takes more than one bin's share gets a bin of its own."""
    n = len(ordered)
    if n == 0:
        return ordered
    bins = min(BINS, n)
    points = ordered[(np.arange(bins) * n) // bins]
    values, times = np.unique(ordered, return_counts=True)
    ends = _after(np.append(values[times * bins > n], ordered[-1]))
    return np.unique(np.concatenate([points, ends[np.isfinite(ends)]]))


def _widened(column: NumericColumn) -> NumericColumn:
    if column.minimum is None or column.maximum is None:
        return column
    edges, counts, sums = column.edges, column.counts, column.sums
    below, above = column.below, column.above
    if below:
        edges, counts, sums, below = (column.minimum, *edges), (below, *counts), (0.0, *sums), 0
    end = float(_after(np.asarray(column.maximum)))
    if above and isfinite(end):
        edges, counts, sums, above = (*(edges or (column.minimum,)), end), (*counts, above), (*sums, 0.0), 0
    return replace(column, edges=edges, counts=counts, sums=sums, below=below, above=above)


def _relisted(column: LevelColumn) -> LevelColumn:
    """The most frequent of all that were counted. Unseen levels are among them if none of these is left out."""
    listed = list(zip(column.levels, column.counts, strict=True))
    found = [*listed, *column.unseen] if len(column.unseen) < UNSEEN else listed
    levels = _most_frequent(found, LEVELS)
    rows, kept = dict(found), set(levels)
    counts = tuple(rows[level] for level in levels)
    rest = first_unseen((level, count) for level, count in (*listed, *column.unseen) if level not in kept)
    others = column.others + sum(column.counts) - sum(counts)
    return replace(column, levels=levels, counts=counts, others=others, unseen=rest)


def _most_frequent(counted: Iterable[tuple[str, int]], most: int) -> tuple[str, ...]:
    ranked = sorted(counted, key=lambda one: (-one[1], one[0]))
    return tuple(sorted(level for level, _ in ranked[:most]))


def _after(values: Floats) -> Floats:
    """The next numbers; infinity after the largest."""
    with np.errstate(over="ignore"):
        return np.nextafter(values, np.inf)
