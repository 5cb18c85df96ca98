import json
from datetime import timedelta
from http.client import HTTPConnection

import pytest

from penstock.pipeline import roots


def names(client, path):
    answer = client.http.get("/mlflow-artifacts/artifacts", params={"path": path})
    assert answer.status_code == 200, answer.text
    return [(each["path"], each.get("file_size")) for each in answer.json()["files"]]


def test_files_of_a_run_come_and_go(client, opened):
    run = client.start_run()
    whole = bytes(range(256)) * 10_000
    assert client.put(f"0/{run}/artifacts/plots/roc.png", whole).status_code == 200
    assert client.put(f"0/{run}/artifacts/empty", b"").status_code == 200
    assert client.put(f"0/{run}/artifacts/a%20b%3F", b"x").status_code == 200
    assert names(client, f"0/{run}/artifacts") == [("a b?", 1), ("empty", 0), ("plots", None)]
    assert names(client, f"0/{run}/artifacts/plots") == [("roc.png", len(whole))]
    assert client.http.get(f"/mlflow-artifacts/artifacts/0/{run}/artifacts/plots/roc.png").content == whole
    listed = client.get("artifacts/list", run_id=run, path="plots")
    assert listed["files"] == [{"path": "plots/roc.png", "is_dir": False, "file_size": len(whole)}]
    assert {a.name for a in opened.train.show(run).artifacts} == {"plots/roc.png", "empty", "a b?"}
    assert client.put(f"0/{run}/artifacts/empty", b"not any more").status_code == 200
    assert client.http.delete(f"/mlflow-artifacts/artifacts/0/{run}/artifacts/plots").status_code == 200
    assert names(client, f"0/{run}/artifacts") == [("a b?", 1), ("empty", 12)]


@pytest.mark.parametrize(
    "name", ["../evil", "a/../b", "a/./b", "a//b", "..%2Fevil", "a%5C..%5Cb", "nul%00", "line%0A", "x" * 1100, ""]
)
def test_names_that_could_leave_their_directory_are_refused(client, name):
    run = client.start_run()
    address = client.url.removeprefix("http://")
    connection = HTTPConnection(address, timeout=30)  # httpx would tidy the path up
    connection.request("PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/{name}", b"x")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    connection.close()
    assert names(client, f"0/{run}/artifacts") == []


def test_what_is_not_there(client):
    run = client.start_run()
    for path in (f"0/{run}/artifacts/none", "0/nowhere/artifacts/a", "a", "0/models/m-1/artifacts/a"):
        answer = client.http.get(f"/mlflow-artifacts/artifacts/{path}")
        assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert client.put("0/nowhere/artifacts/a", b"x").status_code == 404
    assert client.http.post("/mlflow-artifacts/mpu/create/x", json={}).json()["error_code"] == "NOT_IMPLEMENTED"


def test_a_file_is_kept_by_the_garbage_collection_and_verified(client, opened):
    run = client.start_run()
    model = client.post("logged-models", experiment_id="0", source_run_id=run)["model"]["info"]["model_id"]
    client.put(f"0/{run}/artifacts/a", b"of the run")
    client.put(f"0/models/{model}/artifacts/MLmodel", b"of the model")
    work = opened._workspace
    with work.ledger.read() as reader:
        swept = work.store.collect_garbage(roots(reader, work.project), grace=timedelta(seconds=-1))
    assert (swept.removed, opened.data.verify()) == (0, ())
    assert client.http.get(f"/mlflow-artifacts/artifacts/0/models/{model}/artifacts/MLmodel").content == b"of the model"


def test_a_damaged_file_is_not_handed_out(client, opened):
    run = client.start_run()
    client.put(f"0/{run}/artifacts/a", b"whole")
    (file,) = opened.train.show(run).artifacts
    path = opened._workspace.store.blobs.location(file.digest)
    path.chmod(0o644)
    path.write_bytes(b"other")
    answer = client.http.get(f"/mlflow-artifacts/artifacts/0/{run}/artifacts/a")
    assert (answer.status_code, answer.json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert "damaged" in answer.json()["message"]


def test_pages_of_the_web_may_not_ask(client):
    for headers in ({"Origin": "https://elsewhere.example"}, {"Host": "elsewhere.example"}):
        answer = client.http.get("/mlflow/experiments/search", headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
    port = client.url.rpartition(":")[2]
    assert client.http.get("/mlflow/experiments/search", headers={"Host": f"localhost:{port}"}).status_code == 200


def test_a_body_that_is_too_large_is_refused(client):
    answer = client.http.post("/mlflow/runs/log-batch", content=b" " * (33 << 20))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
