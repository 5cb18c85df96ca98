"""How far two distributions are apart, from their counts.

    psi                   sum (q - p) ln(q / p): the population stability index, Jeffreys' divergence of the
                          shares (Jeffreys 1946; Siddiqi 2006, Credit Risk Scorecards). Both sides are smoothed
                          by half a row per bin, so that an empty bin is evidence and not infinity
    jensen_shannon        square root of the mean of KL(p | m) and KL(q | m) in bits, m = (p + q) / 2: a metric
                          from 0 to 1 (Lin 1991; Endres and Schindelin 2003)
    kolmogorov_smirnov    largest gap of the two distribution functions, from 0 to 1 (Smirnov 1948)
    wasserstein           area between the two distribution functions, in the values' unit (Vaserstein 1969;
                          in one dimension Vallender 1974)
    chi2_tail             how likely chance alone is to give a chi-squared at least as large

p and q are counts, not shares, of as many bins on both sides. A side without rows is no distance away.
"""

from collections.abc import Sequence
from math import erfc, exp, lgamma, log, sqrt

import numpy as np
import numpy.typing as npt

SMOOTHING = 0.5

Counts = Sequence[float] | npt.NDArray[np.float64]
Array = npt.NDArray[np.float64]


def psi(p: Counts, q: Counts) -> float:
    """Population stability index. ValueError for different bins."""
    a, b = _filled(p, q)
    if not a.sum() or not b.sum():
        return 0.0
    share_a = (a + SMOOTHING) / (a.sum() + SMOOTHING * len(a))
    share_b = (b + SMOOTHING) / (b.sum() + SMOOTHING * len(b))
    return float(((share_b - share_a) * np.log(share_b / share_a)).sum())


def jensen_shannon(p: Counts, q: Counts) -> float:
    """Jensen-Shannon distance, base 2. ValueError for different bins."""
    a, b = _filled(p, q)
    if not a.sum() or not b.sum():
        return 0.0
    share_a, share_b = a / a.sum(), b / b.sum()
    middle = (share_a + share_b) / 2
    divergence = (_bits(share_a, middle) + _bits(share_b, middle)) / 2
    return sqrt(min(max(divergence, 0.0), 1.0))


def kolmogorov_smirnov(p: Counts, q: Counts) -> float:
    """Largest gap of the distribution functions over bins in their order. ValueError for different bins."""
    a, b = _filled(p, q)
    if not a.sum() or not b.sum():
        return 0.0
    return float(np.abs(np.cumsum(a) / a.sum() - np.cumsum(b) / b.sum()).max())


def wasserstein(x: Counts, p: Counts, y: Counts, q: Counts) -> float:
    """Area between the distribution functions of the values `x`, seen `p` times each, and `y`, seen `q` times."""
    a, b = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if not a.sum() or not b.sum():
        return 0.0
    places = np.concatenate([x, y])
    steps = np.concatenate([a / a.sum(), -b / b.sum()])
    order = np.argsort(places)
    gaps = np.abs(np.cumsum(steps[order]))[:-1]
    return float((gaps * np.diff(places[order])).sum())


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


def _bits(share: Array, of: Array) -> float:
    """Kullback-Leibler divergence in bits; a bin without share adds nothing."""
    some = share > 0
    return float((share[some] * np.log2(share[some] / of[some])).sum())
