"""Runs under the name of their step: `project.train.runs("metrics.roc_auc > 0.7").frame()`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.api.step import StepApi
from penstock.ledger import Artifact, Evaluation, Metric, Param, Run, Tag

if TYPE_CHECKING:
    from penstock.train.runs import RunTable


@dataclass(frozen=True)
class RunDetails:
    """A run with everything recorded about it."""

    run: Run
    params: tuple[Param, ...]
    metrics: tuple[Metric, ...]
    tags: tuple[Tag, ...]
    artifacts: tuple[Artifact, ...]
    evaluations: tuple[Evaluation, ...]


class RunsApi(StepApi):
    """What can be asked of runs."""

    def runs(
        self, where: str = "", *, sort: str = "", columns: str = "", limit: int | None = 20, offset: int = 0
    ) -> "RunTable":
        """The runs that fit, the newest first: records to walk through, `.frame()` for Polars.

        project.train.runs("metrics.roc_auc > 0.7 and params.depth <= 6", sort="-metrics.roc_auc")
        project.train.runs(columns="number, params.*, metrics.*", limit=None).frame()

        Without `columns` the page has the metrics that the objective judges by. UsageError for a filter that cannot
        be read, with the column, and for names that no run has.
        """
        from penstock.train import reap
        from penstock.train.runs import run_table

        reap(self._work.ledger, self._work.store, self._work.project.home)
        with self._work.ledger.read() as reader:
            return run_table(
                reader, where, sort=sort, columns=columns, favourites=self._favourites(), limit=limit, offset=offset
            )

    def show(self, run: str) -> RunDetails:
        """One run by number or id, whole."""
        from penstock.train import find_run

        with self._work.ledger.read() as reader:
            found = find_run(reader, run)
            return RunDetails(
                found,
                tuple(reader.find(Param, run=found.id, order_by="name")),
                tuple(reader.find(Metric, run=found.id, order_by="name")),
                tuple(reader.find(Tag, run=found.id, order_by="name")),
                tuple(reader.find(Artifact, run=found.id, order_by="name")),
                tuple(reader.find(Evaluation, bundle=found.bundle, order_by="at")) if found.bundle else (),
            )

    def diff(self, before: str, after: str) -> tuple[str, ...]:
        """What went into two runs and is not the same: data, parameters, seed, threads, code, libraries, in words."""
        from penstock.train import find_run, run_differences

        with self._work.ledger.read() as reader:
            then, now = (find_run(reader, run) for run in (before, after))
            return run_differences(reader, self._work.store, then, now)

    def _favourites(self) -> tuple[str, ...]:
        """The metrics that the objective judges by: those of its KPIs, then those with a threshold."""
        objective = self._work.project.config.objective
        if objective is None:
            return ()
        return tuple(dict.fromkeys([*(kpi.metric for kpi in objective.kpis), *objective.thresholds]))
