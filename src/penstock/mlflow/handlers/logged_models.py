"""Logged models: models as MLflow 3 keeps them, beside the run that made them."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.ids import new_id
from penstock.ledger import Reader, Tag, Transaction, utc_now
from penstock.ledger.mlflow import LoggedModel, ModelFile, ModelMetric, VersionNote
from penstock.mlflow import matching, runs
from penstock.mlflow.errors import invalid, missing, refused
from penstock.mlflow.experiments import ROOT, active, by_id
from penstock.mlflow.wire import Pair, Reply, milliseconds, number, pairs, tags_of

HISTORY = "mlflow.log-model.history"  # the tag in which clients of MLflow 2 look for the models of a run
STATUS = {"pending": "LOGGED_MODEL_PENDING", "ready": "LOGGED_MODEL_READY", "failed": "LOGGED_MODEL_UPLOAD_FAILED"}
_OURS = {theirs: ours for ours, theirs in STATUS.items()}
_PAGE = 1000


class Create(msgspec.Struct, frozen=True):
    """A model whose files will follow."""

    experiment_id: str = "0"
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: list[Pair] = []
    tags: list[Pair] = []


class Which(msgspec.Struct, frozen=True):
    """A logged model by its id."""

    model_id: str = ""
    allow_deleted: bool = False


class Finalize(msgspec.Struct, frozen=True):
    """Its files are there, or will never be."""

    model_id: str = ""
    status: str = ""


class Words(msgspec.Struct, frozen=True):
    """Params or tags of a logged model."""

    model_id: str = ""
    params: list[Pair] = []
    tags: list[Pair] = []


class TagKey(msgspec.Struct, frozen=True):
    """A tag of a logged model."""

    model_id: str = ""
    tag_key: str = ""


class Order(msgspec.Struct, frozen=True):
    """A field to sort by; a metric may be that of one dataset."""

    field_name: str = ""
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class OnDataset(msgspec.Struct, frozen=True):
    """A dataset whose metrics count."""

    dataset_name: str = ""
    dataset_digest: str = ""


class Search(msgspec.Struct, frozen=True):
    """A page of logged models."""

    experiment_ids: list[str] = []
    filter: str = ""
    datasets: list[OnDataset] = []
    max_results: int = 100
    order_by: list[Order] = []
    page_token: str = ""


class LogModel(msgspec.Struct, frozen=True):
    """What an MLmodel file of a run says."""

    run_id: str = ""
    model_json: str = ""


def model_of(reader: Reader, identifier: str, *, deleted: bool = False) -> LoggedModel:
    """The logged model of an id. ProtocolError when there is none."""
    found = reader.get(LoggedModel, id=identifier)
    if found is None or (found.state == "deleted" and not deleted):
        raise missing("logged model", identifier)
    return found


def location(model: LoggedModel) -> str:
    """Where clients find its files."""
    return f"{ROOT}/{model.experiment}/models/{model.id}/artifacts"


def create(transaction: Transaction, ask: Create) -> Reply:
    """A logged model without files yet."""
    experiment = active(transaction, ask.experiment_id)
    if ask.source_run_id:
        runs.shown(transaction, ask.source_run_id)
    now, identifier = utc_now(), f"m-{new_id()}"
    model = LoggedModel(
        identifier, experiment.id, ask.name or identifier, "pending", ask.model_type, ask.source_run_id,
        tags_of(ask.params), tags_of(ask.tags), "active", now, now,
    )  # fmt: skip
    transaction.add(model)
    return {"model": described(transaction, model)}


def get(reader: Reader, ask: Which) -> Reply:
    """A logged model by its id."""
    return {"model": described(reader, model_of(reader, ask.model_id, deleted=ask.allow_deleted))}


def finalize(transaction: Transaction, ask: Finalize) -> Reply:
    """Another status."""
    if ask.status not in _OURS:
        raise invalid(f"{ask.status!r} is no status", expected=", ".join(_OURS))
    model = model_of(transaction, ask.model_id)
    return {"model": described(transaction, _change(transaction, model, status=_OURS[ask.status]))}


def delete(transaction: Transaction, ask: Which) -> Reply:
    """No longer shown. A model that was registered stays."""
    model = model_of(transaction, ask.model_id)
    versions = transaction.find(VersionNote, logged=model.id, state="active")
    if versions:
        raise refused(f"{model.id} is registered as {versions[0].model}@{versions[0].number}")
    _change(transaction, model, state="deleted")
    return {}


def add_params(transaction: Transaction, ask: Words) -> Reply:
    """More parameters."""
    model = model_of(transaction, ask.model_id)
    _change(transaction, model, params={**model.params, **tags_of(ask.params)})
    return {}


def set_tags(transaction: Transaction, ask: Words) -> Reply:
    """Tags, in place of those of the same names."""
    model = model_of(transaction, ask.model_id)
    return {"model": described(transaction, _change(transaction, model, tags={**model.tags, **tags_of(ask.tags)}))}


def delete_tag(transaction: Transaction, ask: TagKey) -> Reply:
    """One tag less."""
    model = model_of(transaction, ask.model_id)
    if ask.tag_key not in model.tags:
        raise missing("tag of the logged model", ask.tag_key)
    left = {key: value for key, value in model.tags.items() if key != ask.tag_key}
    return {"model": described(transaction, _change(transaction, model, tags=left))}


def search(reader: Reader, ask: Search) -> Reply:
    """A page of the logged models of some experiments, newest first."""
    numbers = [by_id(reader, each).id for each in ask.experiment_ids]
    known = reader.find(LoggedModel, experiment=numbers, state="active", order_by="-created_at")
    measured = _measured(reader, known)
    order = [f"{one.field_name} {'ASC' if one.ascending else 'DESC'}" for one in ask.order_by]
    wanted = [(each.dataset_name, each.dataset_digest) for each in ask.datasets]
    wanted += [(each.dataset_name, each.dataset_digest) for each in ask.order_by]

    def field(model: LoggedModel, place: str, name: str) -> Any:
        return _field(model, place, name, [m for m in measured.get(model.id, []) if _on(m, wanted)])

    found = matching.select(known, field, ask.filter, order)
    chosen, token = matching.page(found, ask.page_token, max(1, min(ask.max_results, _PAGE)))
    return {"models": [described(reader, each) for each in chosen], "next_page_token": token}


def log_model(transaction: Transaction, ask: LogModel) -> Reply:
    """Remember in the run that a model lies among its artifacts."""
    run = runs.writable(transaction, ask.run_id)
    try:
        told = json.loads(ask.model_json)
    except ValueError as error:
        raise invalid(f"model_json is not JSON: {error}") from error
    known = transaction.get(Tag, run=run.id, name=HISTORY)
    transaction.put(Tag(run.id, HISTORY, json.dumps([*(json.loads(known.value) if known else []), told])))
    return {}


def described(reader: Reader, model: LoggedModel) -> Reply:
    """A logged model in a reply."""
    versions = reader.find(VersionNote, logged=model.id, state="active")
    told = {
        "model_id": model.id,
        "experiment_id": model.experiment,
        "name": model.name,
        "creation_timestamp_ms": milliseconds(model.created_at),
        "last_updated_timestamp_ms": milliseconds(model.updated_at),
        "artifact_uri": location(model),
        "status": STATUS[model.status],
        "model_type": model.type,
        "source_run_id": model.run,
        "tags": pairs(model.tags),
        "registrations": [{"name": each.model, "version": str(each.number)} for each in versions],
    }
    return {
        "info": {name: value for name, value in told.items() if value != ""},
        "data": {"params": pairs(model.params), "metrics": metrics_of(reader, model.id)},
    }


def metrics_of(reader: Reader, identifier: str) -> list[Reply]:
    """What runs measured of a logged model."""
    return [
        {
            "key": each.name, "value": number(each.value), "timestamp": milliseconds(each.at), "step": each.step,
            "model_id": each.model, "run_id": each.run,
            **({"dataset_name": each.dataset, "dataset_digest": each.digest} if each.dataset else {}),
        }
        for each in reader.find(ModelMetric, model=identifier)
    ]  # fmt: skip


def files_of(reader: Reader, identifier: str) -> dict[str, str]:
    """The files of a logged model: name -> blob."""
    return {each.name: each.digest for each in reader.find(ModelFile, model=identifier)}


def _change(transaction: Transaction, model: LoggedModel, **values: Any) -> LoggedModel:
    values["updated_at"] = utc_now()
    transaction.change(LoggedModel, {"id": model.id}, **values)
    return model._replace(**values)


def _measured(reader: Reader, models: list[LoggedModel]) -> Mapping[str, list[ModelMetric]]:
    found: dict[str, list[ModelMetric]] = {}
    for at in range(0, len(models), 500):
        for each in reader.find(ModelMetric, model=[model.id for model in models[at : at + 500]], order_by="at"):
            found.setdefault(each.model, []).append(each)
    return found


def _on(metric: ModelMetric, wanted: list[tuple[str, str]]) -> bool:
    """Whether a metric is one of the datasets asked for; of any, when none is."""
    named = [(name, digest) for name, digest in wanted if name]
    return not named or any(metric.dataset == name and digest in ("", metric.digest) for name, digest in named)


def _field(model: LoggedModel, place: str, name: str, measured: list[ModelMetric]) -> Any:
    if place == "metrics":
        return next((each.value for each in reversed(measured) if each.name == name), None)
    if place in ("params", "tags"):
        return (model.params if place == "params" else model.tags).get(name)
    fields = {
        "name": model.name, "model_id": model.id, "model_type": model.type, "status": STATUS[model.status],
        "source_run_id": model.run, "creation_timestamp": milliseconds(model.created_at),
        "creation_time": milliseconds(model.created_at),
        "last_updated_timestamp": milliseconds(model.updated_at),
    }  # fmt: skip
    if place or name not in fields:
        raise invalid(f"logged models have no {name!r}", expected=f"metrics, params, tags, {', '.join(fields)}")
    return fields[name]
