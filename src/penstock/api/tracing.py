"""`trace`: from any id to everything it came from and everything that came from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from penstock.api.workspace import Workspace
from penstock.digest import short
from penstock.errors import UsageError
from penstock.ledger import (
    Action,
    Alert,
    Approval,
    Deployment,
    Edge,
    Evaluation,
    Lineage,
    ModelVersion,
    Reader,
    Ref,
    Run,
    SealedBundle,
    SignOff,
    Version,
    node,
)
from penstock.ledger import trace as walk
from penstock.project import ProjectFile

BIGGEST = 2**63 - 1


@dataclass(frozen=True)
class TracedNode:
    """A node of the lineage in words. `reason` says why a person or the loop did it."""

    id: str
    kind: str
    label: str
    detail: str
    reason: str
    at: datetime | None


@dataclass(frozen=True)
class Trace:
    """Where something came from and where it went; nearest first.

    prediction   the logged answer, when the trace started at one
    """

    start: TracedNode
    prediction: Mapping[str, Any] | None
    upstream: tuple[TracedNode, ...]
    downstream: tuple[TracedNode, ...]
    lineage: Lineage


def trace(workspace: Workspace, text: str) -> Trace:
    """The lineage of what `text` names. UsageError when it names nothing, or several things."""
    with workspace.ledger.read() as reader:
        found = _resolve(reader, workspace.project, text)
        prediction = None if found else _prediction(workspace, text)
        if found is None and prediction is None:
            raise UsageError(
                f"nothing is named {text!r}",
                expected="a prediction id, run:NUMBER, MODEL@NUMBER, DATASET[@REF], or the start of an id",
                hint="penstock status, penstock train runs, penstock data log DATASET",
            )
        start = found or _answerer(reader, prediction or {})
        lineage = walk(reader, start, down=prediction is None)
        upstream = _distinct(edge.source for edge in lineage.upstream)
        downstream = _distinct(edge.target for edge in lineage.downstream)
        if prediction:
            upstream = [start, *upstream]
            head = TracedNode(
                node("prediction", prediction["id"]),
                "prediction",
                prediction["id"],
                f"answered by {prediction['model']}",
                "",
                prediction["at"],
            )
        else:
            head = describe(reader, start)
        return Trace(
            start=head,
            prediction=prediction,
            upstream=tuple(_in_its_role(describe(reader, name), lineage.upstream) for name in upstream),
            downstream=tuple(describe(reader, name) for name in downstream),
            lineage=lineage,
        )


def describe(reader: Reader, name: str) -> TracedNode:
    """A node in words, from its record."""
    kind, _, key = name.partition(":")
    if kind in DESCRIBERS:
        described = DESCRIBERS[kind](reader, key)
        if described:
            label, detail, reason, at = described
            return TracedNode(name, kind, label, detail, reason, at)
    return TracedNode(name, kind, short(key), "", "", None)


def _in_its_role(found: TracedNode, edges: Sequence[Edge]) -> TracedNode:
    """A node without a record of its own, such as a holdout, is told by what it was used as."""
    if found.detail:
        return found
    roles = sorted({edge.role for edge in edges if edge.source == found.id and edge.role != found.kind})
    return replace(found, detail=", ".join(roles))


Described = tuple[str, str, str, datetime | None]


def _data(reader: Reader, key: str) -> Described | None:
    version = reader.get(Version, commit=key)
    return (f"{version.dataset}@{short(key)}", f"{version.rows:,} rows", "", version.created_at) if version else None


def _run(reader: Reader, key: str) -> Described | None:
    run = reader.get(Run, id=key)
    if run is None:
        return None
    code = (
        f"commit {run.git_commit[:10]}" + (" with uncommitted changes" if run.patch else "")
        if run.git_commit
        else f"code {short(run.code)}"
    )
    return f"run {run.number}", f"{run.function}, {code}, seed {run.seed}, {run.status}", "", run.started_at


def _bundle(reader: Reader, key: str) -> Described | None:
    sealed = reader.get(SealedBundle, digest=key)
    return (
        (
            short(key),
            f"{sealed.format}, {sealed.bytes:,} bytes, sealed by {short(sealed.public_key)}",
            "",
            sealed.created_at,
        )
        if sealed
        else None
    )


def _model(reader: Reader, key: str) -> Described | None:
    model, _, number = key.rpartition("@")
    version = reader.get(ModelVersion, model=model, number=_number(number))
    return (key, version.state, version.note, version.created_at) if version else None


def _evaluation(reader: Reader, key: str) -> Described | None:
    found = reader.get(Evaluation, id=key)
    return (
        (found.verdict, f"on {short(found.data)}, objective {short(found.objective)}", "", found.at) if found else None
    )


def _signoff(reader: Reader, key: str) -> Described | None:
    found = reader.get(SignOff, id=key)
    return (
        (f"{found.name} ({found.role})", f"objective {short(found.objective)}", found.note, found.at) if found else None
    )


def _approval(reader: Reader, key: str) -> Described | None:
    found = reader.get(Approval, id=key)
    return (
        (f"{found.name} ({found.role})", f"{found.model}@{found.number} into {found.state}", found.reason, found.at)
        if found
        else None
    )


def _deployment(reader: Reader, key: str) -> Described | None:
    found = reader.get(Deployment, id=key)
    if found is None:
        return None
    decided = f"{found.kind} of {found.model}@{found.number} by {found.actor}"
    return f"{found.endpoint} generation {found.generation}", decided, found.reason, found.at


def _alert(reader: Reader, key: str) -> Described | None:
    found = reader.get(Alert, id=key)
    return (found.rule, f"{found.severity}, {found.state}", found.message, found.opened_at) if found else None


def _action(reader: Reader, key: str) -> Described | None:
    found = reader.get(Action, id=key)
    return (f"{found.kind}: {found.trigger}", found.state, found.reason, found.started_at) if found else None


DESCRIBERS: Mapping[str, Callable[[Reader, str], Described | None]] = {
    "data": _data,
    "run": _run,
    "bundle": _bundle,
    "model": _model,
    "evaluation": _evaluation,
    "signoff": _signoff,
    "approval": _approval,
    "deployment": _deployment,
    "alert": _alert,
    "action": _action,
}


def _resolve(reader: Reader, project: ProjectFile, text: str) -> str | None:
    """The node that `text` names."""
    model = project.config.name
    kind, _, key = text.partition(":")
    if kind == "run" and (run_number := _number(key)) is not None:
        run = reader.get(Run, number=run_number)
        return node("run", run.id) if run else None
    if key and kind in DESCRIBERS:
        return text if describe(reader, text).detail else _by_prefix(reader, key, kind)
    name, _, number = text.rpartition("@")
    if reader.count(ModelVersion, model=name or model, number=_number(number)):
        return node("model", f"{name or model}@{_number(number)}")
    return _dataset(reader, text, project.branch) or _by_prefix(reader, text)


def _number(text: str) -> int | None:
    """A run's or a model's number; None for what is none, or more than a ledger can hold."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else BIGGEST + 1
    return number if number <= BIGGEST else None


