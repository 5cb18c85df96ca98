"""The serve directory: moved whole, never backwards, and a wait that ends."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from penstock.deliver.serving_state import (
    Applied,
    AppliedEndpoint,
    EndpointState,
    ServeDirectory,
    ServedModel,
    ServingState,
    deploy,
    hold_server,
    read_applied,
    read_state,
    server_running,
    wait_applied,
    write_applied,
    write_state,
    write_view,
)
from penstock.digest import digest_file
from penstock.errors import Conflict, Damaged


def model(number: int) -> ServedModel:
    return ServedModel("delay", number, f"{number:064x}", {"weather": "ab" * 32})


def applied(generation: int, wanted: int | None = None, error: str | None = None) -> Applied:
    endpoint = AppliedEndpoint(generation, f"delay@{generation}", wanted or generation, error)
    return Applied(os.getpid(), "127.0.0.1", 8080, "2025-01-01T00:00:00Z", {"delay": endpoint})


def test_state_round_trips(tmp_path: Path) -> None:
    state = ServingState({"delay": EndpointState(2, model(2), (model(1),))}, ("k" * 64,))

    write_state(tmp_path, state)

    assert read_state(tmp_path) == state
    assert read_state(tmp_path).endpoints["delay"].current.name == "delay@2"


def test_a_write_that_fails_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "applied.json").mkdir()  # no file takes a directory's place
    with pytest.raises(OSError, match="directory"):
        write_applied(tmp_path, applied(1))
    assert [path.name for path in tmp_path.iterdir()] == ["applied.json"]


def test_nothing_deployed_is_an_empty_state(tmp_path: Path) -> None:
    assert read_state(tmp_path) == ServingState()
    assert read_applied(tmp_path) is None


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"endpoints": 3}')
    with pytest.raises(Damaged, match=r"state\.json"):
        read_state(tmp_path)


def test_deploy_keeps_other_endpoints_and_adds_keys(tmp_path: Path) -> None:
    assert deploy(tmp_path, "a", EndpointState(1, model(1)), trusted=["k1"])
    assert deploy(tmp_path, "b", EndpointState(1, model(1)), trusted=["k1", "k2"])

    state = read_state(tmp_path)
    assert set(state.endpoints) == {"a", "b"}
    assert state.trusted == ("k1", "k2")


def test_deploy_never_goes_back_to_an_older_generation(tmp_path: Path) -> None:
    deploy(tmp_path, "delay", EndpointState(5, model(5)))

    assert not deploy(tmp_path, "delay", EndpointState(4, model(4)))
    assert not deploy(tmp_path, "delay", EndpointState(5, model(4)))
    assert read_state(tmp_path).endpoints["delay"].current.number == 5


def test_the_newest_of_many_concurrent_deliveries_stays(tmp_path: Path) -> None:
    def deliver(generation: int) -> None:
        deploy(tmp_path, f"e{generation % 2}", EndpointState(generation, model(generation)))

    threads = [threading.Thread(target=deliver, args=(generation,)) for generation in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    state = read_state(tmp_path)
    assert [state.endpoints[name].generation for name in ("e0", "e1")] == [20, 19]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".state")]


def test_a_view_is_named_by_its_bytes(tmp_path: Path) -> None:
    rows = pl.DataFrame({"origin": ["JFK"], "wind": [3.0]})

    digest = write_view(tmp_path, "weather", rows)

    path = ServeDirectory(tmp_path).view("weather", digest)
    assert digest_file(path) == digest
    assert pl.read_parquet(path).equals(rows)
    assert write_view(tmp_path, "weather", rows) == digest
    assert [file.name for file in (tmp_path / "views").iterdir()] == [path.name]


def test_what_no_state_names_is_deleted_a_deployment_later(tmp_path: Path) -> None:
    directory = ServeDirectory(tmp_path)
    digests = [write_view(tmp_path, "weather", pl.DataFrame({"wind": [number]})) for number in range(5)]
    paths = [directory.view("weather", digest) for digest in digests]
    for path in [directory.bundle("other"), *(directory.bundle(f"{number:064x}") for number in range(5))]:
        path.mkdir(parents=True)
        paths.append(path)
    for path in paths:
        if path not in (paths[0], paths[3], directory.bundle(f"{3:064x}")):  # new: somebody is about to name them
            os.utime(path, (0, 0))

    def answered(number: int) -> ServedModel:
        return ServedModel("delay", number, f"{number:064x}", {"weather": digests[number]})

    deploy(tmp_path, "delay", EndpointState(1, answered(2), (answered(1),)))
    deploy(tmp_path, "delay", EndpointState(2, answered(3), (answered(2),)))
    assert [path.exists() for path in paths[:5]] == [True, True, True, True, False]
    assert sorted(path.name[-1] for path in (tmp_path / "bundles").iterdir()) == ["1", "2", "3"]
    deploy(tmp_path, "delay", EndpointState(3, answered(3), (answered(2),)))
    assert sorted(path.name[-1] for path in (tmp_path / "bundles").iterdir()) == ["2", "3"]
    assert [path.exists() for path in paths[:5]] == [True, False, True, True, False]


def test_one_server_per_directory(tmp_path: Path) -> None:
    write_applied(tmp_path, applied(1))
    assert not server_running(tmp_path)
    with hold_server(tmp_path):
        assert server_running(tmp_path)
        with pytest.raises(Conflict, match=f"process {os.getpid()} at http://127.0.0.1:8080"), hold_server(tmp_path):
            pass
    assert not server_running(tmp_path)


def test_a_killed_server_does_not_run(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from penstock.deliver.serving_state import hold_server\n"
        f"with hold_server(Path({str(tmp_path)!r})): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert server_running(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not server_running(tmp_path)


def test_wait_tells_when_no_server_runs(tmp_path: Path) -> None:
    assert wait_applied(tmp_path, "delay", 1).outcome == "no_server"
    write_applied(tmp_path, applied(3))  # a server that has died
    assert wait_applied(tmp_path, "delay", 3).outcome == "no_server"


def test_wait_tells_applied_refused_and_timed_out(tmp_path: Path) -> None:
    with hold_server(tmp_path):
        write_applied(tmp_path, applied(3, wanted=4, error="the signature does not match"))

        assert wait_applied(tmp_path, "delay", 2).outcome == "applied"
        assert wait_applied(tmp_path, "delay", 3).outcome == "applied"
        refused = wait_applied(tmp_path, "delay", 4)
        assert (refused.outcome, refused.detail) == ("refused", "the signature does not match")
        assert wait_applied(tmp_path, "delay", 5, timeout=0.05).outcome == "timed_out"
        assert wait_applied(tmp_path, "other", 1, timeout=0.05).outcome == "timed_out"


def test_an_answer_to_an_earlier_state_is_waited_past(tmp_path: Path) -> None:
    with hold_server(tmp_path):
        write_applied(tmp_path, applied(3, wanted=4, error="a file is missing"))
        os.utime(tmp_path / "applied.json", (0, 0))
        deploy(tmp_path, "delay", EndpointState(4, model(4)))
        assert wait_applied(tmp_path, "delay", 4, timeout=0.05).outcome == "timed_out"
        write_applied(tmp_path, applied(4))
        assert wait_applied(tmp_path, "delay", 4).outcome == "applied"


def test_a_generation_is_only_written_again_when_that_is_asked_for(tmp_path: Path) -> None:
    deploy(tmp_path, "delay", EndpointState(5, model(5)))
    assert deploy(tmp_path, "delay", EndpointState(5, model(4)), again=True)
    assert not deploy(tmp_path, "delay", EndpointState(4, model(3)), again=True)
    assert read_state(tmp_path).endpoints["delay"].current.number == 4


def test_wait_sees_an_answer_that_comes_later(tmp_path: Path) -> None:
    with hold_server(tmp_path):
        later = threading.Timer(0.1, write_applied, (tmp_path, applied(7)))
        later.start()
        assert wait_applied(tmp_path, "delay", 7, timeout=120).outcome == "applied"
        later.join()
