"""The registry as clients see it, and the gates that they cannot pass."""

import pytest

from penstock.ledger import Deployment, ModelVersion, Transition, trace
from penstock.mlflow import registry


@pytest.fixture
def root(project):
    """A project with a candidate that passed its gates, under an objective that nobody has signed."""
    return project._workspace.project.root


def register(client, name="parcels", source="model"):
    run = client.start_run()
    client.put(f"0/{run}/artifacts/model/MLmodel", b"flavors: {}")
    return client.post("model-versions/create", name=name, source=f"runs:/{run}/{source}", run_id=run)["model_version"]


def stage(client, number, name):
    return ("POST", "model-versions/transition-stage", {"name": "parcels", "version": number, "stage": name})


def test_a_version_of_ours_is_one_of_theirs(client):
    (model,) = client.get("registered-models/search")["registered_models"]
    (version,) = model["latest_versions"]
    assert (version["name"], version["version"], version["current_stage"]) == ("parcels", "1", "None")
    run = client.get("runs/get", run_id=version["run_id"])["run"]
    assert run["info"]["status"] == "FINISHED"
    where = client.get("model-versions/get-download-uri", name="parcels", version="1")["artifact_uri"]
    path = where.removeprefix("mlflow-artifacts:/")
    files = client.http.get("/mlflow-artifacts/artifacts", params={"path": path}).json()["files"]
    assert "model.skops" in {each["path"] for each in files}
    assert client.http.get(f"/mlflow-artifacts/artifacts/{path}/model.skops").status_code == 200
    assert client.put(f"{path}/model.skops", b"evil").status_code == 400


def test_what_a_training_recorded_stands(client):
    run = client.get("model-versions/get", name="parcels", version="1")["model_version"]["run_id"]
    for path, asked in (
        ("log-metric", {"key": "roc_auc", "value": 1, "timestamp": 1}),
        ("update", {"status": "FAILED"}),
    ):
        status, code, message = client.refusal("POST", f"runs/{path}", run_id=run, **asked)
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
        assert "whose record stands" in message
    assert client.put(f"0/{run}/artifacts/recipe.json", b"{}").status_code == 400
    client.post("runs/set-tag", run_id=run, key="seen", value="yes")


def test_production_is_entered_through_our_gates_or_not_at_all(client, project):
    for method, path, asked in (
        stage(client, "1", "Production"),
        ("POST", "registered-models/alias", {"name": "parcels", "alias": "champion", "version": "1"}),
        ("POST", "registered-models/alias", {"name": "parcels", "alias": "Production", "version": "1"}),
    ):
        status, code, message = client.refusal(method, path, **asked)
        assert (status, code) == (403, "PERMISSION_DENIED")
        assert "lacks: a signature under the objective" in message
    assert [model.state for model in project.deliver.models()] == ["candidate"]
    project.objective.sign(role="owner")
    moved = client.post("registered-models/alias", name="parcels", alias="champion", version="1")
    assert moved == {}
    assert client.get("registered-models/alias", name="parcels", alias="production")["model_version"]["version"] == "1"
    assert client.get("registered-models/get", name="parcels")["registered_model"]["aliases"] == [
        {"alias": "champion", "version": "1"}
    ]
    (deployed,) = project.deliver.deployments()
    assert (deployed.number, deployed.actor) == (1, "ada")
    assert "MLflow" in deployed.reason


def test_what_answers_users_is_not_taken_away(client, project):
    project.objective.sign(role="owner")
    client.send(*stage(client, "1", "Production")[:2], **stage(client, "1", "Production")[2])
    for method, path, asked in (
        stage(client, "1", "Archived"),
        stage(client, "1", "None"),
        ("DELETE", "model-versions/delete", {"name": "parcels", "version": "1"}),
        ("DELETE", "registered-models/delete", {"name": "parcels"}),
        ("DELETE", "registered-models/alias", {"name": "parcels", "alias": "champion"}),
    ):
        assert client.refusal(method, path, **asked)[:2] == (403, "PERMISSION_DENIED")
    assert [model.state for model in project.deliver.models()] == ["production"]


def test_a_client_s_model_is_a_candidate_that_nothing_has_judged(client, project):
    version = register(client)
    assert (version["version"], version["current_stage"]) == ("2", "None")
    newest = project.deliver.models()[0]
    assert (newest.number, newest.state, newest.evaluation) == (2, "candidate", None)
    project.objective.sign(role="owner")
    for name in ("Staging", "Production"):
        status, code, message = client.refusal(*stage(client, "2", name)[:2], **stage(client, "2", name)[2])
        assert (status, code) == (403, "PERMISSION_DENIED")
        assert "lacks: an evaluation" in message
    with project._workspace.ledger.read() as reader:
        assert reader.count(Deployment) == 0
        assert f"run:{version['run_id']}" in trace(reader, "model:parcels@2", down=False).nodes


def test_a_version_is_what_its_files_were(client):
    version = register(client)
    client.put(f"0/{version['run_id']}/artifacts/model/MLmodel", b"changed since")
    where = client.get("model-versions/get-download-uri", name="parcels", version="2")["artifact_uri"]
    path = where.removeprefix("mlflow-artifacts:/")
    assert client.http.get(f"/mlflow-artifacts/artifacts/{path}/MLmodel").content == b"flavors: {}"


@pytest.mark.parametrize(
    "source",
    ["s3://bucket/model", "/etc/passwd", "file:///etc", "runs:/nowhere/model", "models:/m-none", "", "models:/x/1"],
)
def test_sources_that_are_not_in_our_store(client, source):
    status, _, message = client.refusal("POST", "model-versions/create", name="parcels", source=source)
    assert status in (400, 404)
    assert message


def test_a_blob_that_is_no_bundle_is_not_shown(client, project):
    digest = project._workspace.store.put_json({"files": {}})
    answer = client.http.get(f"/mlflow-artifacts/artifacts/bundles/{digest}/x")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_deleted_versions_stay_in_the_registry(client, project):
    register(client)
    client.send("DELETE", "model-versions/delete", name="parcels", version="2")
    assert client.refusal("GET", "model-versions/get", name="parcels", version="2")[0] == 404
    assert [(m.number, m.state) for m in project.deliver.models()] == [(2, "archived"), (1, "candidate")]
    assert register(client)["version"] == "3"
    with project._workspace.ledger.read() as reader:
        assert [t.after for t in reader.find(Transition, number=2, order_by="at")] == ["candidate", "archived"]


def test_every_state_has_a_stage():
    from penstock.deliver.registry import STATES

    assert tuple(registry.STAGES) == STATES
    assert {registry.STATES[theirs.lower()] for theirs in registry.STAGES.values()} == set(STATES)


def test_aliases_of_other_models_are_words(client, project):
    client.post("registered-models/create", name="spam")
    assert register(client, "spam")["version"] == "1"
    client.post("registered-models/alias", name="spam", alias="champion", version="1")
    found = client.get("registered-models/alias", name="spam", alias="champion")["model_version"]
    assert (found["version"], found["aliases"], found["current_stage"]) == ("1", ["champion"], "None")
    status, code, message = client.refusal(
        "POST", "model-versions/transition-stage", name="spam", version="1", stage="Production"
    )
    assert (status, code) == (403, "PERMISSION_DENIED")
    assert "they judge 'parcels' here" in message
    with project._workspace.ledger.read() as reader:
        assert reader.get(ModelVersion, model="spam").state == "candidate"
