"""A Ray cluster of several nodes in one machine, each a `ray start` of its own, that share no directory with us."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_PORTS = (
    "node-manager-port", "object-manager-port", "runtime-env-agent-port", "metrics-export-port",
    "dashboard-agent-grpc-port", "dashboard-agent-listen-port",
)  # fmt: skip
_STORE_BYTES = 100 * 2**20
TESTS = Path(__file__).parent.parent


class Cluster:
    """A head without CPUs, where the tests are, and nodes that do the work."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._port = _free_port()
        self._started: dict[str, psutil.Process] = {}
        self.address = f"127.0.0.1:{self._port}"

    def start_head(self) -> None:
        self._start("head", "--head", f"--port={self._port}", "--num-cpus=0", "--include-dashboard=false")

    def start_node(self, name: str, *, hide: Path | None = None, cpus: int = 2) -> None:
        """Have a node join. What is in the directory `hide` it does not see: its disk is another one there."""
        wrap = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none "{hide}" && exec "$@"', "sh"] if hide else []
        self._start(name, f"--address={self.address}", f"--num-cpus={cpus}", f'--resources={{"{name}": 1}}', wrap=wrap)

    def kill_node(self, name: str) -> None:
        """As when its machine loses its power: raylet and workers end at once."""
        shell = self._started.pop(name)
        everything = [*_with_children(shell), shell]
        for process in everything:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(everything, timeout=30)

    def processes(self, name: str) -> list[psutil.Process]:
        """Everything that runs on a node."""
        return _with_children(self._started[name])

    def stop(self) -> None:
        for name in [*self._started]:
            self.kill_node(name)

    def _start(self, name: str, *options: str, wrap: list[str] = []) -> None:  # noqa: B006
        ports = [f"--{port}={_free_port()}" for port in _PORTS]
        variables = {"PYTHONPATH": str(TESTS), "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(self._root / name)}
        log = (self._root / f"{name}.log").open("wb")
        child = subprocess.Popen(
            [*wrap, str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats",
             "--node-ip-address=127.0.0.1", f"--object-store-memory={_STORE_BYTES}",
             *([f"--temp-dir={self._root}"] if "--head" in options else []), *options, *ports],
            env={**os.environ, **variables}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._started[name] = psutil.Process(child.pid)
        text = ""
        deadline = time.monotonic() + 120
        while "Ray runtime started" not in text:
            text = (self._root / f"{name}.log").read_text()
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start: {text}")
            time.sleep(0.1)


def _with_children(process: psutil.Process) -> list[psutil.Process]:
    """All below, though some may come and go meanwhile."""
    while True:
        with suppress(psutil.NoSuchProcess):
            return process.children(recursive=True) if process.is_running() else []


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def cluster(*nodes: str, hide: Path | None = None) -> Iterator[Cluster]:
    """A head, and nodes with two CPUs each."""
    root = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets have short names
    made = Cluster(root)
    try:
        made.start_head()
        for name in nodes:
            made.start_node(name, hide=hide)
        yield made
    finally:
        made.stop()
        shutil.rmtree(root, ignore_errors=True)


def eventually(condition: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
