"""Evaluating a bundle: gather the evidence, judge every gate, record all of it in one decision."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.data import load_holdout, load_train
from penstock.errors import PenstockError, UsageError
from penstock.ids import new_id
from penstock.ledger import Evaluation, GateResult, Ledger, SealedBundle, node, utc_now
from penstock.objective import objective_digest
from penstock.project import Config, Objective, ProjectFile, load_function
from penstock.signing import load_signer
from penstock.validate import record as recorded
from penstock.validate.cases import CaseResult, ask, cases_digest, load_cases
from penstock.validate.gates import Gate, Kind, gates_digest, gates_of
from penstock.validate.judging import Evidence, Judgement, judge, verdict
from penstock.validate.latency import time_requests
from penstock.validate.measuring import Metric, Sample
from penstock.validate.metrics import METRICS, custom_metric, metrics_for
from penstock.validate.samples import baseline_of, sample_of, truth
from penstock.validate.slices import cut_all

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle import Answers, Bundle
    from penstock.store import Store


@dataclass(frozen=True)
class Material:
    """What a model is judged on.

    holdout   commit: requests and the target, in rows that training never saw
    sources   dataset -> commit: the examples, and what the rows of stored feature views are computed from
    train     commit: the training examples, for the baseline
    """

    holdout: str
    sources: Mapping[str, str]
    train: str | None = None


@dataclass(frozen=True)
class Evaluated:
    """An evaluation as it stands in the ledger; `record` has every number."""

    evaluation: Evaluation
    results: tuple[GateResult, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True)
class _Exam:
    """A model and what it is asked."""

    bundle: "Bundle"
    requests: "pl.DataFrame"
    labels: "pl.Series"
    views: "dict[str, pl.DataFrame]"
    answers: "Answers"
    unlabelled: int


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
    exam = _sit(store, open_sealed(project, ledger, store, bundle), material)
    rival = _Rival.of(project, ledger, store, exam, material, champion)
    until = _trained_until(project, store, exam, material)
    evidence = _evidence(project, store, exam, rival, material, gates, metrics, until, now or utc_now())
    judgements = tuple(judge(gate, evidence) for gate in gates)
    record = _record(project, exam, material, evidence, judgements, metrics, until, champion)
    return _write(ledger, store, record, judgements)


def judged_by(project: ProjectFile) -> str:
    """Names everything in the project that a judgement depends on: gates, custom metrics' code, known cases."""
    gates = gates_of(project.config)
    code = {name: load_function(project.root, name).code for name in _custom(gates)}
    directory = project.config.validation.cases
    cases = cases_digest(project.root / directory) if directory else {}
    return gates_digest(gates, {**code, **cases})


def open_sealed(project: ProjectFile, ledger: Ledger, store: "Store", digest: str) -> "Bundle":
    """A bundle of the project, verified, from the cache of exports."""
    from penstock.bundle import export, open_bundle

    with ledger.read() as reader:
        sealed = reader.get(SealedBundle, digest=digest)
    if sealed is None:
        raise UsageError(f"there is no bundle {digest} in the ledger", hint="penstock run")
    directory = export(digest, store, sealed.signature, sealed.public_key, project.home / "bundles")
    return open_bundle(directory, trusted=[load_signer(project.signing_key).public])


# --- evidence ------------------------------------------------------------------------------------


def _sit(store: "Store", bundle: "Bundle", material: Material) -> _Exam:
    """Ask the model for every labelled row of the holdout."""
    rows, labels = load_holdout(store, material.holdout, bundle.target.column)
    known = labels.is_not_null()
    if not known.any():
        raise UsageError(
            f"no row of the holdout has a value of {bundle.target.column!r}: there is nothing to judge by",
            hint="take more rows for `train.holdout`, or wait for labels",
        )
    requests = rows.filter(known)
    views = _view_rows(store, bundle, material)
    answers = bundle.predict(requests, views)
    return _Exam(bundle, requests, labels.filter(known), views, answers, int((~known).sum()))


def _view_rows(store: "Store", bundle: "Bundle", material: Material) -> "dict[str, pl.DataFrame]":
    """The rows of a model's stored views, made by its own functions."""
    rows = {}
    for view in bundle.features.spec.stored:
        if view.source not in material.sources:
            raise UsageError(f"dataset {view.source!r} of its feature view {view.name!r} is not at hand")
        rows[view.name] = bundle.features.view_rows(view.name, store.scan(material.sources[view.source]))
    return rows


@dataclass(frozen=True)
class _Rival:
    """The champion's answers to the same requests, or why there are none."""

    bundle: "Bundle | None" = None
    answers: "Answers | None" = None
    why_not: str = ""  # there is one, and it cannot be compared with
    unrivalled: str = ""  # there is none to be compared with

    @classmethod
    def of(
        cls,
        project: ProjectFile,
        ledger: Ledger,
        store: "Store",
        exam: _Exam,
        material: Material,
        champion: str | None,
    ) -> "_Rival":
        if champion is None:
            return cls(unrivalled="no champion yet")
        if champion == exam.bundle.id:
            return cls(unrivalled="this is the champion")
        try:
            bundle = open_sealed(project, ledger, store, champion)
            _require_same_target(exam.bundle, bundle)
            return cls(bundle, bundle.predict(exam.requests, _view_rows(store, bundle, material)))
        except PenstockError as error:
            return cls(why_not=f"the champion cannot be compared with on these rows: {error.what}")


