"""The server as its users meet it: a real process, real sockets, real signals."""

import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.deliver.serving_state import (
    EndpointState,
    ServedModel,
    deploy,
    read_applied,
    server_running,
    wait_applied,
)
from penstock.errors import Conflict, UsageError
from penstock.serve import ServerProcess, read_segments, run_server
from penstock.serve.log import Durability

CLIENTS = 4
Eventually = Callable[[Callable[[], Any]], Any]


def logged(root: Path, kind: Any = "predictions") -> list[Any]:
    return [record for read in read_segments(root / "log", kind) for record in read.records]


def identifiers(replies: Iterable[Any]) -> set[str]:
    return {one["id"] for reply in replies for one in reply["predictions"]}


@contextmanager
def load(work: Callable[[httpx.Client], None]) -> Iterator[threading.Event]:
    """Several clients that work until the block ends or the server is gone; what else goes wrong fails the test."""
    stop, errors = threading.Event(), []

    def run() -> None:
        try:
            with httpx.Client(timeout=120) as client:
                while not stop.is_set():
                    work(client)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One that was started before anything was deployed; each test has an endpoint of its own on it."""
    with ServerProcess(tmp_path_factory.mktemp("serve")) as process:
        yield process


def test_twenty_switches_fail_no_request_mix_no_answer_and_show_no_older_version_once_applied(
    foundry: Any, server: ServerProcess, row: dict[str, Any], eventually: Eventually
) -> None:
    def deliver(generation: int) -> None:
        foundry.deploy(server.root, "no" if generation % 2 == 0 else "yes", generation, endpoint="switched")
        assert wait_applied(server.root, "switched", generation, timeout=120).outcome == "applied"

    def ask(client: httpx.Client) -> None:
        told = applied[-1]
        reply = client.post(f"{server.url}/predict/switched", json={"rows": [row, row, row]})
        assert reply.status_code == 200
        assert reply.json()["generation"] >= told
        replies.append(reply.json())

    deliver(1)
    applied = [1]
    replies: list[Any] = []
    with load(ask):
        for generation in range(2, 22):
            deliver(generation)
            applied.append(generation)
            eventually(lambda: replies and replies[-1]["generation"] == applied[-1])

    assert {reply["generation"] for reply in replies} >= set(range(2, 22))
    for reply in replies:
        odd = reply["generation"] % 2 == 1
        assert [one["label"] for one in reply["predictions"]] == [odd] * 3
        assert reply["model"] == ("delay@1" if odd else "delay@2")
    recorded = {record.id for record in logged(server.root) if record.endpoint == "switched"}
    assert identifiers(replies) == recorded


def test_a_refused_bundle_is_told_to_delivery_and_the_old_one_answers(
    foundry: Any, server: ServerProcess, row: dict[str, Any]
) -> None:
    foundry.deploy(server.root, "yes", 1, endpoint="refused")
    assert wait_applied(server.root, "refused", 1, timeout=120).outcome == "applied"

    deploy(server.root, "refused", EndpointState(2, ServedModel("delay", 2, "0" * 64)))

    waited = wait_applied(server.root, "refused", 2, timeout=120)
    assert waited.outcome == "refused"
    assert "there is no bundle here" in waited.detail
    assert httpx.post(f"{server.url}/predict/refused", json=row).json()["generation"] == 1
    assert httpx.get(f"{server.url}/health").json()["status"] == "degraded"


def test_health_answers_while_many_rows_are_predicted(foundry: Any, server: ServerProcess, row: dict[str, Any]) -> None:
    foundry.deploy(server.root, "yes", 1, endpoint="many")
    assert wait_applied(server.root, "many", 1, timeout=120).outcome == "applied"
    replies: list[httpx.Response] = []

    def ask() -> None:
        replies.append(httpx.post(f"{server.url}/predict/many", json={"rows": [row] * 10_000}, timeout=120))

    thread = threading.Thread(target=ask)
    thread.start()
    answered = 0
    with httpx.Client(timeout=120) as client:
        while not replies:
            answered += client.get(f"{server.url}/health").is_success
    thread.join()
    assert len(replies[0].json()["predictions"]) == 10_000
    assert answered > 3


def test_a_second_server_of_a_directory_names_the_first(server: ServerProcess) -> None:
    with pytest.raises(Conflict, match=f"process {server.pid} at {server.url}"):
        run_server(server.root, port=0)


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_after_kill_9_every_acknowledged_prediction_is_on_record(
    foundry: Any,
    serve: Path,
    row: dict[str, Any],
    durability: Durability,
    eventually: Eventually,
) -> None:
    foundry.deploy(serve, "yes", 1)
    predicted: list[str] = []
    labelled: list[str] = []
    server = ServerProcess(serve, durability=durability).start()

    def ask(client: httpx.Client) -> None:
        try:
            reply = client.post(f"{server.url}/predict/delay", json={"rows": [row] * 7})
            assert reply.status_code == 200
            fresh = sorted(identifiers([reply.json()]))
            predicted.extend(fresh)
            feedback = {"prediction": fresh[0], "label": True}
            assert client.post(f"{server.url}/feedback/delay", json=feedback).is_success
            labelled.append(fresh[0])
        except httpx.TransportError:
            stop.set()

    with load(ask) as stop:
        eventually(lambda: len(predicted) > 500)
        server.kill()

    assert set(predicted) <= {record.id for record in logged(serve)}
    assert set(labelled) <= {record.prediction for record in logged(serve, "feedback")}
    assert not server_running(serve)


def test_sigterm_answers_what_is_under_way_and_ends_well(
    foundry: Any, serve: Path, row: dict[str, Any], eventually: Eventually
) -> None:
    foundry.deploy(serve, "yes", 1)
    replies: list[httpx.Response] = []
    with ServerProcess(serve) as server:
        url = f"{server.url}/predict/delay"

        def ask() -> None:
            replies.append(httpx.post(url, json={"rows": [row] * 5000}, timeout=120))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        eventually(lambda: list((serve / "log").glob("predictions-*")))
        code = server.stop()
        for thread in threads:
            thread.join()

    assert code == 0
    assert [reply.status_code for reply in replies] == [200] * 3
    assert identifiers(reply.json() for reply in replies) == {record.id for record in logged(serve)}
    assert read_applied(serve) is None


def test_a_server_ends_with_the_process_that_started_it(serve: Path) -> None:
    server = ServerProcess(serve).start()
    child = server._child
    assert child is not None
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(120) == 0


def test_ctrl_c_ends_it_well(serve: Path) -> None:
    server = ServerProcess(serve).start()
    child = server._child
    assert child is not None
    child.send_signal(signal.SIGINT)
    assert child.wait(120) == 0
    server.stop()


def test_a_taken_port_is_an_error_that_says_so(serve: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"):
            run_server(serve, port=port)
        with pytest.raises(UsageError, match=r"(?s)cannot listen on.*--port 0"):
            ServerProcess(serve, port=port).start()
    assert not server_running(serve)
