"""What a search is for: a number to make better, within limits. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf, isnan
from typing import Any, Literal

Goal = Literal["minimise", "maximise"]


@dataclass(frozen=True)
class Limit:
    """A bound that a good trial keeps.

    name   roc_auc at least 0.64
    metric roc_auc
    rule   min
    bound  0.64
    """

    name: str
    metric: str
    rule: Literal["min", "max"]
    bound: float

    def excess(self, value: float) -> float:
        """How far a value is beyond the bound, in the metric's unit; at most 0 when it is kept, inf for nan."""
        if isnan(value):
            return inf
        return value - self.bound if self.rule == "max" else self.bound - value


@dataclass(frozen=True)
class Aim:
    """The metric to make as good as it can, and the limits.

    metric  cost
    goal    minimise
    """

    metric: str
    goal: Goal
    limits: tuple[Limit, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that is looked at, the one that is searched by first."""
        return tuple(dict.fromkeys([self.metric, *(limit.metric for limit in self.limits)]))

    def better(self, value: float, than: float) -> bool:
        """Whether a value is better than another."""
        return value < than if self.goal == "minimise" else value > than

    def broken(self, metrics: Mapping[str, float]) -> tuple[Limit, ...]:
        """The limits that a trial with these metrics does not keep."""
        return tuple(each for each in self.limits if each.excess(metrics.get(each.metric, float("nan"))) > 0)

    def to_json(self) -> dict[str, Any]:
        """The value as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Aim":
        """What `to_json` wrote."""
        return cls(value["metric"], value["goal"], tuple(Limit(**each) for each in value["limits"]))


def mean_of(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric over folds, each fold alike; nan where one has no value."""
    names: Iterable[str] = folds[0] if folds else ()
    return {name: sum(fold[name] for fold in folds) / len(folds) for name in names}
