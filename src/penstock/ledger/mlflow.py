"""What the MLflow protocol knows and the ledger's own records do not say: a second door, for that protocol alone.

Runs, params, metrics, tags, artifacts and model versions are the ledger's own records. Here is what MLflow keeps
besides: experiments by number, inputs by digest, logged models with their files, and words about model versions.
"""

from datetime import datetime
from typing import NamedTuple

from penstock.ledger.records import Json
from penstock.ledger.tables import RUN, Parent, Table


class Experiment(NamedTuple):
    """A number for the name that runs carry in `Run.experiment`; number 0, "Default", is that of runs without one."""

    id: str
    name: str
    state: str  # active | deleted
    tags: Json
    created_at: datetime
    updated_at: datetime


class DatasetInput(NamedTuple):
    """A dataset that a run says it read, by a digest that the run's own library made."""

    run: str
    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str
    tags: Json  # {"mlflow.data.context": "train"}


class LoggedModel(NamedTuple):
    """A model that was logged; its files are `ModelFile`s."""

    id: str  # m-7a…
    experiment: str  # its number
    name: str
    status: str  # pending | ready | failed
    type: str
    run: str  # "" when it came from none
    params: Json
    tags: Json
    state: str  # active | deleted
    created_at: datetime
    updated_at: datetime


class ModelFile(NamedTuple):
    """A file of a logged model, kept as a blob."""

    model: str
    name: str
    digest: str
    bytes: int


class ModelMetric(NamedTuple):
    """The newest value of a metric that a run measured of a logged model, on a dataset or ("") on none."""

    model: str
    run: str
    name: str
    dataset: str
    digest: str
    value: float
    step: int
    at: datetime


class ModelUse(NamedTuple):
    """A run made a logged model, or read it."""

    run: str
    model: str
    role: str  # output | input
    step: int


class RegisteredModel(NamedTuple):
    """Words about a model as a whole."""

    name: str
    description: str
    tags: Json
    created_at: datetime
    updated_at: datetime


class Alias(NamedTuple):
    """A name for a version of a model, which may be moved."""

    model: str
    name: str
    number: int


class VersionNote(NamedTuple):
    """Words about a model version, and where it came from."""

    model: str
    number: int
    source: str  # models:/m-7a…, runs:/2f…/model
    logged: str  # id of the logged model, or ""
    description: str
    run_link: str
    tags: Json
    state: str  # active | deleted
    updated_at: datetime


_LOGGED = Parent(("model",), "mlflow_models", ("id",))
_VERSION = Parent(("model", "number"), "model_versions", ("model", "number"))

TABLES = (
    Table(Experiment, "mlflow_experiments", ("id",), unique=(("name",),)),
    Table(DatasetInput, "mlflow_inputs", ("run", "name", "digest"), indexes=(("name",), ("digest",)), parents=(RUN,)),
    Table(LoggedModel, "mlflow_models", ("id",), indexes=(("experiment", "created_at"), ("run",))),
    Table(ModelFile, "mlflow_model_files", ("model", "name"), parents=(_LOGGED,)),
    Table(ModelMetric, "mlflow_model_metrics", ("model", "run", "name", "dataset", "digest"), parents=(_LOGGED,)),
    Table(ModelUse, "mlflow_model_uses", ("run", "model", "role"), indexes=(("model",),), parents=(RUN,)),
    Table(RegisteredModel, "mlflow_registered_models", ("name",)),
    Table(Alias, "mlflow_aliases", ("model", "name"), indexes=(("model", "number"),), parents=(_VERSION,)),
    Table(VersionNote, "mlflow_version_notes", ("model", "number"), indexes=(("logged",),), parents=(_VERSION,)),
)
