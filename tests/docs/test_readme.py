"""The README is run: every command in it works, and prints what the README says."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from docs.console import Command, Shell, commands, says_so
from docs.customers import write_customers

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


CURL = """#!{python}
import sys
import httpx
_, _, url, _, data = sys.argv
print(httpx.post(url, content=data).text, end="")
"""


def write_curl(place: Path) -> Path:
    """What the README asks of curl, for a system without it."""
    place.mkdir()
    program = place / "curl"
    program.write_text(CURL.format(python=sys.executable))
    program.chmod(0o755)
    return place


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    place = tmp_path_factory.mktemp("readme")
    write_customers(place / "customers.csv")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if which("curl") is None:
        programs = f"{write_curl(place / 'bin')}{os.pathsep}{programs}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shell = Shell(place, {"PATH": programs, "USER": "ada", "LOGNAME": "ada", "NO_COLOR": "1"}, port)
    yield shell
    shell.close()


@pytest.mark.parametrize("command", list(commands(README)), ids=lambda command: command.text[:40])
def test_readme_command_prints_what_the_readme_says(shell: Shell, command: Command) -> None:
    printed = shell.run(command)
    assert says_so(command.output, printed), f"$ {command.text}\n{printed}"
