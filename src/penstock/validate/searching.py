"""How a search judges: by the objective's own number and bounds, measured as the gates measure them."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from penstock.errors import UsageError
from penstock.project import Config, Objective, ProjectFile, load_function
from penstock.train.search import Aim, Fold, Goal, Judge, Limit
from penstock.validate.gates import Gate, gates_of, metric_goals
from penstock.validate.measuring import Array, Metric, Sample, measure
from penstock.validate.metrics import METRICS, custom_metric, metrics_for
from penstock.validate.samples import decide_threshold, truth

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle import Target


def aim_of(config: Config) -> Aim:
    """What `train.search` searches for, within what the gates ask of all rows.

    Gates that compare, cut the rows or only warn are for the winner. UsageError when nothing is searched for.
    """
    metric, _ = searched_by(config)
    assert config.objective is not None
    goal = metric_goals(config.objective).get(metric)
    if goal not in ("minimise", "maximise"):
        raise UsageError(f"whether more or less {metric} is better is not known", where="train.search.metric")
    return Aim(metric, goal, tuple(_limits(config, metric, goal)))


def searched_by(config: Config) -> tuple[str, str]:
    """The metric to make as good as it can, and where it is written.

    That of `train.search`, else of the first KPI, else of the first bound on all rows that has a better side.
    UsageError, with the metrics that can be written, when there is none.
    """
    objective = config.objective
    if config.train and config.train.search and config.train.search.metric:
        return config.train.search.metric, "train.search.metric"
    if objective and objective.kpis:
        return objective.kpis[0].metric, f"objective.kpis.{objective.kpis[0].name}"
    goals = metric_goals(objective) if objective else {}
    for gate in _bounds(config):
        if goals.get(gate.metric) in ("minimise", "maximise"):
            return gate.metric, gate.origin
    known = metrics_for(objective.target.task, costs=objective.costs is not None) if objective else ()
    names = [metric.name for metric in known if goals.get(metric.name) in ("minimise", "maximise")]
    raise UsageError(
        "a search needs a metric: the objective has neither a KPI nor a bound on all rows",
        where="train.search.metric",
        expected=f"one of {', '.join(names)}" if names else "a KPI in objective.kpis",
        hint=f"write `metric: {names[0]}` under train.search" if names else None,
    )


def _limits(config: Config, metric: str, goal: Goal) -> Iterator[Limit]:
    towards = "max" if goal == "minimise" else "min"
    for gate in _bounds(config):
        if (gate.metric, gate.rule) != (metric, towards):  # it goes that way anyway, as far as it can
            yield Limit(gate.name, gate.metric, "min" if gate.rule == "min" else "max", gate.limit)


def _bounds(config: Config) -> Iterator[Gate]:
    """The gates that every model keeps on all rows, by a number alone."""
    for gate in gates_of(config):
        if gate.kind == "bound" and not gate.slices and gate.severity == "block" and gate.rule in ("min", "max"):
            yield gate


def judge_of(project: ProjectFile, aim: Aim, target: "Target", labels: "pl.Series") -> Judge:
    """What answers to some of the training rows are worth; `labels` are those of all of them.

    Every metric of the task is measured, since it costs little beside a fit.
    """
    objective = project.config.objective
    assert objective is not None
    metrics = _metrics(project, objective, aim)
    known, threshold = truth(labels, target), decide_threshold(objective)
    decided_from = 0.5 if threshold is None else threshold

    def judge(fold: Fold, scores: Array) -> Mapping[str, float]:
        sample = Sample(objective.target.task, known[fold.valid], scores, decided_from, objective.costs)
        return {name: measure(metric, sample) for name, metric in metrics.items()}

    return judge


def _metrics(project: ProjectFile, objective: Objective, aim: Aim) -> dict[str, Metric]:
    goals = metric_goals(objective)
    shown = {metric.name: metric for metric in metrics_for(objective.target.task, costs=objective.costs is not None)}
    asked = {name: METRICS[name] for name in aim.metrics if name in METRICS}
    own = {
        name: custom_metric(load_function(project.root, name, parameters=["y", "scores"]), goals[name])
        for name in aim.metrics
        if ":" in name
    }
    return {**shown, **asked, **own}
