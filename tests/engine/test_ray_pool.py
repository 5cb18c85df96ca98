"""With Ray, which is large, these run in `make test-ray`; without it what comes before it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from engine.cluster import Cluster, cluster, eventually

from penstock.engine import open_pool
from penstock.errors import ConfigError, Killed, MissingExtra, PenstockError, UsageError
from penstock.project import Engine, Resources

with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="runs in make test-ray")
TASKS = "engine.engine_tasks"


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Cluster]:
    """Two nodes, and room for another."""
    with cluster("one", "two") as made:
        yield made


@pytest.fixture
def engine(ray_cluster: Cluster) -> Engine:
    return Engine(kind="ray", address=ray_cluster.address)


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_extra_is_named() -> None:
    with pytest.raises(MissingExtra, match=r"penstock\[ray\]"):
        open_pool(Engine(kind="ray"))


@with_ray
def test_a_cluster_that_is_not_there_is_told() -> None:
    with pytest.raises(PenstockError, match="no Ray cluster answers") as caught:
        open_pool(Engine(kind="ray", address="127.0.0.1:1"))
    assert "ray start" in str(caught.value.hint)


@with_ray
def test_both_nodes_work(engine: Engine) -> None:
    with open_pool(engine) as pool:
        futures = [pool.submit(f"{TASKS}:where", {"seconds": 2}) for _ in range(4)]  # as many as there are CPUs
        workers, nodes = ({*each} for each in zip(*(future.result() for future in futures), strict=True))
    assert (len(workers), len(nodes)) == (4, 2)


@with_ray
@pytest.mark.parametrize(("which", "kind"), [("config", ConfigError), ("extra", MissingExtra), ("plain", ValueError)])
def test_errors_come_back_as_they_are(engine: Engine, which: str, kind: type[Exception]) -> None:
    with open_pool(engine) as pool:
        error = pool.submit(f"{TASKS}:fail", {"which": which}).exception()
        odd = pool.submit(f"{TASKS}:fail", {"which": "odd"}).exception()
    assert type(error) is kind
    assert str(odd).startswith("Odd: ")


@with_ray
def test_what_no_node_has_is_refused_at_once(engine: Engine) -> None:
    with open_pool(engine) as pool, pytest.raises(UsageError, match="3 CPUs") as caught:
        pool.submit(f"{TASKS}:double", {"value": 1}, resources=Resources(cpus=3))
    assert str(caught.value.expected).endswith("has: 2 CPUs")


@with_ray
def test_another_environment_is_told_and_nothing_runs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_pool(engine) as pool:
        monkeypatch.setitem(pool._installed, "numpy", "1.0")  # type: ignore[attr-defined]
        error = pool.submit(f"{TASKS}:double", {"value": 1}).exception()
    assert isinstance(error, PenstockError)
    assert "numpy" in error.what
    assert "1.0 here" in error.what


@with_ray
def test_leaving_by_an_error_ends_the_tasks_and_what_they_started(engine: Engine, tmp_path: Path) -> None:
    futures = []
    with pytest.raises(ZeroDivisionError), open_pool(engine) as pool:  # noqa: PT012
        for number in range(6):
            futures.append(pool.submit(f"{TASKS}:sleep_in_process", {"file": str(tmp_path / str(number))}))
        assert eventually(lambda: len([*tmp_path.iterdir()]) == 4)
        time.sleep(0.5)
        1 / 0  # noqa: B018
    pids = [int((tmp_path / name).read_text()) for name in os.listdir(tmp_path)]
    assert eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    for future in futures:
        assert future.cancelled() or isinstance(future.exception(), CancelledError)


@with_ray
def test_a_node_that_is_killed_costs_time_only(ray_cluster: Cluster, engine: Engine, tmp_path: Path) -> None:
    ray_cluster.start_node("three", cpus=3)
    file = tmp_path / "called"
    with open_pool(engine) as pool:
        large = Resources(cpus=2)
        futures = [
            pool.submit(f"{TASKS}:mark_and_sleep", {"file": str(file), "seconds": 8}, resources=large) for _ in range(3)
        ]
        assert eventually(lambda: file.exists() and len(file.read_text().splitlines()) == 3)
        ray_cluster.kill_node("three")
        ended = {future.result(timeout=180) for future in futures}
    called = [int(line) for line in file.read_text().splitlines()]
    assert len(called) == 4  # the one that was lost began again
    assert ended < {*called}


@with_ray
def test_a_task_that_loses_every_node_is_given_up(ray_cluster: Cluster, tmp_path: Path) -> None:
    engine = Engine(kind="ray", address=ray_cluster.address, retries=1)
    with open_pool(engine) as pool:
        future = pool.submit(f"{TASKS}:end_abruptly", {})
        with pytest.raises(Killed, match="lost its node 2 times"):
            future.result(timeout=120)


@with_ray
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_when_the_driver_ends_so_do_its_tasks(ray_cluster: Cluster, tmp_path: Path, number: signal.Signals) -> None:
    script = (
        "import sys\n"
        "from penstock.engine import open_pool\n"
        "from penstock.project import Engine\n"
        "with open_pool(Engine(kind='ray', address=sys.argv[1])) as pool:\n"
        "    pool.submit('engine.engine_tasks:mark_and_sleep', {'file': sys.argv[2], 'seconds': 90}).result()\n"
    )
    file = tmp_path / "pid"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    driver = subprocess.Popen([sys.executable, "-c", script, ray_cluster.address, str(file)], env=variables)
    assert eventually(file.exists)
    task = int(file.read_text().split()[0])
    driver.send_signal(number)
    driver.wait(timeout=60)
    assert eventually(lambda: not psutil.pid_exists(task) or _is_idle(task))


def _is_idle(pid: int) -> bool:
    """Whether Ray keeps the process for other tasks: it renames a worker after what it does."""
    try:
        return "IDLE" in psutil.Process(pid).cmdline()[0]
    except (psutil.NoSuchProcess, IndexError):
        return True
