import math

import pytest

from penstock.ledger import Comparison, Run, find_runs


def rows(client, text="", **more):
    asked = {"experiment_ids": ["0"], "filter": text, **more}
    return [run["info"]["run_name"] for run in client.post("runs/search", **asked)["runs"]]


def test_a_run_is_a_run_of_ours(client, opened):
    tags = [{"key": "mlflow.source.name", "value": "train.py"}, {"key": "mlflow.user", "value": "eve"}]
    run = client.start_run(run_name="first", start_time=1_700_000_000_000, tags=tags)
    client.post("runs/log-parameter", run_id=run, key="depth", value="6")
    client.post("runs/log-metric", run_id=run, key="auc", value=0.7, timestamp=1_700_000_000_500, step=3)
    client.post("runs/update", run_id=run, status="FINISHED", end_time=1_700_000_009_000)
    found = opened.train.show("1")
    assert (found.run.id, found.run.kind, found.run.status, found.run.name) == (run, "tracked", "finished", "first")
    assert (found.run.function, found.run.params) == ("train.py", {"depth": "6"})
    assert (found.run.finished_at - found.run.started_at).total_seconds() == 9
    assert [(p.name, p.value, p.number) for p in found.params] == [("depth", "6", 6.0)]
    assert [(m.name, m.value, m.step) for m in found.metrics] == [("auc", 0.7, 3)]


def test_numbers_that_json_cannot_hold_come_back(client):
    run = client.start_run()
    for name, value in (("odd", "NaN"), ("up", "Infinity"), ("down", "-Infinity")):
        client.post("runs/log-metric", run_id=run, key=name, value=value, timestamp=1, step=0)
    body = f'{{"run_id": "{run}", "key": "bare", "value": NaN, "timestamp": "1"}}'
    assert client.http.post("/mlflow/runs/log-metric", content=body).status_code == 200
    values = {m["key"]: m["value"] for m in client.get("runs/get", run_id=run)["run"]["data"]["metrics"]}
    assert values == {"odd": "NaN", "bare": "NaN", "up": "Infinity", "down": "-Infinity"}


def test_history_is_every_value_in_pages(client):
    run = client.start_run()
    batch = [{"key": "loss", "value": 1 / step, "timestamp": step, "step": step} for step in range(1, 251)]
    client.post("runs/log-batch", run_id=run, metrics=batch)
    whole = client.get("metrics/get-history", run_id=run, metric_key="loss")["metrics"]
    assert [m["step"] for m in whole] == list(range(1, 251))
    first = client.get("metrics/get-history", run_id=run, metric_key="loss", max_results=200)
    rest = client.get(
        "metrics/get-history", run_id=run, metric_key="loss", max_results=200, page_token=first["next_page_token"]
    )
    assert first["metrics"] + rest["metrics"] == whole
    assert rest["next_page_token"] == ""


def test_a_batch_is_written_whole_or_not_at_all(client):
    run = client.start_run()
    client.post("runs/log-parameter", run_id=run, key="depth", value="6")
    told = client.refusal(
        "POST", "runs/log-batch", run_id=run, metrics=[{"key": "auc", "value": 1, "timestamp": 1}],
        params=[{"key": "depth", "value": "7"}], tags=[{"key": "team", "value": "growth"}],
    )  # fmt: skip
    assert told == (400, "INVALID_PARAMETER_VALUE", "a parameter is logged once: 'depth' is '6' and not '7'")
    data = client.get("runs/get", run_id=run)["run"]["data"]
    assert (data["metrics"], [t["key"] for t in data["tags"]]) == ([], ["mlflow.runName"])


def test_a_parameter_may_be_said_again(client):
    run = client.start_run()
    for _ in range(2):
        client.post("runs/log-parameter", run_id=run, key="depth", value="6")


def test_a_name_is_a_tag_too(client):
    run = client.start_run(run_name="first")
    client.post("runs/set-tag", run_id=run, key="mlflow.runName", value="second")
    assert rows(client) == ["second"]
    client.post("runs/update", run_id=run, run_name="third")
    found = client.get("runs/get", run_id=run)["run"]
    assert found["info"]["run_name"] == "third"
    assert {"key": "mlflow.runName", "value": "third"} in found["data"]["tags"]


def test_a_run_without_a_name_has_that_of_its_number(client):
    client.start_run()
    assert rows(client) == ["run-1"]


def test_deleted_runs_are_hidden_and_come_back(client, opened):
    run = client.start_run(run_name="first")
    client.post("runs/delete", run_id=run)
    assert rows(client) == []
    assert rows(client, run_view_type="DELETED_ONLY") == ["first"]
    assert client.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    assert client.refusal("POST", "runs/log-metric", run_id=run, key="a", value=1, timestamp=1)[1] == (
        "INVALID_PARAMETER_VALUE"
    )
    client.post("runs/restore", run_id=run)
    assert rows(client) == ["first"]
    assert [run.name for run in opened.train.runs()] == ["first"]


@pytest.fixture
def three(client):
    """Runs a, b and c, started in that order: c has no auc, b's is no number."""
    for at, (name, auc) in enumerate((("a", 0.6), ("b", "NaN"), ("c", None), ("d", 0.9)), start=1):
        run = client.start_run(run_name=name, start_time=at * 1000)
        if auc is not None:
            client.post("runs/log-metric", run_id=run, key="auc", value=auc, timestamp=1)
        client.post("runs/log-parameter", run_id=run, key="depth", value=str(at % 2))
    return client


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([], "dcba"),
        (["start_time ASC"], "abcd"),
        (["metrics.auc DESC"], "dacb"),
        (["metrics.auc ASC"], "adcb"),
        (["params.depth ASC", "metrics.auc DESC"], "dbac"),
        (["params.depth DESC", "attributes.start_time ASC"], "acbd"),
        (["metrics.nowhere DESC", "metrics.auc ASC"], "adcb"),
        (["run_name DESC"], "dcba"),
    ],
)  # fmt: skip
def test_runs_are_sorted_and_those_without_a_value_come_last(three, order, expected):
    assert "".join(rows(three, order_by=order)) == expected


