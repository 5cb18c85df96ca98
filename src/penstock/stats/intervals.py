"""How sure a number is: confidence intervals for one score and for the difference of two.

A difference is always *paired*: both models answer the same rows, so what makes a row hard cancels.
Every interval is two-sided with confidence 1 - alpha. Nothing here reads or writes.

    wilson           a proportion                              Wilson 1927
    delong           an area under the ROC curve               DeLong et al. 1988, by midranks (Sun and Xu 2014)
    delong_paired    the difference of two such areas
    poisson_draws    any statistic of weighted rows            Poisson bootstrap (Hanley and MacGibbon 2006)
    quantile         a quantile, by order statistics           Conover 1999, section 3.2
    difference       of two independent estimates              Newcombe 1998 method 10; Zou and Donner 2008 (MOVER)
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, factorial, inf, isfinite, isnan, lgamma, log, log1p, nan, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float64]  # (draws, rows): how often each row was drawn

CHUNK_CELLS = 250_000  # weights held at once: 2 MB of float64 stay in the processor's cache
MIN_FINITE_SHARE = 0.5  # of the draws; below it the spread says nothing


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it; unbounded where nothing is known.

    Interval(0.70, 0.68, 0.72)
    Interval(nan, -inf, inf)      not defined on these rows
    """

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether both ends are numbers."""
        return isfinite(self.low) and isfinite(self.high)

    def shift(self, by: float) -> "Interval":
        """The interval of the estimate plus a constant."""
        return Interval(self.value + by, self.low + by, self.high + by)

    def within(self, low: float, high: float) -> "Interval":
        """The interval without what lies outside the values that the estimate can have."""
        return Interval(self.value, max(self.low, low), min(self.high, high)) if self.known else self

    def flip(self) -> "Interval":
        """The interval of minus the estimate."""
        return Interval(-self.value, -self.high, -self.low)


UNKNOWN = Interval(nan, -inf, inf)


def z_of(alpha: float) -> float:
    """The two-sided normal quantile: 1.96 for 0.05."""
    return -NormalDist().inv_cdf(alpha / 2)


def normal(value: float, error: float, alpha: float = 0.05) -> Interval:
    """Estimate plus or minus z standard errors; unbounded when the standard error is not a number."""
    if not (isfinite(value) and isfinite(error)):
        return Interval(value, -inf, inf)
    half = z_of(alpha) * error
    return Interval(value, value - half, value + half)


def wilson(successes: float, n: float, alpha: float = 0.05) -> Interval:
    """A proportion's score interval: never outside [0, 1], sound at 0 of n and at n of n."""
    if n <= 0:
        return UNKNOWN
    z2, share = z_of(alpha) ** 2, successes / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return Interval(share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


def difference(a: Interval, b: Interval) -> Interval:
    """The interval of a - b, for independent estimates, from their own intervals."""
    if isnan(a.value) or isnan(b.value):
        return UNKNOWN
    low = sqrt((a.value - a.low) ** 2 + (b.high - b.value) ** 2)
    high = sqrt((a.high - a.value) ** 2 + (b.value - b.low) ** 2)
    value = a.value - b.value
    return Interval(value, value - low, value + high)


def quantile(values: Array, q: float, alpha: float = 0.05) -> Interval:
    """A quantile and the order statistics that enclose it whatever the distribution; few values leave an end open."""
    n = len(values)
    if n == 0:
        return UNKNOWN
    ordered = np.sort(values)
    below = np.cumsum(_binomial(n, q))
    first = int(np.searchsorted(below, alpha / 2, side="right"))  # P(fewer than `first` lie below) <= alpha/2
    last = int(np.searchsorted(below, 1 - alpha / 2, side="left")) + 1
    low = float(ordered[first - 1]) if first >= 1 else -inf
    high = float(ordered[last - 1]) if last <= n else inf
    return Interval(float(np.quantile(ordered, q, method="inverted_cdf")), low, high)


def _binomial(n: int, p: float) -> Array:
    """P(0), P(1), ... P(n), in logarithms because n over k outgrows a float."""
    logs = [lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p) for k in range(n + 1)]
    return np.exp(np.asarray(logs, dtype=np.float64))


