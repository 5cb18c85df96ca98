"""Every path of the application, in one process and without a socket."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.deliver.serving_state import EndpointState, ServeDirectory, ServedModel, deploy
from penstock.serve import FeedbackRecord, PredictionRecord, read_segments
from penstock.serve.app import App
from penstock.serve.limits import Limits
from penstock.serve.log import SegmentLog
from penstock.serve.metrics import Metrics
from penstock.serve.router import Router

NAMES = ("yes", "fragile", "regression", "multiclass", "stored")


@dataclass(frozen=True)
class Client:
    """Asks the application."""

    app: App
    root: Path

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return await client.request(method, path, **options)

        return asyncio.run(once())

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.ask("POST", path, json=body)

    def logged(self, kind: Any = "predictions") -> list[Any]:
        return [record for read in read_segments(self.root / "log", kind) for record in read.records]


@contextmanager
def serving(root: Path, limits: Limits | None = None, *, log: Path | None = None) -> Iterator[Client]:
    folder = log or ServeDirectory(root).log
    predictions, feedback = SegmentLog(folder, "predictions"), SegmentLog(folder, "feedback")
    metrics = Metrics(predictions, feedback)
    router = Router(root, lambda table: metrics.applied(table.endpoints))
    app = App(lambda: router.table, predictions, feedback, metrics, limits or Limits(max_rows=200, max_body=100_000))
    router.start()
    try:
        yield Client(app, root)
    finally:
        router.stop()
        app.close()


@pytest.fixture(scope="module")
def client(foundry: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """An application with an endpoint for each kind of bundle."""
    root = tmp_path_factory.mktemp("serve")
    for name in NAMES:
        foundry.deploy(root, name, 3, endpoint=name)
    with serving(root) as client:
        while not client.get("/ready").is_success:
            pass
        yield client


def problems(reply: httpx.Response) -> list[tuple[int, str]]:
    return [(problem["row"], problem["field"]) for problem in reply.json()["error"]["problems"]]


def test_a_prediction_is_answered_and_on_record(client: Client, row: dict[str, Any]) -> None:
    reply = client.post("/predict/yes", row).json()

    assert (reply["model"], reply["generation"], reply["role"]) == ("delay@1", 3, "champion")
    (prediction,) = reply["predictions"]
    assert prediction["label"] is True
    (record,) = [record for record in client.logged() if record.id == prediction["id"]]
    assert isinstance(record, PredictionRecord)
    assert record.request == row
    assert record.vector == {"carrier": "UA", "distance": 2400, "hour": 10}
    assert (record.score, record.label, record.key) == (prediction["score"], True, "F7")
    assert (record.endpoint, record.model, record.generation) == ("yes", "delay@1", 3)
    assert record.latency_us > 0


def test_rows_are_answered_in_order(client: Client, row: dict[str, Any]) -> None:
    distances = [2900, 200, 2800, 300]
    reply = client.post("/predict/yes", {"rows": [{**row, "distance": distance} for distance in distances]})
    assert [one["label"] for one in reply.json()["predictions"]] == [True, False, True, False]


def test_many_rows_are_answered_in_a_thread(client: Client, row: dict[str, Any]) -> None:
    before = len(client.logged())
    reply = client.post("/predict/yes", {"rows": [row] * 150}).json()
    identifiers = {one["id"] for one in reply["predictions"]}
    assert len(identifiers) == 150
    assert identifiers == {record.id for record in client.logged()[before:]}


def test_each_task_answers_in_its_form(client: Client, row: dict[str, Any]) -> None:
    (value,) = client.post("/predict/regression", row).json()["predictions"]
    assert value.keys() == {"id", "value"}
    assert value["value"] == pytest.approx(240, rel=0.05)

    (judged,) = client.post("/predict/multiclass", row).json()["predictions"]
    assert judged["label"] == "long"
    assert judged["probabilities"].keys() == {"long", "none", "short"}
    assert sum(judged["probabilities"].values()) == pytest.approx(1)
    assert judged["score"] == judged["probabilities"]["long"]


def test_a_stored_view_is_looked_up_as_of_the_request(client: Client, row: dict[str, Any], foundry: Any) -> None:
    reply = client.post("/predict/stored", row).json()
    (record,) = [record for record in client.logged() if record.id == reply["predictions"][0]["id"]]
    # Scheduled 10:30, known one hour later: the row of 09:00.
    looked_up = foundry.weather.filter(origin="JFK", hour=datetime(2013, 1, 3, 9))
    assert record.vector["wind"] == looked_up["wind"].item()


def test_one_bad_row_refuses_the_request_and_names_every_bad_field(client: Client, row: dict[str, Any]) -> None:
    before = len(client.logged())
    rows = [row, {**row, "distance": "far", "extra": 1}, {"flight": "F8"}]

    reply = client.post("/predict/yes", {"rows": rows})

    assert reply.status_code == 422
    assert set(problems(reply)) == {
        *((1, "distance"), (1, "extra")),
        *((2, "scheduled"), (2, "origin"), (2, "distance")),
    }
    assert len(client.logged()) == before


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/predict/yes", b"{", 400),
        ("/predict/yes", b"[]", 422),
        ("/predict/yes", b'{"rows": []}', 422),
        ("/predict/yes", b'{"rows": [' + b"{}," * 200 + b"{}]}", 413),
        ("/predict/yes", b" " * 100_001, 413),
        ("/predict/yess", b"{}", 404),
        ("/predict/", b"{}", 404),
        ("/predict/yes/more", b"{}", 404),
        ("/feedback/yess", b"{}", 404),
        ("/feedback/yes", b"{", 400),
        ("/feedback/yes", b" " * 100_001, 413),
        ("/elsewhere", b"{}", 404),
        ("/health", b"{}", 405),
    ],
)
def test_refusals_say_what_is_wrong(client: Client, path: str, body: bytes, status: int) -> None:
    reply = client.ask("POST", path, content=body)
    assert reply.status_code == status
    assert reply.json()["error"]["what"]


def test_an_address_that_is_none_says_so_in_words(client: Client) -> None:
    assert client.get("/elsewhere").json()["error"]["what"] == "there is nothing at this address"
    assert client.post("/health", {}).json()["error"]["what"] == "this address is asked with another method"


def test_predict_is_asked_with_post(client: Client) -> None:
    reply = client.get("/predict/yes")
    assert reply.status_code == 405
    assert "POST" in reply.json()["error"]["what"]


def test_what_user_code_raises_stays_in_the_server_s_log(
    client: Client, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    reply = client.post("/predict/fragile", {**row, "distance": 13})
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert "thirteen is secret" in caplog.text
    assert client.post("/predict/fragile", row).is_success


def test_feedback_is_on_record(client: Client, row: dict[str, Any]) -> None:
    identifier = client.post("/predict/yes", row).json()["predictions"][0]["id"]
    rows = [{"prediction": identifier, "label": True}, {"key": "F7", "label": False, "at": "2013-05-01T12:00:00Z"}]

    reply = client.post("/feedback/yes", {"rows": rows})

    assert reply.json() == {"accepted": 2}
    by_id, by_key = client.logged("feedback")[-2:]
    assert isinstance(by_id, FeedbackRecord)
    assert (by_id.prediction, by_id.label, by_key.key, by_key.label) == (identifier, True, "F7", False)


def test_bad_feedback_is_refused_whole(client: Client) -> None:
    before = len(client.logged("feedback"))
    reply = client.post("/feedback/yes", {"rows": [{"key": "a", "label": True}, {"key": "b", "label": "late"}]})
    assert (reply.status_code, problems(reply)) == (422, [(1, "label")])
    assert len(client.logged("feedback")) == before


def test_health_names_what_answers(client: Client) -> None:
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert health["ready"] is True
    assert health["endpoints"]["yes"] == {"generation": 3, "model": "delay@1", "wanted": 3, "error": None}


def test_metrics_count_requests_rows_and_bytes(client: Client, row: dict[str, Any]) -> None:
    def number(pattern: str) -> float:
        found = re.search(rf"^{pattern} (\S+)$", client.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    good = r'penstock_requests_total{endpoint="yes",model="delay@1",route="predict",status="200"}'
    bad = r'penstock_requests_total{endpoint="yes",model="delay@1",route="predict",status="422"}'
    rows = r'penstock_rows_total{endpoint="yes",model="delay@1"}'
    written = r'penstock_log_bytes_total{kind="predictions"}'
    before = [number(name) for name in (good, bad, rows, written)]

    client.post("/predict/yes", {"rows": [row] * 5})
    client.post("/predict/yes", {})

    after = [number(name) for name in (good, bad, rows, written)]
    assert [b - a for a, b in zip(before[:3], after[:3], strict=True)] == [1, 1, 5]
    assert after[3] > before[3] > 0
    assert number(r'penstock_generation{endpoint="yes",model="delay@1"}') == 3


def test_unknown_endpoints_do_not_become_labels(client: Client) -> None:
    client.post("/predict/nobody-knows", {})
    assert "nobody-knows" not in client.get("/metrics").text


def test_openapi_describes_each_endpoint(client: Client, row: dict[str, Any]) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {f"/predict/{name}" for name in NAMES} | {f"/feedback/{name}" for name in NAMES} <= document["paths"].keys()
    content = document["paths"]["/predict/yes"]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"]["oneOf"][1]["properties"].keys() == row.keys()


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_the_documentation_works(client: Client, name: str) -> None:
    document = client.get("/openapi.json").json()
    example = document["paths"][f"/predict/{name}"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert client.post(f"/predict/{name}", example).is_success


def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    home = client.get("/")
    assert (home.status_code, home.headers["location"]) == (307, "/docs")
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?https?:", page.text)


def test_before_anything_is_deployed(tmp_path: Path) -> None:
    with serving(tmp_path / "serve") as client:
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503
        assert client.get("/openapi.json").json()["info"]["version"] == "nothing deployed"
        assert client.post("/predict/delay", {}).status_code == 404


def test_an_endpoint_that_cannot_be_opened_is_503(
    foundry: Any, tmp_path: Path, eventually: Callable[[Callable[[], Any]], Any]
) -> None:
    deploy(tmp_path, "delay", EndpointState(1, ServedModel("delay", 1, "0" * 64)))
    with serving(tmp_path) as client:
        eventually(lambda: client.get("/health").json()["status"] == "degraded")
        reply = client.post("/predict/delay", {})
        assert reply.status_code == 503
        assert "there is no bundle here" in reply.json()["error"]["what"]
        assert reply.headers["retry-after"] == "1"


def test_a_log_that_cannot_be_written_acknowledges_nothing(
    foundry: Any, tmp_path: Path, row: dict[str, Any], small_disk: Path, eventually: Callable[[Callable[[], Any]], Any]
) -> None:
    root = tmp_path / "serve"
    foundry.deploy(root, "yes", 1)
    with serving(root, Limits(), log=small_disk) as client:
        eventually(lambda: client.get("/ready").is_success)
        replies = [client.post("/predict/delay", {"rows": [row] * 64}) for _ in range(20)]
        fed = [client.post("/feedback/delay", {"rows": [{"key": "k" * 500, "label": True}] * 100}) for _ in range(4)]

        assert {reply.status_code for reply in replies} == {200, 503}
        assert {reply.status_code for reply in fed} == {503}
        assert "No space left on device" in replies[-1].json()["error"]["what"]
        acknowledged = [one["id"] for reply in replies if reply.is_success for one in reply.json()["predictions"]]
        logged = [record.id for read in read_segments(small_disk, "predictions") for record in read.records]
        assert logged == acknowledged


def test_a_client_that_hangs_up_gets_no_reply(client: Client) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict/yes", "headers": []}
    asyncio.run(client.app(scope, receive, send))
    assert sent == []


@pytest.mark.parametrize(
    ("distance", "status"), [(2**62, 200), (2**63, 422), (10**30, 422), (1e300, 422), (2400.0, 200), (True, 422)]
)
def test_replies_are_valid_json(client: Client, row: dict[str, Any], distance: object, status: int) -> None:
    reply = client.post("/predict/regression", {**row, "distance": distance})
    assert reply.status_code == status
    found = json.loads(reply.text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    if status == 200:
        assert found["predictions"][0]["value"] == pytest.approx(distance / 10, rel=0.05)  # type: ignore[operator]
    else:
        assert problems(reply) == [(0, "distance")]


@pytest.mark.parametrize("path", ["/predict/yes", "/feedback/yes"])
def test_nesting_is_refused_however_deep(client: Client, path: str) -> None:
    for depth in (1, 100, *range(840, 1000, 4), 40_000):
        body = b'{"key": ' + b"[" * depth + b"]" * depth + b', "label": true}'
        reply = client.ask("POST", path, content=body)
        assert reply.status_code in (400, 422)
        assert reply.json()["error"]["what"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", 10**30),
        ("at", "0001-01-01T00:00:00+23:59"),
        ("at", 0),
        ("at", False),
        ("at", ""),
        ("label", 10**30),
        ("label", []),
    ],
)
def test_odd_feedback_is_refused_by_its_field(client: Client, field: str, value: object) -> None:
    reply = client.post("/feedback/yes", {"key": "F7", "label": True, field: value})
    assert (reply.status_code, problems(reply)) == (422, [(0, field)])


def test_feedback_that_fails_is_told_in_json_and_counted(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("penstock.serve.app.read_feedback", fail)
    reply = client.post("/feedback/yes", {"key": "F7", "label": True})
    assert (reply.status_code, reply.json()["error"]["what"]) == (500, "the server failed on this request")
    counted = r'penstock_requests_total{endpoint="",model="",route="feedback",status="500"} 1.0'
    assert counted in client.get("/metrics").text
