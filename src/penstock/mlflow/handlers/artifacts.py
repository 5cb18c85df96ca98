"""What lies in a directory of a run or of a logged model."""

import msgspec

from penstock.ledger import Reader
from penstock.mlflow import runs
from penstock.mlflow.experiments import ROOT
from penstock.mlflow.experiments import of_run as number
from penstock.mlflow.handlers.logged_models import location, model_of
from penstock.mlflow.paths import Place, files, listed, safe_name
from penstock.mlflow.wire import Reply


class OfRun(msgspec.Struct, frozen=True):
    """A directory of a run."""

    run_id: str = ""
    run_uuid: str = ""
    path: str = ""


class OfModel(msgspec.Struct, frozen=True):
    """A directory of a logged model."""

    model_id: str = ""
    artifact_directory_path: str = ""


def of_run(reader: Reader, ask: OfRun) -> Reply:
    """Files and directories of a run."""
    run = runs.by_id(reader, ask.run_id or ask.run_uuid)
    return _listing(
        reader, Place("run", run.id, safe_name(ask.path)), f"{ROOT}/{number(reader, run)}/{run.id}/artifacts"
    )


def of_model(reader: Reader, ask: OfModel) -> Reply:
    """Files and directories of a logged model."""
    model = model_of(reader, ask.model_id)
    return _listing(reader, Place("model", model.id, safe_name(ask.artifact_directory_path)), location(model))


def _listing(reader: Reader, place: Place, root: str) -> Reply:
    entries = listed(files(reader, place), place.name)
    return {"root_uri": root, "files": [{"path": path, **entry} for path, entry in entries.items()]}
