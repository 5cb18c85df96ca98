"""Which values stand apart from all others, whatever the shape of the others. Pure.

A fixed number of deviations alarms on every lognormal column. Here a tail is judged by itself: going outwards, the
gap between two neighbours is compared with the gaps just inside of it. With a Pareto tail the scaled log-spacings
i (ln y_i - ln y_i+1) of the descending distances y from the median are independent and exponential with one mean
(Renyi 1953; Hill 1975), so a gap E over the mean of k spacings follows F(2, 2k). Lighter tails (normal, exponential,
lognormal) have ever smaller spacings, so they alarm less often still.
"""

from math import inf

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ALPHA = 1e-3  # false alarms per tail at most; a tail has at most one bound
SPACINGS = 40  # just inside a gap, that say how large gaps are there
LEAST_SPACINGS = 10  # different values just inside, or nothing is said
RATIO = 1.5  # what stands apart is at least half as far again from the median as what does not


def bounds(values: Floats, middle: float, most: int) -> tuple[float, float]:
    """Below and above which values stand apart from the others around `middle`; infinite where none does.

    At most `most` on a side may, and a fifth of that side: where half of a column is one value, the others are few,
    and those that stand apart must be fewer still.
    """
    low, high = (
        bound(outside, min(most, len(outside) // 5)) if len(outside) else inf
        for outside in (np.sort(side[side > 0])[::-1] for side in (middle - values, values - middle))
    )
    return middle - low, middle + high


def bound(distances: Floats, most: int) -> float:
    """The distance beyond which values stand apart from the others; infinite where none does.

    `distances` are the largest ones, in descending order and positive; at most `most` of them may stand apart.
    """
    count = min(most, len(distances) - LEAST_SPACINGS - 1)
    if count < 1:
        return inf
    logs = np.log(distances)
    spacings = np.arange(1, len(logs)) * (logs[:-1] - logs[1:])
    gaps = spacings[:count]
    mean, number = _just_inside(spacings, count)
    order = np.arange(1, count + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = (1 + gaps / (mean * number)) ** -number
    # of the error allowed, the first gap gets a half, the second a sixth, ...: together no more than all of it
    sure = p_value < ALPHA / (order * (order + 1))
    wide = logs[:count] - logs[1 : count + 1] >= np.log(RATIO)
    found = np.flatnonzero(sure & wide & (mean > 0) & _varied(distances, count))
    if not len(found):
        return inf
    last = int(found[-1])
    return float((distances[last] + distances[last + 1]) / 2)


def _just_inside(spacings: Floats, count: int) -> tuple[Floats, Floats]:
    """For each of the first gaps the mean of the spacings inside of it, and how many they are."""
    total = np.concatenate([[0.0], np.cumsum(spacings)])
    start = np.arange(1, count + 1)
    end = np.minimum(start + SPACINGS, len(spacings))
    number = (end - start).astype(np.float64)
    return (total[end] - total[start]) / np.maximum(number, 1), number


def _varied(distances: Floats, count: int) -> npt.NDArray[np.bool_]:
    """Whether enough different values lie inside of each gap: of three values none stands apart."""
    changes = np.concatenate([[0], np.cumsum(distances[:-1] != distances[1:])])
    return np.asarray(changes[-1] - changes[1 : count + 1] >= LEAST_SPACINGS)
