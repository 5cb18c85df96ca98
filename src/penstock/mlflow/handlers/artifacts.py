"""What lies in a directory of a run or of a logged model."""

import msgspec

from penstock.ledger import Reader
from penstock.mlflow import runs
from penstock.mlflow.experiments import ROOT
from penstock.mlflow.experiments import of_run as number
from penstock.mlflow.handlers.logged_models import location, model_of
from penstock.mlflow.paths import Place, files, listed, safe_name
from penstock.mlflow.tracking import Tracking
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


def of_run(tracking: Tracking, ask: OfRun) -> Reply:
    """Files and directories of a run."""
    with tracking.ledger.read() as reader:
        run = runs.by_id(reader, ask.run_id or ask.run_uuid)
        root = f"{ROOT}/{number(reader, run)}/{run.id}/artifacts"
        return _listing(tracking, reader, Place("run", run.id, safe_name(ask.path)), root)


def of_model(tracking: Tracking, ask: OfModel) -> Reply:
    """Files and directories of a logged model."""
    with tracking.ledger.read() as reader:
        model = model_of(reader, ask.model_id)
        place = Place("model", model.id, safe_name(ask.artifact_directory_path))
        return _listing(tracking, reader, place, location(model))


def _listing(tracking: Tracking, reader: Reader, place: Place, root: str) -> Reply:
    entries = listed(files(reader, tracking.store, place), place.name)
    return {"root_uri": root, "files": [{"path": path, **entry} for path, entry in entries.items()]}
