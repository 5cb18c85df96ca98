"""Ctrl-C and SIGTERM, ports that are taken, and two at once: real processes."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import toy
from cli.command import PENSTOCK, document, ends, finish, invoke, replaced, start

from penstock import Project
from penstock.deliver.serving_state import server_running


@pytest.fixture
def root(project: Project) -> Path:
    return project._workspace.project.root


def once(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_ctrl_c_in_a_training_leaves_nothing_half_done_and_the_next_run_goes_on(root: Path) -> None:
    begun = root / "begun"
    wait = f"    import pathlib, time\n    pathlib.Path({str(begun)!r}).touch()\n    time.sleep(600)\n"
    text = (root / "pipeline.py").read_text()
    replaced(root / "pipeline.py", ('    print("fitting"', f'{wait}    print("fitting"'))
    child = start("run", "-C", root)
    once(begun.exists)
    child.send_signal(signal.SIGINT)
    code, output, errors = finish(child)
    assert (code, errors) == (130, "interrupted\n")
    assert "✓ training set" in output
    assert list((root / ".penstock" / "runs").iterdir()) == []
    listed = invoke("train", "runs", "--columns", "number,status,bundle", "-C", root, "--json")
    newest = document(listed)[0]
    assert (newest["number"], newest["status"], newest["bundle"]) == (2, "killed", None)
    assert document(invoke("data", "verify", "-C", root, "--json")) == []

    (root / "pipeline.py").write_text(text)
    replaced(root / "penstock.yaml", ("C: 1.0", "C: 2.0"))
    assert "parcels@2 passed every gate" in invoke("run", "-C", root).stdout
    assert len(document(invoke("deliver", "models", "-C", root, "--json"))) == 2


@pytest.mark.parametrize(
    ("command", "number"), [("serve", signal.SIGINT), ("serve", signal.SIGTERM), ("up", signal.SIGINT)]
)
def test_a_server_ends_when_it_is_told_even_before_it_stands(
    project: Project, root: Path, command: str, number: signal.Signals
) -> None:
    child = start(command, "-C", root, "--port", "0")
    assert line(child).startswith("serving on http://127.0.0.1:")
    child.send_signal(number)
    code, _, errors = finish(child)
    assert (code, errors) == (0, "")
    assert not server_running(project._workspace.serve_directory)


@pytest.mark.parametrize("command", ["serve", "up"])
def test_a_port_that_is_taken(root: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output, errors = ends(command, "-C", root, "--port", port)
    assert (code, output) == (2, "")
    assert errors == (
        f"error: cannot listen on 127.0.0.1:{port}: Address already in use\n"
        "  next: choose another port: --port 0 takes a free one\n"
    )


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_ctrl_c_before_a_command_begins(options: list[str]) -> None:
    early = "import sys\nfrom penstock.cli import main as cli\nfrom penstock.cli import main\n"
    raising = (
        "def interrupted(**_): raise KeyboardInterrupt\nsys.modules['penstock.cli.main'].app = interrupted\nmain()\n"
    )
    command = [PENSTOCK[0], "-c", early + raising, "status", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_two_runs_at_once_train_once_and_both_end_well(tmp_path: Path) -> None:
    root = toy.make_project(tmp_path / "parcels")
    for code, output, errors in map(finish, [start("run", "-C", root) for _ in range(2)]):
        assert (code, errors) == (0, "")
        assert "parcels@1 passed every gate" in output
    assert [run["status"] for run in document(invoke("train", "runs", "-C", root, "--json"))] == ["finished"]
    assert len(document(invoke("deliver", "models", "-C", root, "--json"))) == 1
    assert document(invoke("data", "verify", "-C", root, "--json")) == []
