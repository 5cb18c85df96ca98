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
    read_state,
    server_running,
    wait_applied,
)
from penstock.errors import Conflict, UsageError
from penstock.serve import ServerError, ServerProcess, read_segments, run_server
from penstock.serve.log import Durability

CLIENTS = 4


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
            with httpx.Client(timeout=30) as client:
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


def test_twenty_switches_fail_no_request_mix_no_answer_and_show_no_older_version_once_applied(
    foundry: Any, serve: Path, row: dict[str, Any], eventually: Callable[[Callable[[], Any]], Any]
) -> None:
    foundry.deploy(serve, "yes", 1)
    replies: list[Any] = []
    applied = [1]
    with ServerProcess(serve) as server:

        def ask(client: httpx.Client) -> None:
            told = applied[-1]
            reply = client.post(f"{server.url}/predict/delay", json={"rows": [row, row, row]})
            assert reply.status_code == 200
            assert reply.json()["generation"] >= told
            replies.append(reply.json())

        with load(ask):
            for generation in range(2, 22):
                foundry.deploy(serve, "no" if generation % 2 == 0 else "yes", generation)
                assert wait_applied(serve, "delay", generation, timeout=30).outcome == "applied"
                applied.append(generation)
                eventually(lambda: replies[-1]["generation"] == applied[-1])

    assert {reply["generation"] for reply in replies} >= set(range(2, 22))
    for reply in replies:
        odd = reply["generation"] % 2 == 1
        assert [one["label"] for one in reply["predictions"]] == [odd] * 3
        assert reply["model"] == ("delay@1" if odd else "delay@2")
    assert identifiers(replies) == {record.id for record in logged(serve)}


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_after_kill_9_every_acknowledged_prediction_is_on_record(
    foundry: Any,
    serve: Path,
    row: dict[str, Any],
    durability: Durability,
    eventually: Callable[[Callable[[], Any]], Any],
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
    foundry: Any, serve: Path, row: dict[str, Any], eventually: Callable[[Callable[[], Any]], Any]
) -> None:
    foundry.deploy(serve, "yes", 1)
    replies: list[httpx.Response] = []
    with ServerProcess(serve) as server:
        url = f"{server.url}/predict/delay"

        def ask() -> None:
            replies.append(httpx.post(url, json={"rows": [row] * 5000}, timeout=60))

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


def test_health_answers_while_many_rows_are_predicted(foundry: Any, serve: Path, row: dict[str, Any]) -> None:
    foundry.deploy(serve, "yes", 1)
    with ServerProcess(serve) as server:
        done = threading.Event()

        def ask() -> None:
            httpx.post(f"{server.url}/predict/delay", json={"rows": [row] * 10_000}, timeout=60).raise_for_status()
            done.set()

        thread = threading.Thread(target=ask)
        thread.start()
        answered = 0
        with httpx.Client() as client:
            while not done.is_set():
                answered += client.get(f"{server.url}/health").status_code == 200
        thread.join()
    assert answered > 3


def test_a_refused_bundle_is_told_to_delivery_and_the_old_one_answers(
    foundry: Any, serve: Path, row: dict[str, Any]
) -> None:
    foundry.deploy(serve, "yes", 1)
    with ServerProcess(serve) as server:
        deploy(serve, "delay", EndpointState(2, ServedModel("delay", 2, "0" * 64)))
        waited = wait_applied(serve, "delay", 2, timeout=30)
        assert waited.outcome == "refused"
        assert "there is no bundle here" in waited.detail
        assert httpx.post(f"{server.url}/predict/delay", json=row).json()["generation"] == 1
        assert httpx.get(f"{server.url}/health").json()["status"] == "degraded"

        with pytest.raises(Conflict, match=f"process {server.pid} at {server.url}"):
            run_server(serve, port=0)


def test_it_starts_with_nothing_deployed_and_serves_the_first_that_comes(
    foundry: Any, serve: Path, row: dict[str, Any]
) -> None:
    with ServerProcess(serve) as server:
        foundry.deploy(serve, "yes", 1)
        assert wait_applied(serve, "delay", 1, timeout=30).outcome == "applied"
        assert httpx.post(f"{server.url}/predict/delay", json=row).is_success
        back = read_state(serve).endpoints["delay"]
        assert deploy(serve, "delay", EndpointState(2, back.current, back.previous))
        assert wait_applied(serve, "delay", 2, timeout=30).outcome == "applied"


def test_a_server_ends_with_the_process_that_started_it(serve: Path) -> None:
    server = ServerProcess(serve).start()
    child = server._child
    assert child is not None
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(30) == 0


def test_ctrl_c_ends_it_well(serve: Path) -> None:
    server = ServerProcess(serve).start()
    child = server._child
    assert child is not None
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 0
    server.stop()


def test_a_taken_port_is_an_error_that_says_so(serve: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"):
            run_server(serve, port=port)
        with pytest.raises(ServerError, match=r"(?s)ended before it was ready.*--port 0"):
            ServerProcess(serve, port=port).start()
    assert not server_running(serve)
