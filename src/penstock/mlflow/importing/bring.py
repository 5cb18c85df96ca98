"""Runs and models of an MLflow server become ours. Each is written whole or not at all, and found again by its id."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from penstock.deliver import enrol
from penstock.ledger import Artifact, Point, Run, Tag, Transaction, add_points, node, utc_now
from penstock.ledger.mlflow import Alias, DatasetInput, RegisteredModel, VersionNote
from penstock.mlflow import runs
from penstock.mlflow.experiments import DEFAULT, by_name, carried, start
from penstock.mlflow.importing.source import Source
from penstock.mlflow.paths import Kept
from penstock.mlflow.tracking import Tracking
from penstock.mlflow.wire import moment
from penstock.store import Store
from penstock.train.params import param_of

FROM = "penstock.imported"  # the tag of what was brought, with where from
_CHUNK = 1 << 20


@dataclass
class Brought:
    """What came, and what was here already."""

    runs: int = 0
    files: int = 0
    versions: int = 0
    known: int = 0  # runs and versions that an earlier import, or a client, has brought
    running: int = 0  # runs that go on there: another import brings them once they have ended
    without_files: list[str] = field(default_factory=list)  # versions whose files the server does not hand out


def bring(tracking: Tracking, uri: str, *, told: Callable[[str], object] = lambda line: None) -> Brought:
    """Bring what is new on the server at `uri`. What was there already is left as it is.

    A run keeps its id. A version becomes a candidate, whatever stage it had: nothing here has judged it.
    """
    source, brought = Source(uri), Brought()
    for experiment in source.experiments():
        for one in source.runs(experiment["experiment_id"]):
            _run(tracking, source, experiment, one, brought)
        told(f"{experiment['name']}: {brought.runs} runs brought so far")
    for model in source.models():
        _model(tracking, source, model, brought)
    return brought


def _run(
    tracking: Tracking, source: Source, experiment: Mapping[str, Any], one: Mapping[str, Any], brought: Brought
) -> None:
    identifier = one["info"]["run_id"]
    with tracking.ledger.read() as reader:
        if reader.get(Run, id=identifier):
            brought.known += 1
            return
    if one["info"]["status"] in ("RUNNING", "SCHEDULED"):
        brought.running += 1
        return
    data = one.get("data", {})
    points = [
        Point(each["key"], float(each["value"]), int(each.get("step", 0)), moment(int(each["timestamp"])))
        for metric in data.get("metrics", [])
        for each in source.history(identifier, metric["key"])
    ]
    kept = {name: _keep(tracking.store, source.open_file(one["info"], name)) for name in source.files(identifier)}
    with tracking.ledger.write() as transaction:
        if transaction.get(Run, id=identifier):
            return
        run = _record(transaction, experiment, one)
        tags = {**_pairs(data.get("tags", [])), FROM: source.uri}
        transaction.add(run, *(param_of(run.id, name, value) for name, value in run.params.items()))
        transaction.add(*(Tag(run.id, name, value) for name, value in tags.items()))
        transaction.add(*(Artifact(run.id, name, *file) for name, file in kept.items()))
        transaction.add(*_inputs(run.id, one))
        add_points(transaction, run.id, points)
    brought.runs += 1
    brought.files += len(kept)


def _record(transaction: Transaction, experiment: Mapping[str, Any], one: Mapping[str, Any]) -> Run:
    info, data = one["info"], one.get("data", {})
    tags = _pairs(data.get("tags", []))
    name = experiment["name"]
    ours = by_name(transaction, name) or start(transaction, name, _pairs(experiment.get("tags", [])))
    last = transaction.find(Run, order_by="-number", limit=1)
    began = moment(int(info["start_time"]))
    return Run(
        id=info["run_id"],
        number=last[0].number + 1 if last else 1,
        status=runs.OURS[info["status"]],
        key="",
        function=tags.get(runs.SOURCE, ""),
        params=_pairs(data.get("params", [])),
        seed=0,
        data={},
        features={},
        code="",
        git_commit=tags.get(runs.COMMIT),
        patch=None,
        environment="",
        host={},
        pid=0,
        started_at=began,
        finished_at=_ended(info, began),
        kind="tracked",
        name=info.get("run_name") or tags.get(runs.NAME, ""),
        experiment=carried(ours) if ours.id != DEFAULT.id else "",
    )


def _ended(info: Mapping[str, Any], began: datetime) -> datetime:
    return moment(int(info["end_time"])) if info.get("end_time") else began


def _inputs(run: str, one: Mapping[str, Any]) -> Iterable[DatasetInput]:
    for each in one.get("inputs", {}).get("dataset_inputs", []):
        told = each["dataset"]
        kind, source = told.get("source_type", ""), told.get("source", "")
        schema, profile, tags = told.get("schema", ""), told.get("profile", ""), _pairs(each.get("tags", []))
        yield DatasetInput(run, told["name"], told["digest"], kind, source, schema, profile, tags)


def _model(tracking: Tracking, source: Source, model: Mapping[str, Any], brought: Brought) -> None:
    name = model["name"]
    with tracking.ledger.write() as transaction:
        if transaction.get(RegisteredModel, name=name) is None:
            now, tags = utc_now(), _pairs(model.get("tags", []))
            transaction.add(RegisteredModel(name, model.get("description", ""), tags, now, now))
    aliases = {each["alias"]: each["version"] for each in model.get("aliases", [])}
    for version in source.versions(name):
        named = [alias for alias, number in aliases.items() if str(number) == str(version["version"])]
        _version(tracking, source, version, named, brought)


def _version(
    tracking: Tracking, source: Source, version: Mapping[str, Any], aliases: list[str], brought: Brought
) -> None:
    origin = f"{source.uri}#{version['name']}@{version['version']}"
    with tracking.ledger.read() as reader:
        if any(note.tags.get(FROM) == origin for note in reader.find(VersionNote, model=version["name"])):
            brought.known += 1
            return
    kept = _version_files(tracking, source, version)
    if not kept:
        brought.without_files.append(f"{version['name']}@{version['version']}")
        return
    files = {name: {"blake3": file.digest, "bytes": file.bytes} for name, file in kept.items()}
    bundle = tracking.store.put_json({"manifest": "mlflow/1", "files": files})
    with tracking.ledger.write() as transaction:
        run = version.get("run_id", "")
        ours = enrol(
            transaction, version["name"], bundle, run=run, actor=tracking.actor, note=f"imported from {source.uri}"
        )
        if run and transaction.get(Run, id=run):
            transaction.link(node("run", run), node("bundle", bundle), "logged")
        stage = version.get("current_stage", "None")
        tags = {**_pairs(version.get("tags", [])), FROM: origin} | ({"stage": stage} if stage != "None" else {})
        words = (version.get("source", ""), "", version.get("description", ""), version.get("run_link", ""))
        transaction.add(VersionNote(ours.model, ours.number, *words, tags, "active", ours.created_at))
        if ours.model != tracking.model:  # of the project's own model an alias may mean production
            transaction.put(*(Alias(ours.model, alias, ours.number) for alias in aliases))
    brought.versions += 1


def _version_files(tracking: Tracking, source: Source, version: Mapping[str, Any]) -> dict[str, Kept]:
    """The files of a version: those of its place at the server, or of a directory of its run."""
    where = source.where(version)
    if where.startswith("mlflow-artifacts:"):
        place = where.partition(":")[2].lstrip("/")
        return {name: _keep(tracking.store, source.open_at(place, name)) for name in source.tree(place)}
    run, _, path = where.partition("/artifacts/")
    identifier = run.rstrip("/").rpartition("/")[2]
    with tracking.ledger.read() as reader:
        found = {each.name: Kept(each.digest, each.bytes) for each in reader.find(Artifact, run=identifier)}
    return {name[len(path) + 1 :]: kept for name, kept in found.items() if name.startswith(f"{path}/")}


def _keep(store: Store, file: BinaryIO) -> Kept:
    with file, store.blobs.filling() as blob:
        while chunk := file.read(_CHUNK):
            blob.write(chunk)
    return Kept(blob.digest, blob.size)


def _pairs(given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {each["key"]: each.get("value", "") for each in given}
