import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from penstock.engine import open_pool
from penstock.engine.local import LocalPool, Machine
from penstock.errors import ConfigError, MissingExtra, UsageError
from penstock.project import Engine, Resources

TASKS = "engine.engine_tasks"
SMALL = Machine(cpus=2, gpus=("a", "b", "c"), memory=10**9)


def test_results_come_back_in_the_futures() -> None:
    with open_pool(Engine()) as pool:
        futures = [pool.submit(f"{TASKS}:double", {"value": number}) for number in range(20)]
        assert [future.result() for future in futures] == [2 * number for number in range(20)]


@pytest.mark.parametrize(("which", "kind"), [("config", ConfigError), ("extra", MissingExtra), ("plain", ValueError)])
def test_errors_come_back_as_they_are(which: str, kind: type[Exception]) -> None:
    with open_pool(Engine()) as pool:
        error = pool.submit(f"{TASKS}:fail", {"which": which}).exception()
    assert type(error) is kind


@pytest.mark.parametrize("name", ["engine.engine_tasks:triple", "engine.nowhere:double", "double", ":", ""])
def test_a_function_that_is_not_there_is_named(name: str) -> None:
    with open_pool(Engine()) as pool, pytest.raises(UsageError) as caught:
        pool.submit(name, {}).result()
    assert caught.value.where == name


def test_tasks_share_the_machine_out() -> None:
    with LocalPool(Engine(workers=8), SMALL) as pool:
        one, both = Resources(cpus=1), Resources(cpus=2)
        futures = [
            pool.submit(f"{TASKS}:overlap", {"seconds": 0.05}, resources=wanted)
            for wanted in (one, both, one, one, both, one)
        ]
        spans = [future.result() for future in futures]
    for number in (1, 4):  # who holds both CPUs is alone
        start, end = spans[number]
        assert all(other[1] <= start or end <= other[0] for index, other in enumerate(spans) if index != number)


def test_each_task_sees_gpus_of_its_own() -> None:
    with LocalPool(Engine(workers=3), SMALL) as pool:
        futures = [
            pool.submit(f"{TASKS}:variables", {"seconds": 0.3}, resources=Resources(gpus=gpus)) for gpus in (2, 0, 1)
        ]
        two, none, one = (future.result() for future in futures)
    assert none == {}
    assert sorted(f"{two['CUDA_VISIBLE_DEVICES']},{one['CUDA_VISIBLE_DEVICES']}".split(",")) == ["a", "b", "c"]


def test_what_no_machine_has_is_refused_at_once() -> None:
    with LocalPool(Engine(), SMALL) as pool, pytest.raises(UsageError, match="3 CPUs, 4 GPUs, 2GB") as caught:
        pool.submit(f"{TASKS}:double", {"value": 1}, resources=Resources(cpus=3, gpus=4, memory=2 * 10**9))
    assert "2 CPUs, 3 GPUs, 1GB of memory" in str(caught.value.expected)


def test_leaving_by_an_error_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    futures = []
    with pytest.raises(ZeroDivisionError), LocalPool(Engine(workers=2), SMALL) as pool:  # noqa: PT012
        for number in range(4):
            futures.append(pool.submit(f"{TASKS}:wait", {"file": str(tmp_path / str(number))}))
        while not (tmp_path / "1").exists():
            time.sleep(0.01)
        1 / 0  # noqa: B018
    assert [future.result() for future in futures[:2]] == ["stopped", "stopped"]
    for future in futures[2:]:
        with pytest.raises(CancelledError):
            future.result()
    assert not (tmp_path / "2").exists()


def test_who_waits_for_room_hears_of_the_end(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), LocalPool(Engine(workers=2), SMALL) as pool:  # noqa: PT012
        whole = Resources(cpus=2)
        first, second = (pool.submit(f"{TASKS}:wait", {"file": str(tmp_path / name)}, resources=whole) for name in "ab")
        while not (tmp_path / "a").exists():
            time.sleep(0.01)
        1 / 0  # noqa: B018
    assert first.result() == "stopped"
    assert isinstance(second.exception() if not second.cancelled() else CancelledError(), CancelledError)


def test_ctrl_c_ends_what_runs(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from penstock.engine import open_pool\n"
        "from penstock.project import Engine\n"
        "with open_pool(Engine()) as pool:\n"
        "    pool.submit('engine.engine_tasks:wait', {'file': sys.argv[1]}).result()\n"
    )
    file = tmp_path / "pid"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen([sys.executable, "-c", script, str(file)], env=variables, stderr=subprocess.PIPE)
    while not file.exists():
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, printed = child.communicate(timeout=30)
    assert b"KeyboardInterrupt" in printed
    assert child.returncode != 0
