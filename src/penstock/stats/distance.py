"""How far two profiles of a column are apart.

    psi            population stability index: sum (q - p) ln(q / p), both sides smoothed by half a row
                   per bin, so that an empty bin is evidence and not infinity
    debiased psi   minus what chance alone adds, (B - 1)(1/n + 1/m); about 0 without drift
    p-value        psi * nm / (n + m) is chi-squared with B - 1 degrees of freedom without drift

B counts the bins in which either side has a row. What the reference hardly saw cannot be compared bin by
bin without false alarms, so on clean data

- numbers are folded to ten bins of about equal reference share, the outer two open (bins of their own for
  what is outside the reference's range alarmed up to 10 % of the time at p < .05);
- levels that the reference saw fewer than 5 times count as `others`, together with those it never saw, and
  the reference's share of them is Good and Turing's estimate (without that, 1,000 rows of a long-tailed
  column alarmed 77 to 100 % of the time).

Null, NaN and the infinities are bins of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, exp, lgamma, log, sqrt

import numpy as np
import numpy.typing as npt

from penstock.stats.profile import Column, LevelColumn, NumericColumn

FOLDED = 10
SMOOTHING = 0.5
RARE = 4  # rows of the reference
OTHER_REFERENCE = "the columns were not counted on the same reference"

Counts = Sequence[float] | npt.NDArray[np.float64]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """A column's distance from its reference: how large, and whether chance explains it."""

    psi: float
    debiased: float
    p_value: float


def drift(reference: Column, current: Column) -> Drift:
    """How far `current` is from `reference`. A side without rows shows nothing: distances 0, p-value 1.

    ValueError when `current` was not counted on `reference`.
    """
    p, q = aligned(reference, current)
    value, bins = psi(p, q), int(((p + q) > 0).sum())
    n, m = float(p.sum()), float(q.sum())
    scale = (n + m) / (n * m) if n and m else 0.0
    noise = max(bins - 1, 0) * scale
    p_value = chi2_tail(value / scale, bins - 1) if scale else 1.0
    return Drift(value, value - noise, p_value)


def psi(p: Counts, q: Counts) -> float:
    """Population stability index of two rows of counts on the same bins."""
    a, b = _filled(p, q)
    if not a.sum() or not b.sum():
        return 0.0
    share_a = (a + SMOOTHING) / (a.sum() + SMOOTHING * len(a))
    share_b = (b + SMOOTHING) / (b.sum() + SMOOTHING * len(b))
    return float(((share_b - share_a) * np.log(share_b / share_a)).sum())


def aligned(reference: Column, current: Column) -> tuple[Array, Array]:
    """Both columns' counts on the bins that PSI uses."""
    if isinstance(reference, NumericColumn) and isinstance(current, NumericColumn) and reference.edges == current.edges:
        groups = fold(reference.counts)
        return _folded(reference, groups), _folded(current, groups)
    if isinstance(reference, LevelColumn) and isinstance(current, LevelColumn) and reference.levels == current.levels:
        return _grouped(reference, current)
    raise ValueError(OTHER_REFERENCE)


def fold(counts: Sequence[int], into: int = FOLDED) -> npt.NDArray[np.intp]:
    """For every fine bin its group: neighbours together, each group about 1/`into` of `counts`."""
    fine = np.asarray(counts, dtype=np.float64)
    total = fine.sum()
    if not total:
        return np.zeros(len(fine), dtype=np.intp)
    middles = (np.cumsum(fine) - fine / 2) / total
    wanted = np.minimum((middles * into).astype(np.intp), into - 1)
    return np.asarray(np.unique(wanted, return_inverse=True)[1], dtype=np.intp)


def chi2_tail(x: float, degrees: int) -> float:
    """P(chi-squared with `degrees` > x), the finite sums for whole degrees (Abramowitz and Stegun 26.4.4-5)."""
    y = x / 2
    if degrees < 1 or y <= 0:
        return 1.0
    odd = degrees % 2
    powers = (i + odd / 2 for i in range(degrees // 2))
    terms = (exp(power * log(y) - y - lgamma(power + 1)) for power in powers)
    return min(1.0, (erfc(sqrt(y)) if odd else 0.0) + sum(terms))


def _filled(p: Counts, q: Counts) -> tuple[Array, Array]:
    """Without the bins that are empty on both sides."""
    a, b = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"counts on different bins: {len(a)} and {len(b)}")
    some = (a + b) > 0
    return a[some], b[some]


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
