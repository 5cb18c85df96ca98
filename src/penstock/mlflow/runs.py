"""Runs as the protocol shows them, and which of them its clients may write to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.ledger import Metric, Param, Reader, Run, Tag
from penstock.ledger.mlflow import DatasetInput, ModelUse
from penstock.mlflow.errors import invalid, missing
from penstock.mlflow.experiments import ROOT, of_run
from penstock.mlflow.wire import Reply, milliseconds, number, pairs

LIFECYCLE = "penstock.lifecycle"  # the tag of a run that a client has deleted
DELETED = "deleted"
NAME, USER, SOURCE, COMMIT = "mlflow.runName", "mlflow.user", "mlflow.source.name", "mlflow.source.git.commit"
STATUS = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "killed": "KILLED", "pruned": "KILLED"}
OURS = {"RUNNING": "running", "SCHEDULED": "running", "FINISHED": "finished", "FAILED": "failed", "KILLED": "killed"}


def by_id(reader: Reader, identifier: str) -> Run:
    """The run of an id. ProtocolError when there is none."""
    found = reader.get(Run, id=identifier)
    if found is None:
        raise missing("run", identifier)
    return found


def shown(reader: Reader, identifier: str) -> Run:
    """A run that is not deleted, made by a training or not: words about it may be added."""
    run = by_id(reader, identifier)
    if reader.get(Tag, run=run.id, name=LIFECYCLE):
        raise invalid(f"run {identifier!r} is deleted", expected="one that is active: restore it first")
    return run


def writable(reader: Reader, identifier: str) -> Run:
    """A run that clients may log to: what a training of the project has recorded stands."""
    run = shown(reader, identifier)
    if run.kind != "tracked":
        raise invalid(
            f"run {run.number} is a training of the project, whose record stands", expected="a run that a client began"
        )
    return run


def described(reader: Reader, runs: Sequence[Run]) -> list[Reply]:
    """Runs in a reply, with all that belongs to them."""
    numbers = {run.experiment: of_run(reader, run) for run in {run.experiment: run for run in runs}.values()}
    metrics, params = _of(reader, Metric, runs), _of(reader, Param, runs)
    tags, inputs, uses = _of(reader, Tag, runs), _of(reader, DatasetInput, runs), _of(reader, ModelUse, runs)
    return [
        {
            "info": info(run, numbers[run.experiment], {tag.name: tag.value for tag in tags[run.id]}),
            "data": {
                "metrics": [metric_of(each) for each in metrics[run.id]],
                "params": [{"key": each.name, "value": each.value} for each in params[run.id]],
                "tags": pairs(_tags(run, tags[run.id])),
            },
            "inputs": {
                "dataset_inputs": [_input(each) for each in inputs[run.id]],
                "model_inputs": [{"model_id": use.model} for use in uses[run.id] if use.role == "input"],
            },
            "outputs": {
                "model_outputs": [
                    {"model_id": use.model, "step": use.step} for use in uses[run.id] if use.role == "output"
                ]
            },
        }
        for run in runs
    ]


def info(run: Run, experiment: str, tags: Mapping[str, str]) -> Reply:
    """What a run is, without what it logged."""
    told: dict[str, Any] = {
        "run_id": run.id,
        "run_uuid": run.id,
        "run_name": _name(run),
        "experiment_id": experiment,
        "user_id": tags.get(USER, ""),
        "status": STATUS[run.status],
        "start_time": milliseconds(run.started_at),
        "artifact_uri": f"{ROOT}/{experiment}/{run.id}/artifacts",
        "lifecycle_stage": DELETED if LIFECYCLE in tags else "active",
    }
    if run.finished_at:
        told["end_time"] = milliseconds(run.finished_at)
    return told


def metric_of(metric: Metric) -> Reply:
    """The newest value of a metric."""
    return {
        "key": metric.name,
        "value": number(metric.value),
        "timestamp": milliseconds(metric.at),
        "step": metric.step,
    }


def _name(run: Run) -> str:
    return run.name or f"run-{run.number}"


def _tags(run: Run, tags: Iterable[Tag]) -> dict[str, str]:
    """The run's own, and what clients look for in tags and our record has as fields."""
    facts = {NAME: _name(run), SOURCE: run.function, COMMIT: run.git_commit or ""}
    own = {tag.name: tag.value for tag in tags if tag.name != LIFECYCLE}
    return {**{name: value for name, value in facts.items() if value}, **own}


def _input(each: DatasetInput) -> Reply:
    dataset = {
        "name": each.name, "digest": each.digest, "source_type": each.source_type, "source": each.source,
        "schema": each.schema, "profile": each.profile,
    }  # fmt: skip
    return {"dataset": {name: value for name, value in dataset.items() if value}, "tags": pairs(each.tags)}


def _of(reader: Reader, record: type[Any], runs: Sequence[Run]) -> Mapping[str, list[Any]]:
    """Records of some runs, by run."""
    found: dict[str, list[Any]] = defaultdict(list)
    for some in _batches([run.id for run in runs]):
        for each in reader.find(record, run=some):
            found[each.run].append(each)
    return found


def _batches(identifiers: Sequence[str]) -> Iterable[list[str]]:
    # SQLite takes some thousand values in a statement.
    return (list(identifiers[at : at + 500]) for at in range(0, len(identifiers), 500))
