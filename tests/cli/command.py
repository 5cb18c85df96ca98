"""The command line as its users meet it: in this process where that is the same, as a process of its own where not."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from penstock.cli import app

PENSTOCK = (sys.executable, "-m", "penstock")


def invoke(*arguments: object) -> Result:
    """`penstock ARGUMENTS` in this process. What is not an end that a command means to have is raised."""
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def document(result: Result) -> Any:
    """The one JSON document that a command printed."""
    return json.loads(result.stdout)


def start(*arguments: object, cwd: Path | None = None) -> "subprocess.Popen[str]":
    """`penstock ARGUMENTS` as a process."""
    command = [*PENSTOCK, *(str(each) for each in arguments)]
    return subprocess.Popen(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, standard output and standard error, once it has ended."""
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def ends(*arguments: object, cwd: Path | None = None) -> tuple[int, str, str]:
    """`penstock ARGUMENTS` as a process, to its end."""
    return finish(start(*arguments, cwd=cwd))


def replaced(file: Path, *changes: Sequence[str]) -> None:
    """Change a file: each pair is a text that it holds, and what stands there from now on."""
    text = file.read_text()
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    file.write_text(text)
