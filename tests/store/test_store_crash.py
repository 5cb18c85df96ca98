"""A writer that dies or runs out of disk, at any moment: the store stays whole."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from power import Power
from services import tmpfs

from penstock.errors import PenstockError
from penstock.store import Manifest, Store
from penstock.store.blobs import Blobs, Draft

SOURCE = Path(__file__).parents[2] / "src"
WRITER = """
import sys
from pathlib import Path
import polars as pl
from penstock.store import Manifest, Store

store = Store.open(Path(sys.argv[1]))
source = Path(sys.argv[2])
number = int(sys.argv[3])
print("ready", flush=True)
while True:
    number += 1
    frame = pl.DataFrame({"n": range(number, number + 20_000), "s": [f"row {number + i}" for i in range(20_000)]})
    table = store.write_table(frame, rows_per_part=4_000)
    source.write_bytes(str(number).encode() * 100_000)
    notes = {"file": store.put_file(source), "log": store.put_bytes(b"x" * number)}
    print(store.commit(Manifest(table.schema, table.parts, notes=notes)), flush=True)
"""
EVERY_LINE = """
import os, signal, sys
from pathlib import Path
import blake3
import polars as pl
from penstock.store import Manifest, Part, Store
from penstock.store import blobs, disk, store

root = Path(sys.argv[1])
traced = {"blobs": {blobs.__file__, disk.__file__}, "tables": {store.__file__}}[sys.argv[2]]


def blobs(number):
    kept = Store.open(root)
    source = root.with_name("source")
    source.write_bytes(number.to_bytes(2) * 50_000)
    drafts = [kept.blobs.draft(number.to_bytes(2) * length) for length in (1000, 2000)]
    kept.blobs.publish(drafts)
    parts = tuple(Part(draft.digest, 0, 0) for draft in drafts)
    print(kept.commit(Manifest((), parts, notes={"file": kept.put_file(source)})), flush=True)


def tables(number):
    kept = Store.open(root)
    frame = pl.DataFrame({"n": range(number * 10_000, number * 10_000 + 300)})
    table = kept.write_table(frame, rows_per_part=100)
    print(kept.commit(Manifest(table.schema, table.parts)), flush=True)


def dying_at(line):
    seen = 0

    def trace(frame, event, _):
        nonlocal seen
        if frame.f_code.co_filename not in traced:
            return None
        if event == "line":
            seen += 1
            if seen == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    globals()[sys.argv[2]](line)
    os._exit(0)


# This process never runs Polars itself, so its forks can start Polars' threads.
line = 0
status = 1
while status:
    line += 1
    child = os.fork()
    if not child:
        dying_at(line)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
print(line, flush=True)
"""


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def assert_whole(store: Store, commits: list[str]) -> None:
    assert store.verify() == []
    for commit in commits:
        manifest = store.manifest(commit)
        assert store.verify([commit, *manifest.notes.values()]) == []


def test_a_writer_killed_at_random_moments_leaves_the_store_whole(tmp_path):
    store = Store.open(tmp_path / "store")
    chance = random.Random(1)
    commits: list[str] = []
    for turn in range(6):
        writer = run(WRITER, tmp_path / "store", tmp_path / "source", turn * 1000)
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.25))
        writer.send_signal(signal.SIGKILL)
        commits += [line.strip() for line in writer.communicate()[0].splitlines() if len(line) == 64]
        assert_whole(store, commits[-3:])
    assert_whole(store, commits)


@pytest.fixture
def quick_disk(tmp_path):
    """In memory where possible: what a killed process leaves does not depend on the disk, and syncs cost nothing."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as directory:
        yield Path(directory)


@pytest.mark.parametrize(("what", "moments"), [("blobs", 200), ("tables", 30)])
def test_a_writer_killed_at_every_single_line_leaves_the_store_whole(quick_disk, what, moments):
    writer = run(EVERY_LINE, quick_disk / "store", what)
    *commits, lines = writer.communicate(timeout=120)[0].splitlines()
    assert writer.returncode == 0
    assert int(lines) > moments

    assert commits
    assert_whole(Store.open(quick_disk / "store"), commits)


def test_a_blob_writer_killed_over_and_over_leaves_no_half_blob(quick_disk):
    blobs = Blobs(quick_disk)
    chance = random.Random(7)
    written = 0
    for turn in range(120):
        child = os.fork()
        if not child:
            _write_blobs_for_ever(blobs, turn)
        time.sleep(chance.uniform(0.002, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for digest in list(blobs.digests()):
            blobs.check(digest)
            blobs.location(digest).unlink()
            written += 1
        blobs.discard(Draft("", path) for path in blobs.drafts())
    assert written


def _write_blobs_for_ever(blobs: Blobs, turn: int) -> None:
    number = 0
    while True:
        number += 1
        blobs.put(f"{turn:03} {number:03} ".encode() * 250_000)


def test_what_is_committed_survives_a_power_cut(tmp_path, monkeypatch):
    power = Power(monkeypatch)
    store = Store.open(tmp_path / "state" / "store")
    table = store.write_table(pl.DataFrame({"n": range(100)}), rows_per_part=10)
    commit = store.commit(Manifest(table.schema, table.parts))
    for digest in (commit, *(part.digest for part in table.parts)):
        assert power.leaves(store.path(digest), below=tmp_path)


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path):
    """The limit on the size of a file stands for a disk that fills up, where no small disk can be mounted."""
    store = Store.open(tmp_path / "store")
    kept = store.put_bytes(b"before")
    child = os.fork()
    if not child:
        os._exit(_put_too_much(store, tmp_path))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    assert list(store.blobs.digests()) == [kept]
    assert list(store.blobs.drafts()) == []


def _put_too_much(store: Store, directory: Path) -> int:
    (directory / "big").write_bytes(bytes(3_000_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    for put in (lambda: store.put_bytes(bytes(3_000_000)), lambda: store.put_file(directory / "big")):
        try:
            put()
        except PenstockError as error:
            if "cannot write" in str(error):
                continue
        return 1
    return 0


@pytest.fixture
def small_disk(tmp_path):
    with tmpfs(tmp_path / "disk", "2m") as place:
        yield place


def test_a_full_disk_leaves_nothing_half_written_and_goes_on_when_there_is_space(small_disk, tmp_path):
    store = Store.open(small_disk / "store")
    kept = store.put_bytes(os.urandom(500_000))
    noise = pl.DataFrame({"x": [os.urandom(1000) for _ in range(4000)]})
    (tmp_path / "big").write_bytes(os.urandom(3_000_000))

    for write in (
        lambda: store.put_bytes(os.urandom(3_000_000)),
        lambda: store.put_file(tmp_path / "big"),
        lambda: store.write_table(noise, rows_per_part=500),
    ):
        with pytest.raises(PenstockError, match=r"the disk is full(.|\n)*next: free some space"):
            write()
        assert list(store.blobs.digests()) == [kept]
        assert list(store.blobs.drafts()) == []
    assert store.verify() == []
    assert store.write_table(noise.head(100)).rows == 100
