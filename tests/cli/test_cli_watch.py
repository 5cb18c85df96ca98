"""`penstock data watch`: a real process that is told to end."""

import signal
import subprocess
from pathlib import Path

import pytest
from cli.command import document, ends, finish, invoke, start


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "penstock.yaml").write_text("name: lab\ndata: {datasets: {flights: {source: '*.csv', mode: append}}}\n")
    (tmp_path / "a.csv").write_text("id\n1\n")
    return tmp_path


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_what_arrived_and_ends_well(root: Path, number: signal.Signals) -> None:
    child = start("data", "watch", "-C", root, "--every", "200ms")
    assert line(child) == "looking every 200ms\n"
    assert line(child).endswith("1 row  (first ingest)\n")
    (root / "b.csv").write_text("id\n2,3\n")
    assert "b.csv: cannot be read: line 2 has 2 cells, the header 1" in line(child)
    line(child)  # what to do next
    (root / "b.csv").write_text("id\n2\n")
    assert line(child).endswith("2 rows  (files: 1 new)\n")
    child.send_signal(number)
    assert finish(child) == (0, "", "")
    assert len(document(invoke("data", "log", "flights", "-C", root, "--json"))) == 2


def test_one_watches_at_a_time(root: Path) -> None:
    first = start("data", "watch", "-C", root)
    line(first)
    code, _, errors = ends("data", "watch", "-C", root)
    assert code == 5
    assert "data:watch is being done by" in errors
    first.kill()
    first.communicate()
    second = start("data", "watch", "-C", root)
    assert line(second) == "looking every 10s\n"  # the lease of a process that died is free
    second.send_signal(signal.SIGTERM)
    assert finish(second)[0] == 0


def test_words_that_are_no_interval_and_no_dataset(root: Path) -> None:
    assert invoke("data", "watch", "-C", root, "--every", "often").exit_code == 2
    assert invoke("data", "watch", "flihgts", "-C", root).exit_code == 2


def test_what_became_of_the_rows_is_told(root: Path) -> None:
    spec = "{flights: {source: '*.csv', mode: append, watermark: id}, prices: {source: '*.csv', mode: upsert, key: id}}"
    (root / "penstock.yaml").write_text(f"name: lab\ndata: {{datasets: {spec}}}\n")
    (root / "a.csv").write_text("id\n2\n3\n3\n")
    assert invoke("data", "ingest", "prices", "-C", root).stdout.splitlines()[1:] == [
        "  2  inserted",
        "  1  superseded by another row of the same key",
    ]
    invoke("data", "ingest", "flights", "-C", root)
    (root / "b.csv").write_text("id\n1\n")
    told = invoke("data", "ingest", "flights", "-C", root).stdout
    assert "1  too late: not after the newest row that is kept" in told
