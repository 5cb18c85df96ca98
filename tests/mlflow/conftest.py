"""A project, its MLflow server as a real process, and a client that speaks plain HTTP."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toy
import uvicorn
from mlflow_client import Client

from penstock import Project
from penstock.mlflow import MlflowProcess
from penstock.mlflow.app import App
from penstock.mlflow.tracking import open_tracking
from penstock.serve.server import listen

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
QUIET = {
    **os.environ,
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}


def python_of(version: str) -> Path:
    """The interpreter of MLflow's environment."""
    return ROOT / f".venv-mlflow-{version}" / "bin" / "python"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in which nothing has run."""
    return toy.make_project(tmp_path / "parcels", rows=1)


@pytest.fixture
def client(root: Path) -> Iterator[Client]:
    """Of a server in a thread of this process, which starts in a blink; `server` is one as `penstock up` has it."""
    tracking = open_tracking(root, None, "ada")
    app = App(tracking)
    with listen("127.0.0.1", 0) as listener:
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=5)
        answering = uvicorn.Server(config)
        thread = threading.Thread(target=answering.run, kwargs={"sockets": [listener]})
        thread.start()
        speaking = Client(f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield speaking
        speaking.http.close()
        answering.should_exit = True
        thread.join()
    app.close()
    tracking.ledger.close()


@pytest.fixture
def server(root: Path) -> Iterator[MlflowProcess]:
    """A process."""
    with MlflowProcess(root, environment=None, host="127.0.0.1", port=0, actor="ada") as process:
        assert process.hear().startswith("MLflow clients log to http://"), process.said
        yield process


@pytest.fixture
def opened(root: Path) -> Project:
    """The same project, seen from our side."""
    return Project.open(root, actor="ada")


@pytest.fixture(params=["3", "2"])
def version(request: pytest.FixtureRequest) -> str:
    """Of MLflow; each needs its environment: make test-mlflow."""
    if not python_of(request.param).exists():
        pytest.skip(f"no .venv-mlflow-{request.param}: make test-mlflow")
    return str(request.param)


@pytest.fixture
def script(version: str, tmp_path: Path) -> Callable[..., str]:
    """Run a script of MLflow's own client."""

    def run(name: str, *arguments: str) -> str:
        command = [python_of(version), SCRIPTS / f"{name}.py", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=QUIET, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
