"""Claims: over HTTP, MLflow's protocol is spoken five times as fast as by MLflow, in a fifth of its memory.

Both servers on SQLite, with one worker, asked in turns by one client on a connection that stays open. Memory is that of
the server with its children, shared pages counted once, at the end.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from harness import Claim, Environment, Job, environment, ourselves, report, run

SIZES = (1_000, 100_000)
AHEAD = 5
TURNS = {"log_metric": 100, "start and end a run": 50, "log_batch of 1,000 values": 20, "search": 5}
TOOLS = Path(__file__).resolve().parent / "run_tools"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
SEARCH = {"filter": "metrics.roc_auc > 0.7 and params.depth = '6'", "order_by": ["metrics.roc_auc DESC"]}
NOW = 1_700_000_000_000


@dataclass(frozen=True)
class Server:
    """A server that answers, and the experiment that holds the runs."""

    http: HTTPConnection
    pid: int
    experiment: str

    def ask(self, path: str, **asked: Any) -> Any:
        """POST, on the connection that stays open."""
        headers = {"content-type": "application/json"}
        self.http.request("POST", f"/api/2.0/mlflow/{path}", json.dumps(asked), headers)
        answer = self.http.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)

    def start_run(self) -> str:
        begun = self.ask("runs/create", experiment_id=self.experiment, start_time=NOW, run_name="timed")
        return str(begun["run"]["info"]["run_id"])

    @property
    def memory(self) -> float:
        """MB, with that of its children."""
        process = psutil.Process(self.pid)
        everyone = [process, *process.children(recursive=True)]
        return sum(each.memory_full_info().pss for each in everyone) / 2**20


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for script in TOOLS.glob("*.py"):
            shutil.copy(script, place)
        return report([claim for runs in SIZES for claim in claims(runs, place)])


def claims(runs: int, place: Path) -> Iterator[Claim]:
    with ExitStack() as stack:
        servers = {tool: stack.enter_context(serving(tool, runs, place)) for tool in ("penstock", "mlflow")}
        for name, turns in TURNS.items():
            took = timed({tool: operation(name, server) for tool, server in servers.items()}, turns)
            yield claim(f"{name}, {runs:,} runs", {tool: 1000 * seconds for tool, seconds in took.items()}, "ms")
        yield claim(f"memory of the server, {runs:,} runs", {tool: one.memory for tool, one in servers.items()}, "MB")


def claim(name: str, found: Mapping[str, float], unit: str) -> Claim:
    ours, theirs = found["penstock"], found["mlflow"]
    said = "a fifth" if unit == "MB" else f"{AHEAD}x as fast"
    return Claim(name, ours, theirs, "MLflow", said, AHEAD * ours <= theirs, unit)


def operation(name: str, server: Server) -> Callable[[], object]:
    """Something to time."""
    if name == "search":
        return partial(searched, server)
    if name == "start and end a run":
        return partial(start_and_end, server)
    started = server.start_run()
    if name == "log_metric":
        return partial(log_metric, server, started, iter(range(10_000)))
    return partial(log_batch, server, started, iter(range(0, 1_000_000, 1_000)))


def searched(server: Server) -> None:
    server.http.close()  # a turn of 100,000 runs takes longer than a server keeps an idle connection
    found = server.ask("runs/search", experiment_ids=[server.experiment], max_results=100, **SEARCH)["runs"]
    assert found, "nothing fits"


def start_and_end(server: Server) -> None:
    server.ask("runs/update", run_id=server.start_run(), status="FINISHED", end_time=NOW + 1)


def log_metric(server: Server, started: str, steps: Iterator[int]) -> None:
    step = next(steps)
    server.ask("runs/log-metric", run_id=started, key="loss", value=1 / (1 + step), timestamp=NOW + step, step=step)


def log_batch(server: Server, started: str, steps: Iterator[int]) -> None:
    first = next(steps)
    values = [{"key": "loss", "value": 0.5, "timestamp": NOW + s, "step": s} for s in range(first, first + 1000)]
    server.ask("runs/log-batch", run_id=started, metrics=values)


def timed(jobs: Mapping[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Medians in seconds, every job once per turn."""
    took: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(-2, turns):
        for name, job in jobs.items():
            begin = time.perf_counter()
            job()
            if turn >= 0:
                took[name].append(time.perf_counter() - begin)
    return {name: median(each) for name, each in took.items()}


@contextmanager
def serving(tool: str, runs: int, place: Path) -> Iterator[Server]:
    """A server on a ledger that holds this many runs."""
    there: Environment = ourselves() if tool == "penstock" else environment("MLflow")
    run(Job([there.python, f"search_{tool}.py", str(runs)], place, QUIET))
    port = free_port()
    command: list[str | Path] = (
        [there.python, "-m", "penstock.mlflow", "--project", place / f"penstock-{runs}", "--actor", "bench"]
        if tool == "penstock"
        else [
            there.program("mlflow"),
            "server",
            "--workers",
            "1",
            "--backend-store-uri",
            f"sqlite:///{place}/mlflow-{runs}.db",
        ]
    )
    path = f"{there.path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, **QUIET, "PATH": path}
    output = (place / f"{tool}-{runs}.log").open("wb")
    child = subprocess.Popen([*command, "--port", str(port)], cwd=place, env=variables, stdout=output, stderr=output)
    try:
        wait(port, child)
        yield Server(HTTPConnection("127.0.0.1", port, timeout=600), child.pid, "0" if tool == "penstock" else "1")
    finally:
        for each in [*psutil.Process(child.pid).children(recursive=True), child]:
            with suppress(psutil.NoSuchProcess):
                each.terminate()
        child.wait()
        output.close()


def wait(port: int, child: "subprocess.Popen[bytes]") -> None:
    for _ in range(1_200):
        if child.poll() is not None:
            raise SystemExit("a server ended before it answered")
        try:
            http = HTTPConnection("127.0.0.1", port, timeout=5)
            http.request("GET", "/health")
            if http.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("a server does not answer")


def free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    raise SystemExit(main())
