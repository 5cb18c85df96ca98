"""Gates: what a candidate must show, as data.

Everything the objective promises is a gate: its thresholds, KPIs and SLAs, written once. The section
`validate` adds comparisons, gaps between groups, slices and known cases.

    bound      a metric of the candidate: at least, at most
    champion   against what is in production, both answering the same rows: non_inferior, superior
    baseline   the same against always answering the training data's prior or mean
    gap        between the groups of a column, at most
    latency    95 of 100 single requests through the packaged bundle, at most
    freshness  age of the newest training row, at most
    cases      known cases, all of them
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from penstock.digest import digest_value
from penstock.errors import ConfigError, Problem
from penstock.project import Config, Objective, ProjectFile, code_digest, format_duration
from penstock.project import Gate as Declared
from penstock.report import agreed
from penstock.validate.cases import cases_digest
from penstock.validate.measuring import Goal
from penstock.validate.metrics import METRICS

Kind = Literal["bound", "champion", "baseline", "gap", "latency", "freshness", "cases"]
Rule = Literal["min", "max", "non_inferior", "superior", "max_gap", "all"]
Severity = Literal["block", "warn"]

MIN_ROWS = 30  # for the objective's own gates: below it, an interval says little


@dataclass(frozen=True)
class Gate:
    """One condition on a candidate.

    name        roc_auc at least 0.64
    origin      where it is written: objective.thresholds.roc_auc
    limit       the bound, the margin, the greatest gap, or seconds
    goal        which way the metric is better
    by, slices  columns that cut the rows into groups
    min_n       fewer rows decide nothing
    alpha       its interval has confidence 1 - alpha
    severity    block | warn: a warning never stops anything
    """

    name: str
    origin: str
    kind: Kind
    metric: str
    rule: Rule
    limit: float
    goal: Goal = "none"
    by: str = ""
    slices: tuple[str, ...] = ()
    min_n: int = MIN_ROWS
    alpha: float = 0.05
    severity: Severity = "block"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it needs the rows cut by."""
        return (*self.slices, self.by) if self.by else self.slices


def gates_of(config: Config) -> tuple[Gate, ...]:
    """Every gate of a project, in the order of the file. ConfigError when a gate cannot be judged."""
    objective = config.objective
    agreed = [*_thresholds(objective), *_kpis(objective), *_slas(objective)] if objective else []
    goals = metric_goals(objective) if objective else {}
    gates = (*agreed, *_declared(config, goals), *_cases(config))
    problems = [problem for gate in gates for problem in _problems(gate)]
    if problems:
        raise ConfigError(problems)
    return gates


def gates_digest(gates: Iterable[Gate], inputs: Mapping[str, str] | None = None) -> str:
    """Names the gates together with the code of custom metrics and the files of known cases, by digest."""
    return digest_value({"gates": [asdict(gate) for gate in gates], "inputs": dict(inputs or {})})


def judged_by(project: ProjectFile) -> str:
    """Names everything in the project that a judgement depends on: gates, custom metrics' code, known cases."""
    gates = gates_of(project.config)
    code = {name: code_digest(project.root, name) for name in custom_metrics(gates)}
    directory = project.config.validation.cases
    cases = cases_digest(project.root / directory) if directory else {}
    return gates_digest(gates, {**code, **cases})


def custom_metrics(gates: Iterable[Gate]) -> list[str]:
    """The user's functions among the metrics of `gates`."""
    return sorted({gate.metric for gate in gates if ":" in gate.metric})


def _thresholds(objective: Objective) -> Iterator[Gate]:
    for metric, bound in objective.thresholds.items():
        yield from _bounds(f"objective.thresholds.{metric}", metric, bound.min, bound.max)


def _kpis(objective: Objective) -> Iterator[Gate]:
    for kpi in objective.kpis:
        rule, words = _KPI_RULES[kpi.goal]
        name = f"{kpi.name} {words} {agreed(kpi.target)} {kpi.unit}".strip()
        yield Gate(name, f"objective.kpis.{kpi.name}", "bound", kpi.metric, rule, kpi.target, kpi.goal)


_KPI_RULES: Mapping[str, tuple[Rule, str]] = {"minimise": ("max", "at most"), "maximise": ("min", "at least")}


def _slas(objective: Objective) -> Iterator[Gate]:
    slas = objective.slas
    if slas.latency_p95 is not None:
        name = f"latency_p95 at most {format_duration(slas.latency_p95)}"
        yield Gate(
            name, "objective.slas.latency_p95", "latency", "latency_p95", "max", slas.latency_p95.total_seconds()
        )
    if slas.freshness is not None:
        name = f"freshness at most {format_duration(slas.freshness)}"
        yield Gate(name, "objective.slas.freshness", "freshness", "freshness", "max", slas.freshness.total_seconds())


def _declared(config: Config, goals: Mapping[str, Goal]) -> Iterator[Gate]:
    for index, gate in enumerate(config.validation.gates):
        origin, metric = f"validate.gates[{index}]", gate.metric
        settings = {**_settings(gate), "goal": goals.get(metric, "none")}
        if gate.against and gate.rule:
            words = "no worse than" if gate.rule == "non_inferior" else "better than"
            name = f"{metric} {words} {gate.against}" + (f" by {agreed(gate.margin)}" if gate.margin else "")
            yield Gate(name + _in_slices(gate), origin, gate.against, metric, gate.rule, gate.margin, **settings)
        elif gate.max_gap is not None:
            name = f"{metric} gap by {gate.by} at most {agreed(gate.max_gap)}"
            yield Gate(name + _in_slices(gate), origin, "gap", metric, "max_gap", gate.max_gap, **settings)
        else:
            for bound in _bounds(origin, metric, gate.min, gate.max):
                yield replace(bound, name=bound.name + _in_slices(gate), **settings)


def _settings(gate: Declared) -> dict[str, Any]:
    return {
        "by": gate.by or "",
        "slices": gate.slices,
        "min_n": gate.min_n,
        "alpha": gate.alpha,
        "severity": gate.severity,
    }


def _bounds(origin: str, metric: str, least: float | None, most: float | None) -> Iterator[Gate]:
    """A gate for each side that is bounded."""
    if least is not None:
        yield Gate(f"{metric} at least {agreed(least)}", origin, "bound", metric, "min", least)
    if most is not None:
        yield Gate(f"{metric} at most {agreed(most)}", origin, "bound", metric, "max", most)


def _in_slices(gate: Declared) -> str:
    return f" in every {', '.join(gate.slices)}" if gate.slices else ""


def _cases(config: Config) -> Iterator[Gate]:
    if config.validation.cases is not None:
        yield Gate("known cases", "validate.cases", "cases", "cases", "all", 1.0, min_n=1)


def metric_goals(objective: Objective) -> dict[str, Goal]:
    """Which way each metric is better; a custom one says so by the KPI or the threshold it stands in."""
    goals: dict[str, Goal] = {metric.name: metric.goal for metric in METRICS.values()}
    for name, bound in objective.thresholds.items():
        if (bound.min is None) != (bound.max is None):
            goals.setdefault(name, "minimise" if bound.min is None else "maximise")
    for kpi in objective.kpis:
        goals.setdefault(kpi.metric, kpi.goal)
    return goals


def _problems(gate: Gate) -> Iterator[Problem]:
    if gate.kind in ("champion", "baseline") and gate.goal == "none":
        yield Problem(
            gate.origin,
            f"whether more or less {gate.metric} is better is not known, so `against` has no meaning",
            f"a KPI in objective.kpis on {gate.metric} with `goal`, or a bound instead",
        )
