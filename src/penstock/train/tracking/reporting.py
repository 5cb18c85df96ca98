"""What fit may call to tell how it goes: `report(loss=0.31, auc=0.74, step=epoch)`."""

import operator
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import count
from typing import Any

from penstock.errors import UsageError
from penstock.ledger import Point, utc_now
from penstock.train.tracking.journal import Journal, Values

_BATCH = 10_000
_STEPS = 2**63  # what a database's whole number holds


class Reporter:
    """Metrics of one run, on their way into a journal. Threads may share it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        # No lock: one that a thread holds while another forks would be held in the child for ever.
        self._steps: dict[str, Iterator[int]] = {}

    def __call__(self, *, step: int | None = None, **values: float) -> None:
        """Log values of metrics at `step`: how many epochs or rounds are done. Without it each metric counts from 1.

        UsageError for what is no number; nothing is logged then.
        """
        self.log(values, step)

    def log(self, values: Mapping[str, Any], step: int | None = None, at: datetime | None = None) -> None:
        """The same for names that are no words of Python."""
        moment = at or utc_now()
        checked = {name: _number(name, value) for name, value in values.items()}
        steps = dict.fromkeys(checked, _whole(step)) if step is not None else self._next(checked)
        self._journal.append(Values([Point(name, value, steps[name], moment) for name, value in checked.items()]))

    def log_series(self, name: str, values: Iterable[Any], first: int) -> None:
        """Many values of one metric, a step each."""
        moment, start = utc_now(), _whole(first)
        points = [Point(name, _number(name, value), start + index, moment) for index, value in enumerate(values)]
        for at in range(0, len(points), _BATCH):  # an entry is read as a whole
            self._journal.append(Values(points[at : at + _BATCH]))

    def _next(self, names: Mapping[str, Any]) -> dict[str, int]:
        return {name: next(self._steps.setdefault(name, count(1))) for name in names}


def _number(name: str, value: Any) -> float:
    try:
        if not isinstance(value, str):
            return float(value)  # a tensor of one element is a number too
    except (TypeError, ValueError, RuntimeError):
        pass
    raise UsageError(f"the metric {name!r} cannot be {value!r}", expected="a number")


def _whole(step: Any) -> int:
    try:
        whole = operator.index(step)
    except TypeError:
        raise UsageError(f"a step cannot be {step!r}", expected="a whole number") from None
    if not -_STEPS <= whole < _STEPS:
        raise UsageError(f"a step cannot be {step!r}", expected="a whole number of 64 bits")
    return whole
