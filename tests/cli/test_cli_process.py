"""The process of a command: it ends at once, and nobody misses anything."""

import subprocess
import sys
from pathlib import Path

import pytest

PENSTOCK = [sys.executable, "-m", "penstock"]
PROJECT = 'name: farewell\ndata: {datasets: {numbers: {source: "steps:numbers"}}}\n'
STEPS = """
import atexit, pathlib, threading, time

import polars as pl


kept = open("kept", "w")


def late():
    time.sleep(0.5)
    pathlib.Path("thread").touch()


def numbers():
    atexit.register(lambda: pathlib.Path("goodbye").touch())
    threading.Thread(target=late).start()
    kept.write("not yet on disk")
    return pl.DataFrame({"x": [1, 2]})
"""


def test_what_a_users_function_leaves_to_the_end_is_done(tmp_path: Path) -> None:
    (tmp_path / "penstock.yaml").write_text(PROJECT)
    (tmp_path / "steps.py").write_text(STEPS)
    done = subprocess.run([*PENSTOCK, "run"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ingest numbers" in done.stdout
    assert (tmp_path / "goodbye").exists()
    assert (tmp_path / "thread").exists()
    assert (tmp_path / "kept").read_text() == "not yet on disk"


CALLS = [("--version", 0), ("no-such-command", 2), ("status", 2), ("run --json", 2)]


@pytest.mark.parametrize(("words", "code"), CALLS)
def test_the_exit_code_is_the_commands(tmp_path: Path, words: str, code: int) -> None:
    assert subprocess.run([*PENSTOCK, *words.split()], cwd=tmp_path, capture_output=True).returncode == code


def test_output_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PENSTOCK, "schema"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["version", "status", "no-such-command"])
def test_without_any_output_it_ends_as_ever(tmp_path: Path, words: str) -> None:
    command = f'exec "{sys.executable}" -m penstock {words} >&-'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert done.returncode == (0 if words == "version" else 2)
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    child = subprocess.Popen([*PENSTOCK, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.stderr.read() == ""
    assert child.wait(60) in (0, 1)
    child.stderr.close()
