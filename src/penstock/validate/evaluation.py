"""Evaluating a bundle: gather the evidence, judge every gate, record all of it in one decision."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from penstock.errors import UsageError
from penstock.ids import new_id
from penstock.ledger import Evaluation, GateResult, Ledger, Point, SealedBundle, add_points, node, utc_now
from penstock.objective import objective_digest
from penstock.project import Config, Objective, ProjectFile, load_function
from penstock.validate import record as recorded
from penstock.validate.cases import CaseResult, ask, load_cases
from penstock.validate.exam import Exam, Material, Rival, baseline, open_sealed, sit, trained_until
from penstock.validate.gates import Gate, Kind, custom_metrics, gates_of, judged_by
from penstock.validate.judging import Evidence, Judgement, judge, verdict
from penstock.validate.latency import time_requests
from penstock.validate.measuring import Metric
from penstock.validate.metrics import METRICS, custom_metric, metrics_for
from penstock.validate.samples import sample_of
from penstock.validate.slices import cut_all

if TYPE_CHECKING:
    from penstock.store import Store


@dataclass(frozen=True)
class Evaluated:
    """An evaluation as it stands in the ledger; `record` has every number."""

    evaluation: Evaluation
    results: tuple[GateResult, ...]
    record: Mapping[str, Any]


def evaluate(
    project: ProjectFile,
    ledger: Ledger,
    store: "Store",
    bundle: str,
    *,
    holdout: str,
    sources: Mapping[str, str],
    champion: str | None = None,
    train: str | None = None,
    now: datetime | None = None,
) -> Evaluated:
    """Judge `bundle` by every gate of the project, beside the bundle `champion`, and record the judgement.

    holdout   commit: requests and the target, in rows that training never saw
    sources   dataset -> commit: the examples, and what the rows of stored feature views are computed from
    train     commit: the training examples, whose prior or mean is the baseline
    now       the moment at which the newest training row's age is its freshness

    Requests go in raw, as a server gets them. ConfigError when a gate or a case is wrong, UsageError when no
    row of the holdout has a label.
    """
    material = Material(holdout, sources, train)
    gates = gates_of(project.config)
    metrics = _metrics(project, gates)
    exam = sit(store, open_sealed(project, ledger, store, bundle), material)
    rival = Rival.of(project, ledger, store, exam, material, champion)
    until = trained_until(project, store, material)
    evidence = _evidence(project, store, exam, rival, material, gates, metrics, until, now or utc_now())
    judgements = tuple(judge(gate, evidence) for gate in gates)
    record = _record(project, exam, material, evidence, judgements, metrics, until, champion)
    return _write(ledger, store, record, judgements)


def check_gates(project: ProjectFile) -> None:
    """What can be known of the gates before there is a model. ConfigError or FunctionError when one is wrong."""
    _metrics(project, gates_of(project.config))
    if project.config.validation.cases is not None:
        load_cases(project.root / project.config.validation.cases, _required(project.config).target.task)


# --- evidence ------------------------------------------------------------------------------------


def _evidence(
    project: ProjectFile,
    store: "Store",
    exam: Exam,
    rival: Rival,
    material: Material,
    gates: tuple[Gate, ...],
    metrics: Mapping[str, Metric],
    trained_until: datetime | None,
    now: datetime,
) -> Evidence:
    costs = _required(project.config).costs
    candidate = sample_of(exam.bundle, exam.answers, exam.labels, costs)
    champion = sample_of(rival.bundle, rival.answers, exam.labels, costs) if rival.bundle and rival.answers else None
    columns = [*project.config.validation.slices, *(column for gate in gates for column in gate.columns)]
    timed = any(gate.kind == "latency" for gate in gates)
    absent: dict[Kind, str] = {
        "baseline": "the training examples are not at hand",
        "freshness": "the time of the newest training row is not known; name the column under data.time",
    }
    return Evidence(
        candidate=candidate,
        metrics=metrics,
        champion=champion,
        unrivalled=rival.unrivalled,
        baseline=baseline(store, exam.bundle, material, candidate),
        groups=cut_all(columns, exam.requests, exam.answers.vectors),
        latencies=time_requests(exam.bundle, exam.requests, exam.views) if timed else None,
        age=now - trained_until if trained_until else None,
        cases=_cases(project, exam),
        absent={**absent, "champion": rival.why_not} if rival.why_not else absent,
    )


def _cases(project: ProjectFile, exam: Exam) -> tuple[CaseResult, ...]:
    directory = project.config.validation.cases
    if directory is None:
        return ()
    return ask(load_cases(project.root / directory, exam.bundle.task), exam.bundle, exam.views)


def _metrics(project: ProjectFile, gates: tuple[Gate, ...]) -> Mapping[str, Metric]:
    """The built-in metrics and the custom ones that gates name."""
    goals = {gate.metric: gate.goal for gate in gates}
    custom = {
        name: custom_metric(load_function(project.root, name, parameters=["y", "scores"]), goals[name])
        for name in custom_metrics(gates)
    }
    return {**METRICS, **custom}


# --- record --------------------------------------------------------------------------------------


def _record(
    project: ProjectFile,
    exam: Exam,
    material: Material,
    evidence: Evidence,
    judgements: tuple[Judgement, ...],
    metrics: Mapping[str, Metric],
    trained_until: datetime | None,
    champion: str | None,
) -> dict[str, Any]:
    config = project.config
    gated = list(dict.fromkeys(j.gate.metric for j in judgements if j.gate.metric in metrics))
    costs = bool(config.objective and config.objective.costs)
    shown = {metric.name: metric for metric in metrics_for(exam.bundle.task, costs=costs)}
    shown |= {name: metrics[name] for name in gated}
    cut_by = [metrics[name] for name in gated] or list(shown.values())[:1]
    return {
        "format": recorded.FORMAT,
        "model": exam.bundle.manifest.model,
        "at": utc_now().isoformat(),
        "verdict": verdict(judgements),
        "objective": _objective(config),
        "bundle": _bundle(exam),
        "champion": champion,
        "data": _data(exam, material, trained_until),
        "gates_digest": judged_by(project),
        "gates": [recorded.judged(judgement) for judgement in judgements],
        "metrics": recorded.measured(evidence, shown.values()),
        "slices": [
            recorded.sliced(evidence.candidate, evidence.groups[name], cut_by) for name in config.validation.slices
        ],
        "calibration": recorded.calibration(evidence.candidate),
        "confusion": recorded.confusion(evidence.candidate),
        "disagreement": recorded.disagreement(evidence),
        "latency": recorded.latency(evidence.latencies),
        "cases": [recorded.case_row(case) for case in evidence.cases],
    }


def _bundle(exam: Exam) -> dict[str, Any]:
    bundle, manifest = exam.bundle, exam.bundle.manifest
    return {
        "digest": bundle.id,
        "format": manifest.format,
        "task": bundle.task,
        "target": bundle.target.column,
        "classes": list(bundle.classes),
        "threshold": bundle.threshold,
        "features": exam.answers.vectors.columns,
        "content_hash": manifest.content_hash,
        "probe_hash": manifest.probe_hash,
        "lineage": dict(manifest.lineage),
    }


def _data(exam: Exam, material: Material, trained_until: datetime | None) -> dict[str, Any]:
    return {
        "holdout": material.holdout,
        "train": material.train,
        "sources": dict(material.sources),
        "rows": len(exam.labels),
        "unlabelled": exam.unlabelled,
        "trained_until": trained_until.isoformat() if trained_until else None,
    }


def _objective(config: Config) -> dict[str, Any]:
    objective = _required(config)
    return {"digest": objective_digest(objective), **objective.model_dump(mode="json")}


def _required(config: Config) -> Objective:
    if config.objective is None:
        raise UsageError("the project has no `objective` section", hint="add `objective:`")
    return config.objective


def _write(ledger: Ledger, store: "Store", record: dict[str, Any], judgements: tuple[Judgement, ...]) -> Evaluated:
    """One decision: the evaluation, its gates and where they came from."""
    evaluation = Evaluation(
        id=new_id(),
        bundle=record["bundle"]["digest"],
        champion=record["champion"],
        data=record["data"]["holdout"],
        objective=record["objective"]["digest"],
        gates=record["gates_digest"],
        verdict=record["verdict"],
        record=store.put_json(record),
        at=datetime.fromisoformat(record["at"]),
    )
    results = tuple(_result(evaluation.id, position, judgement) for position, judgement in enumerate(judgements))
    here = node("evaluation", evaluation.id)
    with ledger.write() as transaction:
        transaction.add(evaluation, *results)
        transaction.link(node("bundle", evaluation.bundle), here, "judged")
        transaction.link(node("data", evaluation.data), here, "holdout")
        transaction.link(node("objective", evaluation.objective), here, "judged by")
        if evaluation.champion:
            transaction.link(node("bundle", evaluation.champion), here, "champion")
        if made := transaction.get(SealedBundle, digest=evaluation.bundle):
            add_points(transaction, made.run, _points(record, evaluation.at))
    return Evaluated(evaluation, results, record)


def _points(record: Mapping[str, Any], at: datetime) -> Iterator[Point]:
    """The judged numbers as metrics of the run that made the bundle: what runs are compared by."""
    for row in record["metrics"]:
        if row["value"] is not None:
            yield Point(row["metric"], row["value"], 0, at)


def _result(evaluation: str, position: int, judgement: Judgement) -> GateResult:
    gate, estimate = judgement.gate, judgement.estimate
    return GateResult(
        evaluation=evaluation,
        position=position,
        gate=gate.name,
        metric=gate.metric,
        slice=judgement.slice,
        rule=gate.rule,
        severity=gate.severity,
        value=recorded.finite(estimate.value),
        low=recorded.finite(estimate.low),
        high=recorded.finite(estimate.high),
        reference=recorded.finite(judgement.reference),
        threshold=recorded.finite(judgement.threshold),
        n=judgement.n,
        outcome=judgement.outcome,
        reason=judgement.reason,
    )
