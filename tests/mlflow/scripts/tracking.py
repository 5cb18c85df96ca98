"""What a script does that only tracks: experiments, runs, metrics, params, tags, artifacts, inputs, search."""

import math
import sys
import tempfile
from pathlib import Path

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS")


def names(text, **more):
    return [run.info.run_name for run in client.search_runs([experiment.experiment_id], text, **more)]


experiment = mlflow.set_experiment("prices")
with mlflow.start_run(run_name="first", tags={"team": "growth"}, description="the first one") as run:
    mlflow.log_param("depth", 6)
    mlflow.log_params({"rate": 0.1, "kind": "tree"})
    mlflow.log_metric("loss", 0.9, step=0)
    mlflow.log_metric("loss", 0.5, step=1)
    mlflow.log_metrics({"auc": 0.8, "odd": math.nan, "huge": math.inf})
    mlflow.set_tag("note", "as ever")
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_dict({"a": [1, 2]}, "config.json")
    frame = pd.DataFrame({"a": [1, 2, 3], "y": [0, 1, 0]})
    mlflow.log_input(mlflow.data.from_pandas(frame, name="frame", targets="y"), context="training")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "deep").mkdir()
        Path(directory, "deep", "big.bin").write_bytes(bytes(range(256)) * 20_000)
        Path(directory, "empty").touch()
        mlflow.log_artifacts(directory, "files")
    with mlflow.start_run(nested=True, run_name="child"):
        mlflow.log_metric("loss", 0.1)

identifier = run.info.run_id
client.log_batch(
    identifier,
    metrics=[Metric("batch", step / 10, 1_700_000_000_000 + step, step) for step in range(1000)],
    params=[Param("many", "1")],
    tags=[RunTag("late", "yes")],
)
found = client.get_run(identifier)
assert found.info.status == "FINISHED", found.info
assert found.info.run_name == "first"
assert found.data.params == {"depth": "6", "rate": "0.1", "kind": "tree", "many": "1"}, found.data.params
assert found.data.metrics["loss"] == 0.5
assert found.data.metrics["batch"] == 99.9
assert math.isnan(found.data.metrics["odd"])
assert found.data.metrics["huge"] > 1e300, found.data.metrics[
    "huge"
]  # some clients write infinity as the largest float
assert found.data.tags["note"] == "as ever"
assert found.data.tags["mlflow.note.content"] == "the first one"
assert [(m.step, m.value) for m in client.get_metric_history(identifier, "loss")] == [(0, 0.9), (1, 0.5)]
assert len(client.get_metric_history(identifier, "batch")) == 1000
(read,) = found.inputs.dataset_inputs
assert read.dataset.name == "frame"
assert read.tags[0].value == "training"

assert sorted(f.path for f in client.list_artifacts(identifier)) == ["config.json", "files", "notes"]
assert [(f.path, f.is_dir) for f in client.list_artifacts(identifier, "files")] == [
    ("files/deep", True),
    ("files/empty", False),
]
assert mlflow.artifacts.load_text(f"runs:/{identifier}/notes/hello.txt") == "hello"
local = mlflow.artifacts.download_artifacts(run_id=identifier, artifact_path="files")
assert Path(local, "deep", "big.bin").read_bytes() == bytes(range(256)) * 20_000
assert Path(local, "empty").read_bytes() == b""

assert names("") == ["child", "first"]
assert names("metrics.auc > 0.7 and params.kind = 'tree' and tags.team = 'growth'") == ["first"]
assert names("metrics.loss < 0.3") == ["child"]
assert names("attributes.run_name LIKE 'fi%'") == ["first"]
assert names(f"attributes.run_id IN ('{identifier}')") == ["first"]
assert names(f"tags.mlflow.parentRunId = '{identifier}'") == ["child"]
assert names("dataset.name = 'frame'") == ["first"]
assert names("params.`kind` != 'tree'") == []
assert names("", order_by=["metrics.loss ASC"]) == ["child", "first"]
assert names("", order_by=["metrics.auc DESC"]) == ["first", "child"]
assert names("", order_by=["metrics.nowhere DESC", "attributes.start_time ASC"]) == ["first", "child"]
table = mlflow.search_runs([experiment.experiment_id])
assert set(table["run_id"]) >= {identifier}
assert [e.name for e in client.search_experiments(filter_string="name = 'prices'")] == ["prices"]

client.delete_run(identifier)
assert names("") == ["child"]
assert names("", run_view_type=ViewType.DELETED_ONLY) == ["first"]
client.restore_run(identifier)
client.delete_tag(identifier, "note")
client.set_terminated(identifier, "FAILED")
assert client.get_run(identifier).info.status == "FAILED"
client.set_experiment_tag(experiment.experiment_id, "owner", "ada")
assert client.get_experiment(experiment.experiment_id).tags["owner"] == "ada"
client.rename_experiment(experiment.experiment_id, "costs")
assert client.get_experiment_by_name("costs").experiment_id == experiment.experiment_id
assert len(client.search_runs([experiment.experiment_id])) == 2
other = client.create_experiment("gone")
client.delete_experiment(other)
assert [e.name for e in client.search_experiments(view_type=ViewType.DELETED_ONLY)] == ["gone"]
client.restore_experiment(other)

for wrong in (
    lambda: client.log_param(identifier, "depth", 7),
    lambda: client.get_run("0" * 32),
    lambda: client.create_experiment("costs"),
    lambda: client.search_runs([experiment.experiment_id], "metrics.loss >"),
):
    try:
        wrong()
    except MlflowException as error:
        assert error.error_code in REFUSALS, error.error_code
    else:
        raise AssertionError("was not refused")
