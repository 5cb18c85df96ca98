"""What a run read and made: datasets in, logged models in and out."""

import msgspec

from penstock.ledger import Reader, Run, Transaction, Version, node
from penstock.ledger.mlflow import DatasetInput, LoggedModel, ModelUse
from penstock.mlflow import runs
from penstock.mlflow.errors import invalid, missing
from penstock.mlflow.wire import Pair, Reply, tags_of

_SHORTEST = 8  # characters of a digest that name a version: fewer may be those of another


class Dataset(msgspec.Struct, frozen=True):
    """A dataset as the client's library describes it."""

    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class Input(msgspec.Struct, frozen=True):
    """A dataset, and what it was for."""

    dataset: Dataset = Dataset()
    tags: list[Pair] = []


class Model(msgspec.Struct, frozen=True):
    """A logged model, at a step of the run."""

    model_id: str = ""
    step: int = 0


class LogInputs(msgspec.Struct, frozen=True):
    """What a run read."""

    run_id: str = ""
    datasets: list[Input] = []
    models: list[Model] = []


class LogOutputs(msgspec.Struct, frozen=True):
    """What a run made."""

    run_id: str = ""
    models: list[Model] = []


def log_inputs(transaction: Transaction, ask: LogInputs) -> Reply:
    """Datasets and models that went into a run."""
    run = runs.writable(transaction, ask.run_id)
    for each in ask.datasets:
        _add(transaction, run, each)
        run = _link(transaction, run, each.dataset)
    _use(transaction, run, ask.models, "input")
    return {}


def log_outputs(transaction: Transaction, ask: LogOutputs) -> Reply:
    """Models that came out of a run."""
    _use(transaction, runs.writable(transaction, ask.run_id), ask.models, "output")
    return {}


def _add(transaction: Transaction, run: Run, each: Input) -> None:
    told = each.dataset
    if not told.name or not told.digest:
        raise invalid("a dataset needs a name and a digest")
    known = transaction.get(DatasetInput, run=run.id, name=told.name, digest=told.digest)
    tags = {**(known.tags if known else {}), **tags_of(each.tags)}
    transaction.put(
        DatasetInput(
            run.id, told.name, told.digest, told.source_type, told.source, told.schema, told.profile, tags
        )
    )  # fmt: skip


def _link(transaction: Transaction, run: Run, told: Dataset) -> Run:
    """Lineage, where the dataset is one of the project's: its name, and a digest that a version's begins with."""
    version = _version(transaction, told)
    if version is None:
        return run
    transaction.link(node("data", version.commit), node("run", run.id), version.dataset)
    data = {**run.data, version.dataset: version.commit}
    transaction.change(Run, {"id": run.id}, data=data)
    return run._replace(data=data)


def _version(reader: Reader, told: Dataset) -> Version | None:
    if len(told.digest) < _SHORTEST:
        return None
    known = reader.find(Version, dataset=told.name, order_by="-created_at")
    fits = (v for v in known if v.commit.startswith(told.digest) or v.content.startswith(told.digest))
    return next(fits, None)


def _use(transaction: Transaction, run: Run, models: list[Model], role: str) -> None:
    for each in models:
        if transaction.get(LoggedModel, id=each.model_id) is None:
            raise missing("logged model", each.model_id)
        transaction.put(ModelUse(run.id, each.model_id, role, each.step))
