"""Which values are a power of ten too large, as a lost decimal comma or another unit leaves them. Pure.

Logarithms of sizes mostly have one mode, and from there their density only falls. What was multiplied by ten to the k
is a small copy of the others, k further up: a second mode. So of two windows of the same width, both beyond the mode,
the farther one holds more of the values, which without a second mode is as rare as that often heads of so many fair
coins (bounded by Hoeffding 1963). It must stand where a copy would, and be spread like one.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, isfinite, log
from typing import NamedTuple

import polars as pl

ALPHA = 1e-4  # false alarms at most where there is one mode
POWERS = (1, 2, 3)
WINDOWS = 16  # between the mode and the copy, of which the emptiest counts
FEWEST = 200  # values
MOST = 0.05  # of them in the copy: what is more frequent is a kind of row
VARIED = 20  # different values in the middle half: where there are fewer, windows hold gaps between them
ALIKE = 5.99  # 95 % of chi-squared with two degrees of freedom
HEAPED = 0.2  # of a copy in one value, at most


class Copy(NamedTuple):
    """Values above `cut` look ten to the `power` times too large."""

    power: int
    cut: float


def too_large(values: pl.Series, suspects: pl.Series) -> Copy | None:
    """The copy of `values` that is among `suspects`, which are all of them or some; None without one."""
    positive = values.filter(values > 0)
    if positive.len() < max(FEWEST, (1 - MOST) * values.len()):
        return None
    quarters = _quarters(positive)
    if not suspects.len() or _log10(suspects.max()) < quarters[1] + POWERS[0]:  # most columns
        return None
    middle = positive.filter(positive.is_between(10 ** quarters[0], 10 ** quarters[2]))
    if middle.n_unique() < VARIED:
        return None
    logs = suspects.filter(suspects > 0).log10().sort()
    found = (_copy(positive, logs, quarters, power) for power in POWERS)
    return next((copy for copy in found if copy), None)


def _quarters(values: pl.Series, without: int = 0) -> list[float]:
    """Where the quarters of positive values end, on a logarithmic scale, `without` so many of the largest."""
    kept = 1 - without / values.len()
    return [_log10(values.quantile(at * kept, "linear")) for at in (0.25, 0.5, 0.75)]


def _copy(positive: pl.Series, logs: pl.Series, quarters: Sequence[float], power: int) -> Copy | None:
    low, _, high = quarters
    width, reach = high - low, low + power - high  # from the end of one middle half to the begin of the other
    if reach < width:
        return None
    starts = [high + (reach - width) * step / (WINDOWS - 1) for step in range(WINDOWS)]
    *between, there = _within(logs, [*starts, low + power], width)
    fewest, start = min(zip(between, starts, strict=True))
    if there <= fewest or _heads(there, there + fewest) > ALPHA / WINDOWS / len(POWERS):
        return None
    cut = start + width / 2
    beyond = logs.filter(logs > cut)
    if beyond.len() > MOST * positive.len() or _largest(beyond) > HEAPED * beyond.len():
        return None
    alike = _is_spread_alike(logs, [at + power for at in _quarters(positive, beyond.len())])
    return Copy(power, 10**cut) if alike else None


def _within(logs: pl.Series, starts: Sequence[float], width: float) -> list[int]:
    """How many there are in windows of one width."""
    begins = pl.Series(starts)
    return (logs.search_sorted(begins + width, "right") - logs.search_sorted(begins, "left")).to_list()


def _heads(heads: int, coins: int) -> float:
    """The chance of so many heads or more, at most."""
    return exp(-2 * coins * (heads / coins - 0.5) ** 2)


def _largest(logs: pl.Series) -> int:
    return int(logs.value_counts().get_column("count").max() or 0)  # type: ignore[arg-type]


def _is_spread_alike(logs: pl.Series, quarters: Sequence[float]) -> bool:
    """Whether the upper three quarters of a copy hold as many each; the tail of the others is in the lowest one."""
    ends: list[int] = [*logs.search_sorted(pl.Series(quarters), "left").to_list(), logs.len()]
    cells = [after - before for before, after in pairwise(ends)]
    each = sum(cells) / len(cells)
    return sum((cell - each) ** 2 for cell in cells) <= ALIKE * each


def _log10(value: object) -> float:
    number = float(value) if isinstance(value, int | float) else 0.0
    return log(number, 10) if number > 0 and isfinite(number) else float("-inf")
