"""The same runs for every tool: five metrics and five parameters each, a minute apart."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

START = 1_767_225_600  # 2026-01-01, in seconds
TURNS = 15
PAGE = 10


class Made(NamedTuple):
    number: int
    started: int
    params: dict[str, float]
    metrics: dict[str, float]

    @property
    def id(self) -> str:
        return f"{self.number:032x}"


def made_up(runs: int) -> Iterator[Made]:
    random = Random(1)
    for number in range(1, runs + 1):
        params = {"depth": random.randint(1, 12), **{f"p{i}": round(random.random(), 6) for i in range(4)}}
        metrics = {name: random.random() for name in ("roc_auc", "loss", "brier", "ece", "f1")}
        yield Made(number, START + 60 * number, params, metrics)
