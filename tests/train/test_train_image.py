"""An image really built and really run: podman, buildah, Docker and runc from Debian. `make test-image`."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import toy
from train import train_containers as containers
from train.train_containers import BASE, PENSTOCK, call, penstock

from penstock import Project
from penstock.ledger import Artifact, Edge, Ledger, Run, node
from penstock.train.containers.lock import lock_of

pytestmark = pytest.mark.image

TAG = "parcels:test"
IN_IMAGE = ("--set", f"train.image={TAG}")
FIT = '    print("fitting", X.height)'


@pytest.fixture(scope="module", params=["buildah", "podman", "docker"])
def tool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What builds. Podman runs what buildah builds; beside Docker it is there, too, and knows none of its images."""
    name: str = request.param
    if lacking := containers.lacking(name):
        pytest.skip(lacking)
    place = tmp_path_factory.mktemp(name)
    before = dict(os.environ)
    os.environ.update(containers.variables(place / "storage"))
    with ExitStack() as stack:
        if name == "docker":
            os.environ.update(stack.enter_context(containers.docker(place / "docker")))
        yield name
        subprocess.run(["podman", "system", "reset", "--force"], capture_output=True, check=False)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def runner(tool: str) -> str:
    return "docker" if tool == "docker" else "podman"


@pytest.fixture(scope="module")
def built(tool: str, runner: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after a run outside, and the image of that run's environment."""
    root = toy.make_project(tmp_path_factory.mktemp("containers") / "parcels")
    containers.import_base(runner)
    assert penstock("run", "-C", root).returncode == 0
    made = penstock("train", "image", "-C", root, "--tool", tool, "--base", BASE, "--tag", TAG)
    assert made.returncode == 0, made.stderr[-3000:]
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return toy.copy_project(built, tmp_path / "parcels")


def runs(root: Path) -> list[Run]:
    return list(Project.open(root).train.runs())


def ledger_of(root: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{root}/.penstock/ledger.db")


def image_id(runner: str) -> str:
    return call(runner, "image", "inspect", "--format", "{{.Id}}", TAG).strip().removeprefix("sha256:")


def in_fit(root: Path, lines: str) -> None:
    code = root / "pipeline.py"
    code.write_text(code.read_text().replace(FIT, f"{lines}\n{FIT}"))


def once(true: object, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_ledger_says_which_environment_the_image_holds(built: Path, runner: str) -> None:
    with ledger_of(built).read() as reader:
        (run,) = reader.find(Run)
        (edge,) = reader.find(Edge, target=node("image", image_id(runner)))
        assert edge.source == node("environment", run.environment)
        assert reader.get(Artifact, run=run.id, name="Containerfile") is not None


def test_nothing_of_the_build_is_in_the_image(built: Path, runner: str) -> None:
    inside = call(runner, "run", "--rm", "--entrypoint", "sh", TAG, "-c", "id -u; ls / /opt /root 2>&1; env")
    assert inside.splitlines()[0] == "1000"
    assert "build" not in inside.split()
    history = call(runner, "history", "--no-trunc", TAG)
    assert "https://" not in history


def test_the_same_model_comes_out_of_the_image_and_the_run_says_which_it_was(root: Path, runner: str) -> None:
    done = penstock("run", "-C", root, *IN_IMAGE)
    assert done.returncode == 0, done.stderr
    inside, outside = runs(root)
    assert (inside.content_hash, inside.probe_hash) == (outside.content_hash, outside.probe_hash)
    assert inside.host["image"] == {"name": TAG, "id": image_id(runner)}
    with ledger_of(root).read() as reader:
        assert reader.get(Edge, source=node("image", image_id(runner)), target=node("run", inside.id), role="image")
        locks = [reader.get(Artifact, run=run.id, name="requirements.lock") for run in (inside, outside)]
        assert locks[0] is not None
        assert locks[0].digest == (locks[1].digest if locks[1] else None)
        assert lock_of(reader, Project.open(root)._workspace.store, image_id(runner)) is not None
    said = penstock("train", "compare", "1", "2", "-C", root).stdout.splitlines()
    assert "Metrics" in said
    assert not {"Parameters", "Data", "Code", "Environment"} & set(said)
    assert "nothing would run" in penstock("run", "--explain", "-C", root, *IN_IMAGE).stdout
    assert penstock("reproduce", "2", "--here", "-C", root).stdout.startswith("run 2: the same model, byte for byte")


def test_what_a_run_writes_belongs_to_who_started_it(root: Path) -> None:
    penstock("run", "-C", root, *IN_IMAGE)
    owners = {path.stat().st_uid for path in (root / ".penstock").rglob("*")}
    assert owners == {os.getuid()}


def test_fit_reaches_no_network_and_writes_nowhere_else(root: Path) -> None:
    in_fit(
        root,
        """
    import socket, pathlib
    for attempt in (
        lambda: socket.create_connection(("1.1.1.1", 53), 3),
        lambda: pathlib.Path("/opt/penstock/mine").touch(),
        lambda: pathlib.Path("/project/mine").touch(),
    ):
        try:
            attempt()
        except OSError as error:
            print("refused", type(error).__name__)
        else:
            raise AssertionError("allowed")""",
    )
    done = penstock("run", "-C", root, *IN_IMAGE)
    assert done.returncode == 0, done.stderr
    assert penstock("train", "log", "2", "-C", root).stdout.count("refused") == 3


def test_an_error_in_fit_is_told_at_the_users_line(root: Path, runner: str) -> None:
    in_fit(root, '    raise KeyError("oops")')
    done = penstock("run", "-C", root, *IN_IMAGE)
    assert done.returncode == 1
    assert "pipeline.py:" in done.stderr
    assert "raised KeyError: 'oops'" in done.stderr
    assert runs(root)[0].status == "failed"
    assert call(runner, "ps", "--all", "--quiet") == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_training_ends_with_who_started_it(root: Path, number: signal.Signals, runner: str) -> None:
    in_fit(root, "    import time; time.sleep(600)")
    child = subprocess.Popen([PENSTOCK, "run", "-C", root, *IN_IMAGE], start_new_session=True)
    once(lambda: call(runner, "ps", "--quiet"))
    time.sleep(1.0)
    child.send_signal(number)
    child.wait()
    once(lambda: not call(runner, "ps", "--all", "--quiet"))
    assert runs(root)[0].status == "killed"


def test_a_container_that_is_killed_makes_the_run_killed(root: Path, runner: str) -> None:
    in_fit(root, "    import os, signal, threading; os.kill(os.getpid(), signal.SIGSEGV); import time; time.sleep(600)")
    child = subprocess.Popen([PENSTOCK, "run", "-C", root, *IN_IMAGE], stderr=subprocess.PIPE, text=True)
    once(lambda: call(runner, "ps", "--quiet"))
    call(runner, "kill", *call(runner, "ps", "--quiet").split())
    assert child.wait() == 1
    assert runs(root)[0].status == "killed"


def test_the_image_runs_the_whole_project_where_nothing_else_is_installed(root: Path, runner: str) -> None:
    shutil.rmtree(root / ".penstock")
    user = f"{os.getuid()}:{os.getgid()}"
    done = call(runner, "run", "--rm", "--network=none", "--user", user, f"--volume={root}:/project", TAG, "run")
    assert "passed every gate" in done


def test_an_image_that_is_not_here(root: Path, runner: str) -> None:
    done = penstock("run", "-C", root, "--set", "train.image=nowhere:1")
    assert done.returncode == 2
    assert f"{runner} has no image 'nowhere:1'" in done.stderr
    assert "penstock train image --tag nowhere:1" in done.stderr


def test_a_base_with_another_python_is_refused_with_the_reason(built: Path, runner: str) -> None:
    place = next((built / ".penstock" / "images").iterdir())
    text = (place / "Containerfile").read_text()
    assert 'found == "3.' in text
    call(runner, "tag", BASE, "localhost/other:1")
    wrong = text.replace('found == "3.', 'found == "2.')
    command, variables = [runner, "build", "--file", "-", str(place)], {**os.environ, "DOCKER_BUILDKIT": "1"}
    build = subprocess.run(command, env=variables, input=wrong, capture_output=True, text=True, check=False)
    assert "the base image has Python 3." in build.stdout + build.stderr
