"""The README is run: every command in it works, and prints what the README says."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.console import Command, Shell, commands, says_so
from docs.customers import write_customers

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    place = tmp_path_factory.mktemp("readme")
    write_customers(place / "customers.csv")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
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
