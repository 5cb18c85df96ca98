"""Two columns' counts on bins that can be compared without false alarms.

What the reference hardly saw cannot be compared bin by bin, so

- numbers are folded to ten bins of about equal reference share, the outer two open (bins of their own for
  what is outside the reference's range alarmed up to 10 % of the time at p < .05);
- levels that the reference saw fewer than 5 times count as `others`, together with those it never saw, and
  the reference's share of them is Good and Turing's estimate (without that, 1,000 rows of a long-tailed
  column alarmed 77 to 100 % of the time).

Null, NaN and the infinities are bins of their own.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from penstock.stats.columns import Column, LevelColumn, NumericColumn

FOLDED = 10
RARE = 4  # rows of the reference
OTHER_REFERENCE = "the columns were not counted on the same reference"

Array = npt.NDArray[np.float64]


def aligned(reference: Column, current: Column) -> tuple[Array, Array]:
    """Both columns' counts on the same bins. ValueError when `current` was not counted on `reference`."""
    if isinstance(reference, NumericColumn) and isinstance(current, NumericColumn) and reference.edges == current.edges:
        groups = fold(reference.counts)
        return _folded(reference, groups), _folded(current, groups)
    if isinstance(reference, LevelColumn) and isinstance(current, LevelColumn) and reference.levels == current.levels:
        return _grouped(reference, current)
    raise ValueError(OTHER_REFERENCE)


def ordered(column: NumericColumn) -> Array:
    """Counts of the numbers from the lowest to the highest: -inf, below, the fine bins, above, inf."""
    outer = [column.low_infinities, column.below], [column.above, column.high_infinities]
    return np.asarray([*outer[0], *column.counts, *outer[1]], dtype=np.float64)


def fold(counts: Sequence[int], into: int = FOLDED) -> npt.NDArray[np.intp]:
    """For every fine bin its group: neighbours together, each group about 1/`into` of `counts`."""
    fine = np.asarray(counts, dtype=np.float64)
    total = fine.sum()
    if not total:
        return np.zeros(len(fine), dtype=np.intp)
    middles = (np.cumsum(fine) - fine / 2) / total
    wanted = np.minimum((middles * into).astype(np.intp), into - 1)
    return np.asarray(np.unique(wanted, return_inverse=True)[1], dtype=np.intp)


def _folded(column: NumericColumn, groups: npt.NDArray[np.intp]) -> Array:
    inner = np.bincount(groups, weights=np.asarray(column.counts, dtype=np.float64), minlength=1)
    inner[0] += column.below
    inner[-1] += column.above
    named = [column.nulls, column.nans, column.low_infinities, column.high_infinities]
    return np.concatenate([inner, np.asarray(named, dtype=np.float64)])


def _grouped(reference: LevelColumn, current: LevelColumn) -> tuple[Array, Array]:
    seen, now = (np.asarray(column.counts, dtype=np.float64) for column in (reference, current))
    rare = seen <= RARE
    total, others = seen.sum() + reference.others, _expected_others(seen, reference.others)
    frequent = seen[~rare]
    frequent *= (total - others) / max(frequent.sum(), 1.0)
    found = now[rare].sum() + current.others
    return (
        np.append(frequent, [others, reference.nulls]),
        np.append(now[~rare], [found, current.nulls]),
    )


def _expected_others(seen: Array, unlisted: int) -> float:
    """How many of as many later rows will be of levels seen up to RARE times, or never.

    Good and Turing: as many as were of levels seen 1 to RARE + 1 times. Not more than if the rare levels were as
    frequent as the mean level: where all were seen equally often, which is no chance, none of them is rare.
    """
    rare = seen[(seen > 0) & (seen <= RARE)]
    found = float(rare.sum()) + unlisted
    good_turing = found + float(seen[seen == RARE + 1].sum())
    mean = float(seen.sum()) / max(len(seen[seen > 0]), 1)
    return min(good_turing, max(found, (len(rare) + unlisted / RARE) * mean))
