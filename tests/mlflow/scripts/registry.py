"""What a script does that registers: log_model, register, alias, tags, stages, load_model, search."""

import sys

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
X = np.random.default_rng(1).normal(size=(60, 3))
y = (X[:, 0] > 0).astype(int)
model = LogisticRegression().fit(X, y)

mlflow.set_experiment("models")
with mlflow.start_run() as run:
    logged = mlflow.sklearn.log_model(
        model, "model", signature=infer_signature(X, y), registered_model_name="spam", pip_requirements=["scikit-learn"]
    )
version = mlflow.register_model(logged.model_uri, "spam", tags={"from": "script"})
assert version.version in (2, "2"), version
assert version.run_id == run.info.run_id

client.set_registered_model_alias("spam", "best", 2)
client.set_registered_model_alias("spam", "champion", 1)  # not the project's own model: a word
client.set_model_version_tag("spam", "2", "seen", "yes")
client.set_registered_model_tag("spam", "team", "mail")
client.update_registered_model("spam", description="is it spam?")
client.update_model_version("spam", "2", description="the second")
found = client.get_model_version_by_alias("spam", "best")
assert (int(found.version), found.description, found.current_stage) == (2, "the second", "None")
assert found.tags == {"from": "script", "seen": "yes"}
assert client.get_registered_model("spam").aliases == {"best": "2", "champion": "1"}
assert client.get_registered_model("spam").description == "is it spam?"

for uri in ("models:/spam/1", "models:/spam@best", logged.model_uri):
    assert (mlflow.sklearn.load_model(uri).predict(X) == model.predict(X)).all()
assert (mlflow.pyfunc.load_model("models:/spam@best").predict(X) == model.predict(X)).all()
assert mlflow.models.get_model_info("models:/spam/2").signature is not None

assert [int(v.version) for v in client.search_model_versions("name = 'spam'")] == [2, 1]
assert [int(v.version) for v in client.search_model_versions(f"run_id = '{run.info.run_id}'")] == [2, 1]
assert [m.name for m in client.search_registered_models("name LIKE 'sp%'")] == ["spam"]
assert "spam" in [m.name for m in client.search_registered_models()]

for stage in ("Production", "Staging"):
    try:
        client.transition_model_version_stage("spam", "1", stage)
    except MlflowException as error:
        assert error.error_code == "PERMISSION_DENIED", error
        assert "gates" in str(error)
    else:
        raise AssertionError("was not refused")
client.transition_model_version_stage("spam", "1", "Archived")
assert client.get_model_version("spam", "1").current_stage == "Archived"
client.transition_model_version_stage("spam", "1", "None")

client.delete_registered_model_alias("spam", "champion")
client.delete_registered_model_tag("spam", "team")
client.delete_model_version_tag("spam", "2", "seen")
client.delete_model_version("spam", "1")
assert [int(v.version) for v in client.search_model_versions("name = 'spam'")] == [2]
client.create_registered_model("empty")
client.rename_registered_model("empty", "hollow")
client.delete_registered_model("hollow")
assert [m.name for m in client.search_registered_models("name = 'hollow'")] == []
