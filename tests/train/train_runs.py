"""Runs in a ledger, as trainings and other tools leave them, without a training."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.ledger import Ledger, Point, Run, Tag, add_points
from penstock.train.run import param_of

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def add_run(
    ledger: Ledger,
    number: int,
    *,
    params: Mapping[str, Any] = {},
    metrics: Mapping[str, float | list[float]] = {},
    tags: Mapping[str, str] = {},
    **fields: Any,
) -> Run:
    """Record a run that took `number` seconds; of a list of values each is a step."""
    known: dict[str, Any] = dict.fromkeys(("key", "code", "environment"), "x")
    known |= {"features": {}, "host": {}, "data": {}, "git_commit": None, "patch": None, "function": "pipeline:fit"}
    started = START + timedelta(days=number)
    known |= {"seed": 7, "pid": 1, "status": "finished", "finished_at": started + timedelta(seconds=number)}
    run = Run(id=f"run-{number}", number=number, params=params, started_at=started, **{**known, **fields})
    with ledger.write() as transaction:
        transaction.add(run, *(param_of(run.id, name, value) for name, value in params.items()))
        transaction.add(*(Tag(run.id, name, value) for name, value in tags.items()))
        add_points(transaction, run.id, points(started, metrics))
    return run


def points(started: datetime, metrics: Mapping[str, float | list[float]]) -> list[Point]:
    """A second between two values."""
    series = {name: values if isinstance(values, list) else [values] for name, values in metrics.items()}
    return [
        Point(name, value, step, started + timedelta(seconds=step))
        for name, values in series.items()
        for step, value in enumerate(values)
    ]
