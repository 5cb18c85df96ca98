"""What a metric is, and measuring with it: a value, its interval, the paired difference of two models.

A metric is a function of *weighted* rows: with all weights 1 it is the metric itself, with random weights
it is a bootstrap draw; a slice or a window is some of the rows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from penstock.stats import UNKNOWN, Interval, bootstrap, poisson_draws

if TYPE_CHECKING:
    from penstock.project import Costs

Array = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float64]  # (draws, rows)
Task = Literal["binary", "multiclass", "regression"]
Goal = Literal["maximise", "minimise", "zero", "none"]
Statistic = Callable[[Weights], Array]  # (draws, rows) -> (draws,)

DRAWS = 500
SEED = 20130101  # any: fixed, so that the same evidence gives the same interval


@dataclass(frozen=True, eq=False)
class Sample:
    """Answers beside the truth, one row per example.

    task         y                                      scores
    binary       1.0 for the event, else 0.0            (n,) P(event)
    multiclass   index of the class, -1 if unknown      (n, classes) probabilities
    regression   the value                              (n,) the predicted value
    """

    task: Task
    y: Array
    scores: Array
    threshold: float = 0.5  # binary: the event is decided from this score on
    costs: "Costs | None" = None

    @property
    def rows(self) -> int:
        """How many examples."""
        return len(self.y)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "Sample":
        """The examples at these positions."""
        return replace(self, y=self.y[rows], scores=self.scores[rows])

    @property
    def decided(self) -> Array:
        """What was decided: 0.0 or 1.0, the index of the class, or the value."""
        if self.task == "regression":
            return self.scores
        found = self.scores >= self.threshold if self.task == "binary" else self.scores.argmax(axis=1)
        return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True)
class Metric:
    """A metric, and how it varies.

    goal   maximise | minimise | zero (the closer the better) | none (neither is better)
    range  the values it can have
    """

    name: str
    tasks: tuple[Task, ...]
    goal: Goal
    statistic: Callable[[Sample], Statistic]
    interval: Callable[[Sample, float], Interval] | None = None  # closed form, where there is one
    paired: Callable[[Sample, Sample, float], Interval] | None = None
    draws: int = DRAWS
    range: tuple[float, float] = (-inf, inf)


def measure(metric: Metric, sample: Sample) -> float:
    """The metric of the sample; nan where it is not defined."""
    if sample.rows == 0:
        return float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(metric.statistic(sample)(np.ones((1, sample.rows)))[0])


def interval(metric: Metric, sample: Sample, alpha: float = 0.05) -> Interval:
    """The metric with its confidence interval."""
    if metric.interval:
        return metric.interval(sample, alpha).within(*metric.range)
    value = measure(metric, sample)
    return bootstrap(value, _drawn(metric, metric.statistic(sample), sample.rows), alpha).within(*metric.range)


def intervals(metrics: Iterable[Metric], sample: Sample, alpha: float = 0.05) -> dict[str, Interval]:
    """Several metrics with their intervals; those that need draws share them."""
    chosen = list(metrics)
    together = [metric for metric in chosen if metric.interval is None and metric.draws == DRAWS]
    found = {metric.name: interval(metric, sample, alpha) for metric in chosen if metric not in together}
    found |= _drawn_together(together, sample, alpha)
    return {metric.name: found[metric.name] for metric in chosen}


def paired_difference(metric: Metric, a: Sample, b: Sample, alpha: float = 0.05) -> Interval:
    """Metric of a minus metric of b, two models' answers to the same rows, with its confidence interval."""
    if metric.paired:
        return metric.paired(a, b, alpha)
    first, second = metric.statistic(a), metric.statistic(b)
    value = measure(metric, a) - measure(metric, b)
    return bootstrap(value, _drawn(metric, lambda weights: first(weights) - second(weights), a.rows), alpha)


def magnitude(metric: Metric) -> Metric:
    """The size of a metric whose goal is zero, to be made small."""

    def statistic(sample: Sample) -> Statistic:
        signed = metric.statistic(sample)
        return lambda weights: np.abs(signed(weights))

    return Metric(f"|{metric.name}|", metric.tasks, "minimise", statistic, draws=metric.draws)


def _drawn_together(metrics: list[Metric], sample: Sample, alpha: float) -> dict[str, Interval]:
    if not metrics or sample.rows == 0:
        return {metric.name: UNKNOWN for metric in metrics}
    statistics = [metric.statistic(sample) for metric in metrics]

    def each(weights: Weights) -> Array:
        return np.stack([statistic(weights) for statistic in statistics], axis=1)

    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = poisson_draws(each, sample.rows, draws=DRAWS, seed=SEED)
    return {
        metric.name: bootstrap(measure(metric, sample), column, alpha).within(*metric.range)
        for metric, column in zip(metrics, drawn.T, strict=True)
    }


def _drawn(metric: Metric, statistic: Statistic, rows: int) -> Array:
    if rows == 0:
        return np.full(metric.draws, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return poisson_draws(statistic, rows, draws=metric.draws, seed=SEED)