def _require_same_target(candidate: "Bundle", champion: "Bundle") -> None:
    ours, theirs = candidate.target, champion.target
    if (ours.column, ours.task, ours.positive) != (theirs.column, theirs.task, theirs.positive):
        raise UsageError(f"it predicts {theirs.column!r} ({theirs.task}), not {ours.column!r} ({ours.task})")


def _evidence(
    project: ProjectFile,
    store: "Store",
    exam: _Exam,
    rival: _Rival,
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
        baseline=_baseline(store, exam.bundle, material, candidate),
        groups=cut_all(columns, exam.requests, exam.answers.vectors),
        latencies=time_requests(exam.bundle, exam.requests, exam.views) if timed else None,
        age=now - trained_until if trained_until else None,
        cases=_cases(project, exam),
        absent={**absent, "champion": rival.why_not} if rival.why_not else absent,
    )


def _baseline(store: "Store", bundle: "Bundle", material: Material, candidate: Sample) -> Sample | None:
    if material.train is None:
        return None
    _, labels = load_train(store, material.train)
    return baseline_of(candidate, truth(labels.drop_nulls(), bundle.target))


def _trained_until(project: ProjectFile, store: "Store", exam: _Exam, material: Material) -> datetime | None:
    """Time of the newest labelled example outside a holdout that is cut by time; else of the newest one."""
    import polars as pl

    config = project.config
    time, examples = config.data.time, config.data.examples or next(iter(config.data.datasets), "")
    if time is None or examples not in material.sources:
        return None
    rows = store.scan(material.sources[examples]).filter(pl.col(exam.labels.name).is_not_null())
    if config.train and config.train.holdout.startswith("last"):
        rows = rows.filter(pl.col(time) < exam.requests[time].min())
    newest = rows.select(pl.col(time).cast(pl.Datetime("us"), strict=False).max()).collect().item()
    return newest.replace(tzinfo=UTC) if isinstance(newest, datetime) else None


def _cases(project: ProjectFile, exam: _Exam) -> tuple[CaseResult, ...]:
    directory = project.config.validation.cases
    if directory is None:
        return ()
    return ask(load_cases(project.root / directory, exam.bundle.task), exam.bundle, exam.views)


def _metrics(project: ProjectFile, gates: tuple[Gate, ...]) -> Mapping[str, Metric]:
    """The built-in metrics and the custom ones that gates name."""
    goals = {gate.metric: gate.goal for gate in gates}
    custom = {
        name: custom_metric(load_function(project.root, name, parameters=["y", "scores"]), goals[name])
        for name in _custom(gates)
    }
    return {**METRICS, **custom}


def _custom(gates: tuple[Gate, ...]) -> list[str]:
    return sorted({gate.metric for gate in gates if ":" in gate.metric})


# --- record --------------------------------------------------------------------------------------


def _record(
    project: ProjectFile,
    exam: _Exam,
    material: Material,
    evidence: Evidence,
    judgements: tuple[Judgement, ...],
    metrics: Mapping[str, Metric],
    trained_until: datetime | None,
    champion: str | None,
) -> dict[str, Any]:
    config, manifest = project.config, exam.bundle.manifest
    gated = list(dict.fromkeys(j.gate.metric for j in judgements if j.gate.metric in metrics))
    costs = bool(config.objective and config.objective.costs)
    shown = {metric.name: metric for metric in metrics_for(exam.bundle.task, costs=costs)}
    shown |= {name: metrics[name] for name in gated}
    cut_by = [metrics[name] for name in gated] or list(shown.values())[:1]
    return {
        "format": recorded.FORMAT,
        "model": manifest.model,
        "at": utc_now().isoformat(),
        "verdict": verdict(judgements),
        "objective": _objective(config),
        "bundle": {
            "digest": exam.bundle.id,
            "format": manifest.format,
            "task": exam.bundle.task,
            "target": exam.bundle.target.column,
            "classes": list(exam.bundle.classes),
            "threshold": exam.bundle.threshold,
            "features": exam.answers.vectors.columns,
            "content_hash": manifest.content_hash,
            "probe_hash": manifest.probe_hash,
            "lineage": dict(manifest.lineage),
        },
        "champion": champion,
        "data": {
            "holdout": material.holdout,
            "train": material.train,
            "sources": dict(material.sources),
            "rows": evidence.candidate.rows,
            "unlabelled": exam.unlabelled,
            "trained_until": trained_until.isoformat() if trained_until else None,
        },
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
    return Evaluated(evaluation, results, record)


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
