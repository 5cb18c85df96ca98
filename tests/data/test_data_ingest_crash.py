"""Real processes that are killed, and that race."""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from services import tmpfs

from penstock.data import head, ingest, publish
from penstock.errors import Conflict, ContractBroken, PenstockError
from penstock.ledger import Execution, Ledger, Version
from penstock.project import load_project
from penstock.store import Store, read_lock

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


KILLS = 50


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_killed_fifty_times_it_gets_there_and_no_state_between_is_half(flights, mode: str) -> None:
    lab = flights("", settings=f", mode: {mode}, key: id, max_quarantined: 50%")
    lab.write("data/a.csv", rows(0, 30_000))
    first = lab.ingest("flights").commit
    for number in range(1, 5):
        lab.write(f"data/{number}.csv", rows(number * 30_000, 30_000))
    dice = random.Random(7)
    whole = 2.0
    for _ in range(KILLS):
        process = start(lab.root)
        began = time.perf_counter()
        go(process)
        try:
            process.wait(dice.uniform(0, whole))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        else:
            whole = time.perf_counter() - began
        assert lab.store.verify() == []
        if lab.head("flights").commit != first:
            # it got there: the next files
            assert_all_there(lab, mode)
            first, number = lab.head("flights").commit, number + 1
            lab.write(f"data/{number}.csv", rows(number * 30_000, 30_000))
    done = lab.ingest("flights")
    assert done.rows + done.quarantined == (number + 1) * 30_000
    assert_all_there(lab, mode)


def assert_all_there(lab, mode: str) -> None:
    """Every row once, good or bad."""
    version, aside = lab.head("flights"), lab.head("flights.quarantine")
    assert (version.rows + aside.rows) % 30_000 == 0
    ids = lab.rows("flights")["id"]
    assert ids.is_unique().all()
    assert (ids % 40 != 0).all()
    assert lab.store.manifest(version.commit).notes["quarantine"] == aside.commit


def test_a_full_disk_publishes_nothing_and_the_next_ingest_gets_there(tmp_path: Path) -> None:
    dice = random.Random(7)
    (tmp_path / "data").mkdir()
    for number in range(3):
        noise = "".join(f"{dice.random()}\n" for _ in range(40_000))  # 8 bytes each, which cannot be packed
        (tmp_path / f"data/{number}.csv").write_text(f"x\n{noise}")
    with tmpfs(tmp_path / "disk", "4m") as place:
        dataset = f"{{source: {tmp_path}/data/*.csv}}"
        (place / "penstock.yaml").write_text(f"name: lab\ndata: {{datasets: {{flights: {dataset}}}}}\n")
        project = load_project(place)
        with closing(Ledger.open(project.ledger_url)) as ledger:
            store = Store.open(project.store_path)
            (place / "ballast").write_bytes(bytes(shutil.disk_usage(place).free - 500_000))
            with pytest.raises(PenstockError, match="the disk is full"):
                ingest(project, ledger, store, "flights")
            with ledger.read() as reader:
                assert head(reader, "flights") is None
            (place / "ballast").unlink()
            done = ingest(project, ledger, store, "flights")
            assert done.rows == 120_000
            assert store.verify() == []


@pytest.mark.parametrize("mode", ["snapshot", "append", "upsert"])
def test_two_that_ingest_the_same_at_once_make_one_version(flights, mode: str) -> None:
    lab = flights("", settings=f", mode: {mode}, key: id, max_quarantined: 50%")
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
            publish(tx, before._replace(commit=f"{next(moves):064x}"), expected=before.commit)

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


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def hole_in_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 500_000] = bytes(500_000)  # more than a row group: where it begins there is a header
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut_in_half, hole_in_the_middle])
def test_a_damaged_parquet_file_publishes_nothing_and_is_named(lab, damage: Callable[[Path], None]) -> None:
    lab.write("c.yaml", "columns: {n: {type: Int64}}")
    lab.datasets["flights"] = "{source: 'data/*.parquet', mode: append, contract: c.yaml}"
    (lab.root / "data").mkdir()
    numbers = pl.DataFrame({"n": random.Random(7).choices(range(10**15), k=400_000)})
    numbers.write_parquet(lab.root / "data/a.parquet")
    first = lab.ingest("flights")
    numbers.write_parquet(lab.root / "data/b.parquet")
    damaged = lab.root / "data/c.parquet"
    numbers.write_parquet(damaged, row_group_size=50_000)
    damage(damaged)
    with pytest.raises(ContractBroken, match=r"data/c.parquet: cannot be read"):
        lab.ingest("flights")
    assert lab.head("flights").commit == first.commit
    assert lab.store.verify() == []
    damaged.unlink()
    assert lab.ingest("flights").rows == 800_000


def test_a_zero_byte_in_the_middle_of_a_csv_file_publishes_nothing_and_its_line_is_named(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append")
    first = lab.ingest("flights")
    lab.write("data/b.csv", rows(10, 30_000).replace("20000,", "20\0000,"))
    with pytest.raises(ContractBroken, match=r"data/b.csv.*line 19,992"):
        lab.ingest("flights")
    assert lab.head("flights").commit == first.commit
    assert lab.store.verify() == []
