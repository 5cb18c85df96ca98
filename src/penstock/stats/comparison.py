"""Whether a column, or which columns of a table, moved away from their reference.

    drift     how far, in every measure, and whether chance explains it
    shifts    the decision for a whole table: a column is shifted when its debiased PSI reaches `floor` AND
              its p-value passes Benjamini and Hochberg's procedure (1995) over the table's columns at `alpha`

    debiased    psi less what chance alone adds, (B - 1)(1/n + 1/m); about 0 without drift
    p-value     psi * nm / (n + m) is chi-squared with B - 1 degrees of freedom without drift
                (Yurdakul and Naranjo 2020)

B counts the bins in which either side has a row, n and m the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, log

import numpy as np
import numpy.typing as npt

from penstock.stats.bins import OTHER_REFERENCE, aligned, ordered
from penstock.stats.columns import Column, LevelColumn, NumericColumn, missing_rate
from penstock.stats.distance import chi2_tail, jensen_shannon, kolmogorov_smirnov, psi, wasserstein
from penstock.stats.profile import Profile

ALPHA = 0.0002  # clean columns of a table on its own: 0.2 alarms in 1,000; of a wide table fewer
FLOOR = 0.02
QUARTILES = (0.25, 0.75)
NORMAL_IQR = 1.349  # of a normal distribution, in standard deviations


@dataclass(frozen=True)
class Drift:
    """A column's distance from its reference: how large, and whether chance explains it.

    psi            population stability index, on ten bins or the reference's levels
    debiased       less what chance adds; 0.1 is a small, 0.2 a marked change
    p_value        of the psi, if nothing had changed
    js             Jensen-Shannon distance, base 2, on the same bins: 0 to 1
    ks             Kolmogorov-Smirnov statistic on the fine bins: 0 to 1; None of levels, or without numbers
    wasserstein    1-Wasserstein distance in the reference's interquartile range / 1.349 (of a normal distribution its
                   standard deviation), in its standard deviation where that range is 0; None of levels, without
                   finite numbers, and of a reference with one value only
    """

    psi: float
    debiased: float
    p_value: float
    js: float
    ks: float | None
    wasserstein: float | None


@dataclass(frozen=True)
class Shift:
    """What became of a column, and whether it is shifted.

    adjusted          its p-value, adjusted for how many columns were looked at: to compare with `alpha`
    new               levels that the reference never had, the most frequent first (64 at most; none where the
                      reference has more levels than a profile lists, so that new and rare are not told apart)
    vanished          levels that did not come although, at `alpha` over all levels, they should have
    missing_change    missing rate now less that of the reference
    """

    column: str
    shifted: bool
    drift: Drift
    adjusted: float
    new: tuple[str, ...]
    vanished: tuple[str, ...]
    missing_change: float


def shifts(reference: Profile, current: Profile, *, alpha: float = ALPHA, floor: float = FLOOR) -> tuple[Shift, ...]:
    """Every column of `current`, a Shift each, in its order; the table moved if any of them is `shifted`.

    `alpha` is the share of false ones among the shifted, `floor` the least debiased PSI that matters.
    ValueError when `current` was not counted on `reference`.
    """
    if not current.columns.keys() <= reference.columns.keys():
        raise ValueError(OTHER_REFERENCE)
    found = {name: drift(reference.columns[name], column) for name, column in current.columns.items()}
    adjusted = benjamini_hochberg([each.p_value for each in found.values()])
    return tuple(
        _shift(name, each, p_value, reference.columns[name], current.columns[name], alpha=alpha, floor=floor)
        for (name, each), p_value in zip(found.items(), adjusted, strict=True)
    )


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
    ks = earth = None
    if isinstance(reference, NumericColumn) and isinstance(current, NumericColumn):
        ks, earth = _ks(reference, current), _earth(reference, current)
    return Drift(value, value - noise, p_value, jensen_shannon(p, q), ks, earth)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the given order: at most `alpha` where the procedure rejects at `alpha`."""
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(-given)
    ranks = np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum.accumulate(np.minimum(given[order] * len(given) / ranks, 1.0))
    return tuple(adjusted.tolist())


def _shift(
    name: str, found: Drift, adjusted: float, reference: Column, current: Column, *, alpha: float, floor: float
) -> Shift:
    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    if isinstance(reference, LevelColumn) and isinstance(current, LevelColumn):
        new, vanished = _new(reference, current), _vanished(reference, current, alpha)
    shifted = found.debiased >= floor and adjusted <= alpha
    return Shift(name, shifted, found, adjusted, new, vanished, missing_rate(current) - missing_rate(reference))


def _new(reference: LevelColumn, current: LevelColumn) -> tuple[str, ...]:
    if reference.others:
        return ()
    return tuple(level for level, _ in sorted(current.unseen, key=lambda one: (-one[1], one[0])))


def _vanished(reference: LevelColumn, current: LevelColumn, alpha: float) -> tuple[str, ...]:
    """Levels whose rows are all on the reference's side, which chance gives with (n / (n + m)) ** count."""
    n, m = sum(reference.counts) + reference.others, sum(current.counts) + current.others
    if not n or not m:
        return ()
    enough = log(alpha / len(reference.levels)) / log(n / (n + m)) if reference.levels else 0.0
    both = zip(reference.levels, reference.counts, current.counts, strict=True)
    return tuple(level for level, before, now in both if before > enough and not now)


def _ks(reference: NumericColumn, current: NumericColumn) -> float | None:
    p, q = ordered(reference), ordered(current)
    return kolmogorov_smirnov(p, q) if p.sum() and q.sum() else None


def _earth(reference: NumericColumn, current: NumericColumn) -> float | None:
    """Every bin's rows stand at their own mean, which is what they have moved by within it."""
    if not reference.moments.count or not current.moments.count:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        scale = _scale(reference)
        if not 0 < scale < inf:
            return None
        distance = wasserstein(*_means(reference), *_means(current)) / scale
    return distance if isfinite(distance) else None


def _means(column: NumericColumn) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and count of every bin that has rows, of the outer ones too."""
    counts = np.asarray([column.below, *column.counts, column.above], dtype=np.float64)
    some = counts > 0
    return np.asarray(column.sums)[some] / counts[some], counts[some]


def _scale(reference: NumericColumn) -> float:
    """The reference's spread; quartiles are interpolated within their bins, and both in one bin are one value."""
    shares = np.cumsum([0, *reference.counts]) / max(sum(reference.counts), 1)
    low, high = np.searchsorted(shares, QUARTILES)
    if low == high:
        return reference.moments.deviation
    quartiles = np.interp(QUARTILES, shares, reference.edges)
    return float(quartiles[1] - quartiles[0]) / NORMAL_IQR
