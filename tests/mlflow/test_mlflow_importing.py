"""An import from a server that speaks the protocol: here one of ours; test_mlflow_clients has MLflow's own."""

import pytest
import toy

from penstock import Project
from penstock.errors import PenstockError, UsageError
from penstock.ledger import ModelVersion
from penstock.ledger.mlflow import VersionNote


@pytest.fixture
def other(tmp_path):
    """Another project, into which things are brought."""
    return Project.open(toy.make_project(tmp_path / "other", rows=1), actor="eve")


def log(client, experiment="0"):
    run = client.start_run(experiment, run_name="first", start_time=1_000)
    values = [{"key": "loss", "value": value, "timestamp": 1, "step": step} for step, value in enumerate((3, "NaN", 1))]
    client.post("runs/log-batch", run_id=run, metrics=values, params=[{"key": "depth", "value": "6"}])
    client.put(f"0/{run}/artifacts/model/MLmodel", b"flavors: {}")
    client.post("runs/update", run_id=run, status="FINISHED", end_time=5_000)
    return run


def test_runs_and_models_come_once(client, other):
    number = client.post("experiments/create", name="prices")["experiment_id"]
    run, going = log(client, experiment=number), client.start_run(number)
    client.post("registered-models/create", name="spam", description="is it?")
    client.post("model-versions/create", name="spam", source=f"runs:/{run}/model", run_id=run)
    client.post("registered-models/alias", name="spam", alias="best", version="1")
    brought = other.train.mlflow.bring(client.url)
    assert (brought.runs, brought.files, brought.versions, brought.known, brought.running) == (1, 1, 1, 0, 1)
    found = other.train.show(run)
    assert (found.run.name, found.run.experiment, found.run.status, found.run.kind) == (
        "first", "prices", "finished", "tracked"
    )  # fmt: skip
    assert (found.run.finished_at - found.run.started_at).total_seconds() == 4
    assert [(m.name, m.value, m.low, m.n) for m in found.metrics] == [("loss", 1, 1, 3)]
    assert [(p.name, p.value) for p in found.params] == [("depth", "6")]
    assert other._workspace.store.read_bytes(found.artifacts[0].digest) == b"flavors: {}"
    client.post("runs/update", run_id=going, status="FAILED")
    again = other.train.mlflow.bring(client.url)
    assert (again.runs, again.versions, again.known, again.running) == (1, 0, 2, 0)
    with other._workspace.ledger.read() as reader:
        (version,) = reader.find(ModelVersion, model="spam")
        (note,) = reader.find(VersionNote, model="spam")
    assert (version.state, version.run, note.tags["penstock.imported"]) == ("candidate", run, f"{client.url}#spam@1")
    assert other.data.verify() == ()


def test_what_is_no_server(client, other):
    for uri in ("sqlite:///mlflow.db", "mlruns"):
        with pytest.raises(UsageError, match="not the address of an MLflow server"):
            other.train.mlflow.bring(uri)
    with pytest.raises(PenstockError, match="does not answer"):
        other.train.mlflow.bring("http://127.0.0.1:1")
    with pytest.raises(PenstockError, match="the server answered 404"):
        other.train.mlflow.bring(f"{client.url}/elsewhere")
