"""How far an ingest is, on a terminal and elsewhere."""

import os
import pty
import subprocess
from pathlib import Path

import pytest
from cli.command import PENSTOCK, document, invoke

from penstock.cli.progress import Shown, line
from penstock.data import Progress


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "penstock.yaml").write_text("name: lab\ndata: {datasets: {flights: {source: '*.csv'}}}\n")
    (tmp_path / "a.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(5000)))
    return tmp_path


def terminal(*command: object) -> str:
    """What a command writes to a terminal on standard error."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([*PENSTOCK, *map(str, command)], stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


@pytest.mark.parametrize("command", [("data", "ingest"), ("run",)])
def test_a_bar_on_a_terminal_and_nothing_with_json(root: Path, command: tuple[str, ...]) -> None:
    shown = terminal(*command, "-C", root)
    assert "flights: a.csv" in shown
    assert "5,000 rows" in shown
    (root / "b.csv").write_text("id\n1\n")
    assert terminal(*command, "-C", root, "--json") == ""


def test_what_is_done_at_once_says_nothing_in_a_pipe(root: Path) -> None:
    done = invoke("data", "ingest", "-C", root)
    assert (done.exit_code, done.stderr) == (0, "")
    assert document(invoke("data", "ingest", "-C", root, "--json"))[0]["skipped"]


def test_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with Shown(every=0) as shown:
        shown(Progress("flights", "a.csv", 1, 2, 0, 0, 4_000_000))
        shown(Progress("flights", "a.csv", 1, 2, 100_000, 1_000_000, 4_000_000))
    first, second = capsys.readouterr().err.splitlines()
    assert first == "flights: a.csv (1 of 2), 0% of 4.0 MB, 0 rows"
    assert second.startswith("flights: a.csv (1 of 2), 25% of 4.0 MB, 100,000 rows, ")


def test_a_line_says_how_much_is_left() -> None:
    far = Progress("flights", "a.csv", 1, 2, 100_000, 1_000_000, 4_000_000)
    assert line(far, 2.0) == "flights: a.csv (1 of 2), 25% of 4.0 MB, 100,000 rows, 50,000 rows/s, 6 s left"
    unknown = Progress("flights", "pipeline:rows", 1, 1, 100, 0, None)
    assert line(unknown, 2.0) == "flights: pipeline:rows, 100 rows, 50 rows/s"
