"""Runs under the name of their step: `project.train.runs("metrics.roc_auc > 0.7").frame()`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.api.step import StepApi
from penstock.errors import UsageError
from penstock.ledger import Tag

if TYPE_CHECKING:
    from penstock.report import Document
    from penstock.train.runs import Ranking, RunComparison, RunDetails, RunTable


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

    def show(self, run: str) -> "RunDetails":
        """One run by number or id, whole."""
        from penstock.train import find_run
        from penstock.train.runs import run_details

        with self._work.ledger.read() as reader:
            return run_details(reader, find_run(reader, run))

    def report(self, where: str = "", *, sort: str = "", columns: str = "", limit: int | None = 50) -> "Document":
        """The runs that fit as a page: a table, a line for each across its parameters, curves of the first ten."""
        from penstock.train.runs import runs_report

        with self._work.ledger.read() as reader:
            return runs_report(reader, where, sort=sort, columns=columns, favourites=self._favourites(), limit=limit)

    def compare(self, *runs: str) -> "RunComparison":
        """Runs side by side, by number or id: parameters, data, code, environment, metrics, slices, curves.

        The first is what the others are held against. UsageError for fewer than two.
        """
        from penstock.train import find_run
        from penstock.train.runs import compare_runs

        with self._work.ledger.read() as reader:
            found = [find_run(reader, run) for run in dict.fromkeys(runs)]
            return compare_runs(reader, self._work.store, found)

    def leaderboard(
        self, metric: str | None = None, *, goal: str | None = None, where: str = "", by: str = "", limit: int = 20
    ) -> "tuple[Ranking, ...]":
        """Runs ranked by a metric or a KPI, those against each other that were judged on the same rows.

        project.train.leaderboard()                                by the objective's first KPI
        project.train.leaderboard("roc_auc", by="carrier")         for each carrier
        project.train.leaderboard("roc_auc", by="carrier=UA", where="experiment = 'search'")

        The newest holdout comes first, runs that nobody judged last. UsageError for a metric or a slice that nothing
        was judged by.
        """
        from penstock.train.runs import leaderboard

        name = self._judged_by(metric)
        with self._work.ledger.read() as reader:
            return leaderboard(
                reader, self._work.store, name, goal=goal or self._goal(name), where=where, by=by, limit=limit
            )

    def tag(self, run: str, tags: Mapping[str, str] = {}, *, remove: Sequence[str] = ()) -> tuple[Tag, ...]:
        """Give a run tags, in place of those of the same name, or take some away; all that it has now."""
        from penstock.train import find_run
        from penstock.train.runs import tag_run

        with self._work.ledger.read() as reader:
            found = find_run(reader, run)
        return tag_run(self._work.ledger, found, tags, remove=remove)

    def _judged_by(self, metric: str | None) -> str:
        """The metric that a name means: a KPI's is that of the objective."""
        objective = self._work.project.config.objective
        kpis = {kpi.name: kpi.metric for kpi in objective.kpis} if objective else {}
        favourites = self._favourites()
        if metric is None and not favourites:
            what = "the objective has no KPI and no threshold that runs could be ranked by"
            raise UsageError(what, hint="penstock train leaderboard --metric NAME")
        return favourites[0] if metric is None else kpis.get(metric, metric)

    def _goal(self, metric: str) -> str | None:
        """Which way the project says that a metric is better; None where it does not."""
        from penstock.validate import metric_goals

        objective = self._work.project.config.objective
        goal = metric_goals(objective).get(metric) if objective else None
        return None if goal == "none" else goal

    def _favourites(self) -> tuple[str, ...]:
        """The metrics that the objective judges by: those of its KPIs, then those with a threshold."""
        objective = self._work.project.config.objective
        if objective is None:
            return ()
        return tuple(dict.fromkeys([*(kpi.metric for kpi in objective.kpis), *objective.thresholds]))
