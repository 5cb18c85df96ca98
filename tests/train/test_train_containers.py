"""What is built and started, without building or starting anything; test_train_image.py does."""

import os
from pathlib import Path

import pytest
import toy

from penstock import Project
from penstock.errors import PenstockError, UsageError
from penstock.ledger import Run
from penstock.train.containers.container import Container, process_code
from penstock.train.containers.tool import BUILDERS, find_image, find_tool, run_tool
from penstock.train.image.build import index_variables
from penstock.train.image.containerfile import containerfile


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = toy.make_project(tmp_path_factory.mktemp("contained") / "parcels")
    Project.open(root, actor="ada").run()
    return root


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Project:
    return Project.open(toy.copy_project(trained, tmp_path / "parcels"), actor="ada")


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def tool_that(directory: Path, does: str, name: str = "podman") -> Path:
    """A program on its own in a directory."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{does}\n")
    (directory / name).chmod(0o755)
    return directory / name


# --- the Containerfile ---


def test_the_text_depends_on_environment_and_base_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    text = containerfile("5f2c", base="python:3.11.7-slim", python="3.11.7")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://ada:secret@index.example/simple")
    assert containerfile("5f2c", base="python:3.11.7-slim", python="3.11.7") == text
    assert "://" not in text
    assert text.count("--require-hashes") == 2
    assert text.rindex("USER 1000:1000") > text.rindex("FROM ")


def test_another_patch_of_python_will_do_and_another_minor_will_not() -> None:
    assert 'found == "3.11"' in containerfile("5f2c", base="b", python="3.11.7")


def test_the_index_reaches_pip_as_well() -> None:
    index = {"UV_DEFAULT_INDEX": "https://i.example", "UV_INDEX_LAB_PASSWORD": "secret"}
    others = {"PATH": "/bin", "UV_CACHE_DIR": "/cache", "PIP_EXTRA_INDEX_URL": ""}
    assert index_variables({**index, **others}) == {**index, "PIP_INDEX_URL": "https://i.example"}
    assert index_variables({**index, "PIP_INDEX_URL": "https://p.example"})["PIP_INDEX_URL"] == "https://p.example"


def test_what_an_image_is_built_from(project: Project) -> None:
    made = project.train.image(only_containerfile=True)
    assert made.digest is None
    assert {path.name for path in made.directory.iterdir()} == {
        "Containerfile", "requirements.txt", "uv.lock", "wheels"
    }  # fmt: skip
    lines = (made.directory / "requirements.txt").read_text().splitlines()
    assert any(line.startswith("polars==") for line in lines)
    (own,) = [line for line in lines if line.startswith("penstock @ file:///build/wheels/")]
    assert "--hash=sha256:" in own
    assert {path.stat().st_mtime for path in made.directory.rglob("*")} == {315_532_800}
    assert project.train.image(only_containerfile=True) == made


def test_a_run_that_recorded_no_environment_has_no_image(project: Project) -> None:
    with project._workspace.ledger.write() as transaction:
        (run,) = transaction.find(Run)
        transaction.change(Run, {"id": run.id}, status="failed", environment="")
    with pytest.raises(UsageError, match="nothing was trained yet"):
        project.train.image(only_containerfile=True)
    with pytest.raises(UsageError, match="recorded no environment"):
        project.train.image("1", only_containerfile=True)


# --- the tool ---


@pytest.mark.usefixtures("nothing_installed")
def test_without_a_tool_it_says_which_are_known() -> None:
    with pytest.raises(UsageError, match="nothing here to build an image with") as caught:
        find_tool(BUILDERS, "build an image")
    assert caught.value.expected == "podman or docker or buildah"


def test_an_unknown_tool_is_refused(project: Project) -> None:
    with pytest.raises(UsageError, match="'buildha'"):
        project.train.image(tool="buildha")


def test_an_image_is_known_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool_that(tmp_path / "bin", 'test "$5" = churn:1 && echo sha256:5f2c')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert find_image("churn:1") == (tmp_path / "bin" / "podman", "5f2c")
    with pytest.raises(UsageError, match="podman has no image 'churn:2'") as caught:
        find_image("churn:2")
    assert "penstock train image --tag churn:2" in str(caught.value)


def test_an_image_is_run_by_the_program_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool_that(tmp_path / "bin", "echo no such image >&2; exit 1")
    docker = tool_that(tmp_path / "bin", "echo sha256:5f2c", name="docker")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert find_image("churn:1") == (docker, "5f2c")
    command = Container.of("churn:1", "penstock-1", ()).command(["-m", "job"], tmp_path, {})
    assert (command[0], command[-3]) == (str(docker), "5f2c")
    tool_that(tmp_path / "bin", "echo is the daemon running? >&2; exit 1", name="docker")
    with pytest.raises(UsageError, match=r"podman .*: no such image; docker .*: is the daemon running\?"):
        find_image("churn:1")


def test_a_build_that_fails_ends_with_its_last_lines(tmp_path: Path) -> None:
    tool = tool_that(tmp_path / "bin", "seq 1 40; echo no space >&2; exit 3")
    seen: list[str] = []
    with pytest.raises(PenstockError, match="podman ended with 3\n  30\n") as caught:
        run_tool(tool, "build", directory=tmp_path, what="not built", hint="look", progress=seen.append)
    assert "no space" in str(caught.value)
    assert len(seen) == 41


# --- a process in a container ---


def test_a_container_sees_what_it_is_given_and_nothing_else(tmp_path: Path) -> None:
    container = Container(Path("/usr/bin/podman"), "5f2c", "penstock-1", (tmp_path,))
    command = container.command(["-m", "job"], tmp_path / "code", {"OMP_NUM_THREADS": "2"})
    assert [each for each in command if each.startswith("--volume")] == [f"--volume={tmp_path}:{tmp_path}"]
    assert [each for each in command if each.startswith("--env")] == ["--env=OMP_NUM_THREADS=2", "--env=HOME=/tmp"]
    assert command[-3:] == ["5f2c", "-m", "job"]
    assert f"--user={os.getuid()}:{os.getgid()}" in command
    for flag in ("--rm", "--read-only", "--interactive"):
        assert flag in command


def test_the_exit_code_is_that_of_the_process() -> None:
    assert [process_code(code) for code in (0, 1, 137, 139)] == [0, 1, -9, -11]


def test_a_container_that_does_not_start_is_told_in_the_tools_words(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does = 'case "$1" in image) echo 5f2c;; run) echo "Error: no such runtime" >&2; exit 125;; esac'
    tool_that(tmp_path / "bin", does)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    root = project._workspace.project.root
    with pytest.raises(PenstockError, match="podman did not start the container: Error: no such runtime"):
        Project.open(root, actor="ada", sets=["train.image=churn:1"]).run()
    failed = project.train.runs()[0]
    assert failed.status == "failed"
    found = Project.open(root, actor="ada", sets=["train.image=churn:1"]).explain()
    (train,) = [step for step in found.steps if step.step == "train"]
    assert train.reasons == ("trained in the environment at hand → image 5f2c",)
