"""MLflow's own client and server, of two versions: scripts run unmodified against ours, and an import from theirs."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from penstock.ledger import ModelVersion

ROOT = Path(__file__).parents[2]


@contextmanager
def mlflow_server(version: str, place: Path) -> Iterator[str]:
    """MLflow's own server, on SQLite."""
    place.mkdir()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    programs = ROOT / f".venv-mlflow-{version}" / "bin"
    more = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PATH": f"{programs}:{os.environ['PATH']}"}
    command = [programs / "mlflow", "server", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{place}/mlflow.db", "--artifacts-destination", str(place / "files")]
    with (place / "log").open("wb") as output:
        child = subprocess.Popen(command, cwd=place, env={**os.environ, **more}, stdout=output, stderr=output)
        try:
            while not answers(f"http://127.0.0.1:{port}/health"):
                assert child.poll() is None, (place / "log").read_text()
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(psutil.NoSuchProcess):
                for each in psutil.Process(child.pid).children(recursive=True):
                    each.terminate()
            child.terminate()
            child.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_a_script_that_tracks(script, client):
    script("tracking", client.url)


def test_a_script_that_registers(script, client, opened):
    script("registry", client.url)
    work = opened._workspace
    with work.ledger.read() as reader:
        assert [(v.number, v.state) for v in reader.find(ModelVersion, model="spam")] == [
            (1, "archived"), (2, "candidate")
        ]  # fmt: skip


@pytest.mark.parametrize("library", ["sklearn", "lightgbm", "pytorch"])
def test_a_script_that_logs_by_itself(script, client, opened, library):
    script(f"autolog_{library}", client.url)
    (run,) = opened.train.runs()
    assert (run.kind, run.status) == ("tracked", "finished")


def test_an_import_from_mlflow_s_own_server(script, version, opened, tmp_path):
    with mlflow_server(version, tmp_path / "mlflow") as url:
        script("tracking", url)
        script("autolog_sklearn", url)
        script("registered", url)
        brought = opened.train.mlflow.bring(url)
        assert (brought.runs, brought.versions, brought.without_files) == (4, 1, [])
        again = opened.train.mlflow.bring(url)
        assert (again.runs, again.versions, again.known) == (0, 0, 5)
    first = next(run for run in opened.train.runs() if run.name == "first")
    found = opened.train.show(first.id)
    assert {metric.name: metric.n for metric in found.metrics}["batch"] == 1000
    assert "files/deep/big.bin" in {artifact.name for artifact in found.artifacts}
    assert opened.data.verify() == ()
