"""Real processes that are killed, and that race."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from penstock.data import head, ingest, publish
from penstock.errors import Conflict
from penstock.ledger import Execution, Version
from penstock.store import read_lock

INGEST = """
import sys
from pathlib import Path
from penstock.data import ingest
from penstock.errors import Conflict
from penstock.ledger import Ledger
from penstock.project import load_project
from penstock.store import Store

project = load_project(Path(sys.argv[1]))
ledger, store = Ledger.open(project.ledger_url), Store.open(project.store_path)
print("ready", flush=True)
sys.stdin.readline()
try:
    print("skipped" if ingest(project, ledger, store, "flights").skipped else "made", flush=True)
except Conflict:
    print("conflict", flush=True)
"""


def start(root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", INGEST, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def rows(start: int, count: int) -> str:
    return "id,delay,carrier\n" + "".join(
        f"{n},{n % 997 + n % 7 / 7},{'AA' if n % 40 else 'ZZ'}\n" for n in range(start, start + count)
    )


def assert_whole(lab, commit: str | None, rows_before: int) -> None:
    """Either nothing was published or all of it; every byte of what is referenced is there."""
    version, aside = lab.head("flights"), lab.head("flights.quarantine")
    assert (version is None) == (aside is None)
    assert lab.store.verify() == []
    if version is None or version.commit == commit:
        return
    assert version.rows + aside.rows == rows_before + 30_000
    assert lab.rows("flights").height == version.rows
    assert lab.store.manifest(version.commit).notes["quarantine"] == aside.commit
    with lab.ledger.read() as reader:
        assert reader.get(Execution, key=version.producer)


def test_kill_9_at_any_moment_publishes_nothing_half(flights) -> None:
    lab = flights("", settings=", mode: append, key: id, max_quarantined: 50%")
    lab.write("data/a.csv", rows(0, 30_000))
    lab.project  # writes penstock.yaml  # noqa: B018
    process = start(lab.root)
    began = time.perf_counter()
    go(process)
    process.wait()
    whole = time.perf_counter() - began
    commit, total = lab.head("flights").commit, 30_000
    dice = random.Random(7)
    for attempt in range(1, 5):
        lab.write(f"data/{attempt}.csv", rows(attempt * 30_000, 30_000))
        process = start(lab.root)
        go(process)
        time.sleep(dice.uniform(0, whole))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert_whole(lab, commit, total)
        done = lab.ingest("flights")
        total += 30_000
        assert done.rows + done.quarantined == total
        assert lab.rows("flights")["id"].is_unique().all()
        assert read_lock(lab.root / "penstock.lock")["flights"].commit == done.commit
        commit = done.commit


@pytest.mark.parametrize("mode", ["snapshot", "append"])
def test_two_that_ingest_the_same_at_once_make_one_version(flights, mode: str) -> None:
    lab = flights("", settings=f", mode: {mode}, max_quarantined: 50%")
    lab.project  # writes penstock.yaml  # noqa: B018
    for turn in range(2):
        lab.write(f"data/{turn}.csv", rows(turn * 20_000, 20_000))
        processes = [start(lab.root) for _ in range(2)]
        for process in processes:
            go(process)
        ends = sorted(process.communicate()[0].strip() for process in processes)
        assert ends in (["made", "skipped"], ["conflict", "made"])
        version, aside = lab.head("flights"), lab.head("flights.quarantine")
        assert version.rows + aside.rows == (turn + 1) * 20_000
    with lab.ledger.read() as reader:
        assert reader.count(Version, dataset="flights") == 2


def moving(lab) -> Callable[[object], None]:
    """Somebody else, who moves the dataset while its rows are read."""
    moves = count()

    def move(_: object) -> None:
        with lab.ledger.write() as tx:
            before = head(tx, "flights")
            publish(tx, replace(before, commit=f"{next(moves):064x}"), expected=before.commit)

    return move


def test_who_loses_the_race_twice_gives_up(lab) -> None:
    now = lab.write("now.txt", "1")
    lab.write(
        "pipeline.py",
        "import pathlib, polars as pl\n"
        "def rows():\n"
        "    return pl.DataFrame({'id': [int(pathlib.Path(__file__).with_name('now.txt').read_text())]})\n",
    )
    lab.datasets["flights"] = "{source: 'pipeline:rows'}"
    lab.ingest("flights")
    now.write_text("2")
    with pytest.raises(Conflict, match="flights@main is at"):
        ingest(lab.project, lab.ledger, lab.store, "flights", refresh=True, progress=moving(lab))


def test_who_loses_the_race_reads_no_file_again(flights) -> None:
    lab = flights("1,2,AA\n")
    lab.ingest("flights")
    lab.write("data/a.csv", "id,delay,carrier\n2,2,AA\n")
    told = []
    move = moving(lab)
    done = ingest(lab.project, lab.ledger, lab.store, "flights", progress=lambda one: (told.append(one), move(one)))
    assert (done.skipped, done.rows) == (False, 1)
    assert [one.rows for one in told] == [0, 1]


def test_who_loses_the_race_once_wins_the_next(flights) -> None:
    lab = flights("1,2,AA\n")
    first = lab.ingest("flights")
    lab.write("data/a.csv", "id,delay,carrier\n2,2,AA\n")
    raced = []

    def race(_: object) -> None:
        if not raced:
            raced.append(lab.ingest("flights"))

    done = ingest(lab.project, lab.ledger, lab.store, "flights", progress=race)
    assert (done.skipped, done.commit) == (True, raced[0].commit)
    assert raced[0].previous == first.commit
