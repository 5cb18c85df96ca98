"""Trials as runs of the ledger: one run each, of kind `trial`, in an experiment named after the search.

A trial that is interrupted with its search is `killed`, and is tried again; every other one is kept. So a search is
its runs: it goes on from them, and whoever wants to know about it reads them.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.ids import new_id
from penstock.ledger import Artifact, Metric, MetricPoint, Point, Run, Tag, add_points, node, utc_now
from penstock.train.environment.capture import host
from penstock.train.launch import read_log
from penstock.train.params import param_of
from penstock.train.recipe import Recipe
from penstock.train.search.aim import Aim
from penstock.train.search.space import Choice

if TYPE_CHECKING:
    from penstock.ledger import Ledger, Reader
    from penstock.store import Store

KIND = "trial"
FOLD, MEAN = "fold_", "cv_"  # metrics of a trial: one value per fold, and their mean
SETTLED = ("finished", "pruned", "failed")


@dataclass(frozen=True)
class Trial:
    """One choice and what came of it.

    status   running | finished | pruned | failed | killed
    folds    the aim's metric in each fold that was done
    metrics  the mean of every metric over the folds, of a finished one
    seconds  that the fits took, together
    """

    number: int
    run: int
    id: str
    status: str
    choice: Choice
    folds: tuple[float, ...] = ()
    metrics: Mapping[str, float] | None = None
    seconds: float = 0.0
    error: str = ""

    def value(self, aim: Aim) -> float | None:
        """The mean that the search is for; None of a trial that did not come to its end."""
        return self.metrics.get(aim.metric) if self.status == "finished" and self.metrics else None


class Recorder:
    """Writes the trials of one search."""

    def __init__(self, ledger: "Ledger", store: "Store", experiment: str, home: Path, plan: str) -> None:
        """`plan` is the blob of the search's own record, kept as an artifact of each trial."""
        self._ledger = ledger
        self._store = store
        self._experiment = experiment
        self._home = home
        self._plan = plan

    def begin(self, number: int, choice: Choice, recipe: Recipe) -> Run:
        """A trial has started; its place is there."""
        identifier = new_id()
        place = self._home / "runs" / identifier
        place.mkdir(parents=True)
        run = Run(
            id=identifier,
            number=0,
            status="running",
            key=choice.key,
            function=recipe.function,
            params=recipe.params,
            seed=recipe.seed,
            data=recipe.data,
            features={view["name"]: view["code"] for view in recipe.features["views"]},
            code=recipe.code,
            git_commit=recipe.git_commit,
            patch=None,
            environment="",
            host={**host(), "directory": str(place)},
            pid=os.getpid(),
            started_at=utc_now(),
            kind=KIND,
            name=f"trial {number}",
            experiment=self._experiment,
        )
        tags = {"trial": str(number), "algorithm": choice.algorithm, "features": choice.features}
        with self._ledger.write() as transaction:
            last = transaction.find(Run, order_by="-number", limit=1)
            run = run._replace(number=last[0].number + 1 if last else 1)
            transaction.add(run, *(param_of(run.id, name, value) for name, value in run.params.items()))
            transaction.add(*(Tag(run.id, name, value) for name, value in tags.items()))
            transaction.add(Artifact(run.id, PLAN, self._plan, self._store.blobs.size(self._plan)))
            for dataset, commit in run.data.items():
                transaction.link(node("data", commit), node("run", run.id), dataset)
            transaction.link(node("code", run.code), node("run", run.id), "code")
        return run

    def fold(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """A fold is done; `step` counts from 1."""
        now = utc_now()
        with self._ledger.write() as transaction:
            add_points(
                transaction, run.id, (Point(f"{FOLD}{name}", value, step, now) for name, value in _known(metrics))
            )

    def end(self, run: Run, status: str, *, metrics: Mapping[str, float], error: str | None = None) -> None:
        """A trial has ended: its means and everything it printed are kept, its place is not."""
        place = Path(run.host["directory"])
        log = b"".join(read_log(fold) for fold in sorted(place.glob("fold-*")))
        kept = self._store.put_bytes(log) if log else None
        now = utc_now()
        with self._ledger.write() as transaction:
            transaction.change(
                Run, {"id": run.id}, expect={"status": "running"}, status=status, finished_at=now, log=kept, error=error
            )
            add_points(transaction, run.id, (Point(name, value, 0, now) for name, value in _known(metrics)))
        shutil.rmtree(place, ignore_errors=True)


PLAN = "search.json"  # the artifact that says what the search was for


def _known(metrics: Mapping[str, float]) -> list[tuple[str, float]]:
    """Those that have a value."""
    return [(name, value) for name, value in metrics.items() if value == value]


def read_trials(reader: "Reader", experiment: str, aim: Aim) -> list[Trial]:
    """The trials of a search in the order of their numbers, of one that was killed and tried again the newest."""
    runs = reader.find(Run, experiment=experiment, kind=KIND, order_by="number")
    ids = [run.id for run in runs]
    tags = _by_run(reader.find(Tag, run=ids))
    metrics = _by_run(reader.find(Metric, run=ids))
    points = _by_run(reader.find(MetricPoint, run=ids, name=f"{FOLD}{aim.metric}", order_by="number"))
    trials = (_trial(run, tags.get(run.id, []), metrics.get(run.id, []), points.get(run.id, [])) for run in runs)
    return [*{trial.number: trial for trial in trials}.values()]


def _trial(run: Run, tags: Sequence[Any], metrics: Sequence[Any], points: Sequence[Any]) -> Trial:
    said = {tag.name: tag.value for tag in tags}
    numbers = {metric.name: metric.value for metric in metrics}
    means = {name.removeprefix(MEAN): value for name, value in numbers.items() if name.startswith(MEAN)}
    return Trial(
        number=int(said["trial"]),
        run=run.number,
        id=run.id,
        status=run.status,
        choice=Choice(said["algorithm"], said["features"], run.params),
        folds=tuple(point.value for point in sorted(points, key=lambda point: point.step)),
        metrics=means or None,
        seconds=numbers.get("seconds", 0.0),
        error=run.error or "",
    )


def _by_run(records: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for record in records:
        found.setdefault(record.run, []).append(record)
    return found