def _dataset(reader: Reader, text: str, branch: str) -> str | None:
    if not reader.find(Ref, dataset=text.partition("@")[0], limit=1):
        return None
    from penstock.data import resolve

    return node("data", resolve(reader, text, branch).commit)


def _by_prefix(reader: Reader, text: str, only: str | None = None) -> str | None:
    """The one record whose id starts with `text`."""
    if len(text) < 6:
        return None
    found = [
        node(kind, str(getattr(record, column)))
        for kind, record_type, column in PREFIXED
        if only in (None, kind)
        for record in reader.starting(record_type, column, text)
    ]
    if len(found) > 1:
        raise UsageError(f"{text!r} may be {' or '.join(found)}", hint="give more of it")
    return found[0] if found else None


PREFIXED: tuple[tuple[str, type[Any], str], ...] = (
    ("data", Version, "commit"),
    ("run", Run, "id"),
    ("bundle", SealedBundle, "digest"),
    ("evaluation", Evaluation, "id"),
    ("signoff", SignOff, "id"),
    ("approval", Approval, "id"),
    ("deployment", Deployment, "id"),
    ("alert", Alert, "id"),
    ("action", Action, "id"),
)


def _answerer(reader: Reader, prediction: Mapping[str, Any]) -> str:
    """The deployment that answered: it leads to the model, and to who let it."""
    where = {"endpoint": prediction["endpoint"], "generation": prediction["generation"]}
    deployed = reader.find(Deployment, **where)
    return node("deployment", deployed[0].id) if deployed else node("model", str(prediction["model"]))


def _prediction(workspace: Workspace, text: str) -> Mapping[str, Any] | None:
    from penstock.monitor import find_prediction

    identifier = text.removeprefix("prediction:")
    return find_prediction(workspace.project, workspace.ledger, workspace.store, identifier)


def _distinct(names: Any) -> list[str]:
    return list(dict.fromkeys(names))
