import subprocess
import sys
from pathlib import Path

import toy

STOPPED_WHERE_NOBODY_LISTENS = """
import os, signal, sys
from penstock import Project
from penstock.api.up import up

def tick():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    except BaseException:
        {then}

up(Project.open(sys.argv[1])._workspace, follow=lambda: None, tick=tick, host=None, port=0, on_tick=lambda ticked: None)
"""


def stop(tmp_path: Path, then: str) -> str:
    root = toy.make_project(tmp_path, rows=1)
    command = [sys.executable, "-c", STOPPED_WHERE_NOBODY_LISTENS.format(then=then), str(root)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_signal_that_a_library_swallows_still_ends_the_loop(tmp_path: Path) -> None:
    assert "serving on http://127.0.0.1:" in stop(tmp_path, "pass")


def test_a_signal_that_a_library_turns_into_an_error_of_its_own_still_ends_the_loop(tmp_path: Path) -> None:
    assert "failed" not in stop(tmp_path, "raise TypeError('not a data type')")