# --- the area under the ROC curve ------------------------------------------------------------------


def midranks(values: Array) -> Array:
    """Ranks from 1, ties share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[inverse], dtype=np.float64)


def delong(y: Array, scores: Array, alpha: float = 0.05) -> Interval:
    """The area under the ROC curve and its interval, which has no width where the scores tell all rows apart."""
    components = _components(y, scores)
    if components is None:
        return UNKNOWN
    events, others = components
    return normal(float(events.mean()), sqrt(_variance(events) + _variance(others)), alpha)


def delong_paired(y: Array, a: Array, b: Array, alpha: float = 0.05) -> Interval:
    """AUC(a) - AUC(b), both scored on the same rows."""
    first, second = _components(y, a), _components(y, b)
    if first is None or second is None:
        return UNKNOWN
    events, others = first[0] - second[0], first[1] - second[1]
    return normal(float(events.mean()), sqrt(_variance(events) + _variance(others)), alpha)


def _components(y: Array, scores: Array) -> tuple[Array, Array] | None:
    """DeLong's structural components: for every event the share of non-events below it, and the reverse."""
    events = y > 0.5
    high, low = scores[events], scores[~events]
    m, n = len(high), len(low)
    if m == 0 or n == 0:
        return None
    together = midranks(np.concatenate([high, low]))
    above_others = (together[:m] - midranks(high)) / n
    below_events = 1 - (together[m:] - midranks(low)) / m
    return above_others, below_events


def _variance(components: Array) -> float:
    """Of their mean; nan for a single one."""
    return float(components.var(ddof=1)) / len(components) if len(components) > 1 else nan


# --- bootstrap --------------------------------------------------------------------------------------


def poisson_draws(statistic: Callable[[Weights], Array], rows: int, *, draws: int = 500, seed: int = 0) -> Array:
    """The statistic under `draws` random reweightings of the rows; the same seed gives the same draws.

    Each row gets an independent Poisson(1) weight, which is resampling with replacement with a random total.
    `statistic` takes weights of shape (some draws, rows) and returns one number, or one row of numbers, per draw.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    step = max(1, CHUNK_CELLS // max(rows, 1))
    found = [statistic(_weights(generator, min(step, draws - start), rows)) for start in range(0, draws, step)]
    return np.concatenate(found)


def bootstrap(value: float, drawn: Array, alpha: float = 0.05) -> Interval:
    """The estimate plus or minus z times the spread of its draws.

    Not the draws' percentiles: those do not reach the small alphas of many comparisons, and for a statistic
    that resampling biases (calibration error) they need not even hold the estimate.
    """
    finite = drawn[np.isfinite(drawn)]
    if len(finite) < max(2, MIN_FINITE_SHARE * len(drawn)):
        return Interval(value, -inf, inf)
    return normal(value, float(finite.std(ddof=1)), alpha)


def _weights(generator: np.random.Generator, draws: int, rows: int) -> Weights:
    # A 16-bit inverse-distribution table instead of Generator.poisson: 10x faster, P off by at most 2^-16.
    return np.take(_POISSON, generator.integers(0, 1 << 16, size=(draws, rows), dtype=np.uint16))


def _poisson_table() -> Array:
    edges = np.cumsum([exp(-1) / factorial(k) for k in range(12)])
    return np.searchsorted(edges, (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.float64)


_POISSON = _poisson_table()


# --- how many rows would do ----------------------------------------------------------------------


def more_rows(interval: Interval, bound: float, rows: int) -> int | None:
    """How many further rows bring the interval clear of `bound` if the estimate stays; None if no number does.

    An interval shrinks with the square root of the rows.
    """
    distance = abs(interval.value - bound)
    half = interval.high - interval.value if interval.value < bound else interval.value - interval.low
    if not (isfinite(half) and isfinite(distance)) or distance == 0:
        return None
    return max(0, int(np.ceil(rows * ((half / distance) ** 2 - 1))))