@pytest.mark.parametrize("order", [[], ["metrics.auc DESC"], ["params.depth ASC", "metrics.auc ASC"]])
def test_pages_are_the_whole_cut_in_pieces(three, order):
    whole, token, pieces = rows(three, order_by=order), "", []
    while True:
        page = three.post("runs/search", experiment_ids=["0"], order_by=order, max_results=1, page_token=token)
        pieces += [run["info"]["run_name"] for run in page["runs"]]
        if not (token := page["next_page_token"]):
            break
    assert pieces == whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.auc > 0.5", "da"),
        ("metrics.auc != 0.6", "d"),
        ("metrics.auc IS NULL", "c"),
        ("params.depth = '1' AND status = 'RUNNING'", "ca"),
        ("params.depth IS NOT NULL and run_name ILIKE 'A'", "a"),
        ("attributes.start_time >= 3000", "dc"),
        ("tags.`mlflow.runName` LIKE '%b%'", "b"),
        ("status != 'RUNNING'", ""),
    ],
)
def test_filters(three, text, expected):
    assert "".join(rows(three, text)) == expected


def test_an_experiment_is_what_runs_of_ours_carry(client, opened):
    number = client.post("experiments/create", name="prices")["experiment_id"]
    client.start_run(number, run_name="first")
    with opened._workspace.ledger.read() as reader:
        assert [run.name for run in find_runs(reader, Comparison("", "experiment", "=", "prices"))] == ["first"]
    client.post("experiments/update", experiment_id=number, new_name="costs")
    assert client.get("experiments/get-by-name", experiment_name="costs")["experiment"]["experiment_id"] == number
    assert [run.experiment for run in opened.train.runs()] == ["costs"]


def test_an_experiment_that_only_our_runs_carry_gets_a_number(client, opened):
    run = client.start_run()
    with opened._workspace.ledger.write() as transaction:
        transaction.change(Run, {"id": run}, experiment="search 7")
    assert client.refusal("GET", "experiments/get-by-name", experiment_name="elsewhere")[0] == 404
    found = client.get("experiments/search")["experiments"]
    assert [each["name"] for each in found] == ["search 7", "Default"]
    assert client.get("runs/get", run_id=run)["run"]["info"]["experiment_id"] == found[0]["experiment_id"]


@pytest.mark.parametrize(
    ("method", "path", "asked", "code"),
    [
        ("POST", "runs/create", {"experiment_id": "9"}, "RESOURCE_DOES_NOT_EXIST"),
        ("POST", "runs/create", {"start_time": 1e30}, "INVALID_PARAMETER_VALUE"),
        ("POST", "runs/create", {"start_time": 10**18}, "INVALID_PARAMETER_VALUE"),
        ("GET", "runs/get", {"run_id": "nowhere"}, "RESOURCE_DOES_NOT_EXIST"),
        ("POST", "runs/search", {"experiment_ids": ["0"], "filter": "metrics.a ~ 1"}, "INVALID_PARAMETER_VALUE"),
        ("POST", "runs/search", {"experiment_ids": ["0"], "filter": "duration > 1"}, "INVALID_PARAMETER_VALUE"),
        ("POST", "runs/search", {"experiment_ids": ["0"], "page_token": "x"}, "INVALID_PARAMETER_VALUE"),
        ("POST", "runs/search", {"experiment_ids": "0"}, "INVALID_PARAMETER_VALUE"),
        ("POST", "experiments/create", {"name": "Default"}, "RESOURCE_ALREADY_EXISTS"),
        ("POST", "experiments/create", {"name": "x", "artifact_location": "s3://b"}, "INVALID_PARAMETER_VALUE"),
        ("POST", "experiments/delete", {"experiment_id": "0"}, "INVALID_PARAMETER_VALUE"),
        ("POST", "traces", {}, "ENDPOINT_NOT_FOUND"),
        ("GET", "logged-models/m-1", {}, "RESOURCE_DOES_NOT_EXIST"),
    ],
)  # fmt: skip
def test_refusals_are_mlflow_s_own(client, method, path, asked, code):
    status, told, message = client.refusal(method, path, **asked)
    assert told == code
    assert status in (400, 404)
    assert message


def test_bodies_that_are_no_request(client):
    for body in (b"{", b"[1]", b"\xff", b"[" * 100_000):
        answer = client.http.post("/mlflow/runs/create", content=body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_value_that_is_sent_again_is_one(client):
    run = client.start_run()
    values = [{"key": "loss", "value": value, "timestamp": 1, "step": step} for step, value in enumerate((3, "NaN", 1))]
    for sent in (values, values[:2], [values[1], values[1]], [{**values[0], "timestamp": 2}]):
        client.post("runs/log-batch", run_id=run, metrics=sent)
    history = client.get("metrics/get-history", run_id=run, metric_key="loss")["metrics"]
    assert [(m["step"], m["value"], m["timestamp"]) for m in history] == [
        (0, 3, 1),
        (1, "NaN", 1),
        (2, 1, 1),
        (0, 3, 2),
    ]


def test_values_are_summed_up(client, opened):
    run = client.start_run()
    for step, value in enumerate((3.0, 1.0, math.pi)):
        client.post("runs/log-metric", run_id=run, key="loss", value=value, timestamp=1, step=step)
    (metric,) = opened.train.show(run).metrics
    assert (metric.value, metric.low, metric.high, metric.n) == (math.pi, 1.0, math.pi, 3)
