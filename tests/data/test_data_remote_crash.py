"""Transfers that are killed, that race, and that run out of disk: no ref leads to what is not there."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from power import Power
from services import tmpfs

from penstock import Project
from penstock.data import publish, version_of
from penstock.data.versions.transfer import WORKERS
from penstock.errors import PenstockError
from penstock.store import Manifest, Store
from penstock.store.remote import Remote

PUSH = """
import sys
from penstock import Project
from penstock.errors import Conflict

project = Project.open(sys.argv[1], actor=sys.argv[1])
from penstock.data import push
print("ready", flush=True)
sys.stdin.readline()
try:
    print(project.data.push(sys.argv[2]).refs[0].how, flush=True)
except Conflict as conflict:
    print("conflict", conflict.what, flush=True)
"""


def start(project: Project, remote: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PUSH, str(project._workspace.project.root), remote],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def make(root: Path) -> Project:
    root.mkdir()
    (root / ".git").mkdir()
    (root / "penstock.yaml").write_text("name: lab\ndata: {datasets: {flights: {source: a.csv, mode: append}}}\n")
    return Project.open(root, actor=root.name)


def grow(project: Project, *, rows: int, parts: int, seed: int) -> str:
    """A version with more parts than the last one; the commit."""
    work = project._workspace
    before = project.data.history("flights")[:1]
    noise = random.Random(seed)
    frame = pl.DataFrame({"x": [noise.random() for _ in range(rows)]})
    table = work.store.write_table(frame, rows_per_part=-(-rows // parts))
    old = work.store.manifest(before[0].commit).parts if before else ()
    parents = tuple(version.commit for version in before)
    manifest = Manifest(table.schema, (*old, *table.parts), parents)
    commit = work.store.commit(manifest)
    with work.ledger.write() as tx:
        publish(tx, version_of("flights", commit, manifest), expected=parents[0] if parents else None)
    return commit


def needed(store: Store, commit: str) -> Iterator[str]:
    """Every key that a version needs there."""
    manifest = store.manifest(commit)
    yield f"versions/flights/{commit}.json"
    for digest in (commit, *(part.digest for part in manifest.parts)):
        yield f"blobs/{digest[:2]}/{digest}"
    for parent in manifest.parents:
        yield from needed(store, parent)


def keys(remote: str) -> set[str]:
    return set(Remote.open(remote, root=Path(), create=True).keys(""))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with tmpfs(tmp_path / "disk", "2m") as place:
        yield place


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["s3", "directory"])
def test_a_push_killed_50_times_leaves_no_ref_to_what_is_not_there(tmp_path, request, kind) -> None:
    elsewhere = request.getfixturevalue("s3") if kind == "s3" else tmp_path
    ada = make(tmp_path / "ada")
    for seed in range(3):
        commit = grow(ada, rows=20_000, parts=12, seed=seed)
    store = ada._workspace.store
    process = start(ada, f"{elsewhere}/whole")
    began = time.perf_counter()
    go(process)
    assert process.communicate()[0] == "new\n"
    whole = time.perf_counter() - began
    chance, ends = random.Random(5), []
    for turn in range(50):
        remote = f"{elsewhere}/{turn}"
        process = start(ada, remote)
        go(process)
        time.sleep(chance.uniform(0, whole))
        process.send_signal(signal.SIGKILL)
        process.wait()
        there = keys(remote)
        ends.append("refs/flights/main.json" in there)
        if ends[-1]:
            assert set(needed(store, commit)) <= there
        for key in there:  # a record says that all which its version came from is there
            if key.startswith("versions/"):
                assert set(needed(store, Path(key).stem)) <= there
        blobs = sum(key.startswith("blobs/") for key in there)
        sent = ada.data.push(remote).blobs  # of 3 manifests and 36 parts; what was on its way may have arrived since
        assert 39 - blobs - WORKERS <= sent <= 39 - blobs
        assert set(needed(store, commit)) <= keys(remote)
    assert not all(ends)


def test_a_power_cut_at_any_moment_leaves_no_ref_to_what_is_not_there(tmp_path, monkeypatch) -> None:
    ada, remote = make(tmp_path / "ada"), tmp_path / "remote"
    store = ada._workspace.store
    for seed in range(3):
        commit = grow(ada, rows=200, parts=12, seed=seed)
    told: list[Path] = []

    def complete(final: Path) -> None:
        """Before a record or a ref appears, all that it needs would survive."""
        key = final.relative_to(remote).parts if final.is_relative_to(remote) else ("",)
        if key[0] in ("versions", "refs"):
            told.append(final)
            every = set(needed(store, commit if key[0] == "refs" else final.stem)) - {"/".join(key)}
            assert [one for one in sorted(every) if not power.leaves(remote / one, below=tmp_path)] == []

    power = Power(monkeypatch, complete)
    ada.data.push(str(remote))
    assert [one.parent.parent.name for one in told] == ["versions"] * 3 + ["refs"]
    assert power.leaves(told[-1], below=tmp_path)

    for one in told:
        one.unlink()
    power.forget_names(remote)  # as if the push had been killed when the blobs had their names and nothing was settled
    assert ada.data.push(str(remote)).blobs == 0
    assert len(told) == 8


@pytest.mark.parametrize("turn", range(3))
def test_of_two_that_push_at_once_one_is_told_of_the_other(tmp_path, s3, turn) -> None:
    machines = ada, bob = make(tmp_path / "ada"), make(tmp_path / "bob")
    grow(ada, rows=10, parts=1, seed=0)
    ada.data.push(s3)
    bob.data.clone(s3)
    commits = [grow(one, rows=2_000, parts=4, seed=turn * 2 + n)[:12] for n, one in enumerate(machines)]
    processes = [start(one, s3) for one in machines]
    for process in processes:
        go(process)
    said = [process.communicate()[0].strip() for process in processes]
    loser = 0 if said[0].startswith("conflict") else 1
    assert said[1 - loser] == "moved"
    assert f"{commits[loser]} here and {commits[1 - loser]} there" in said[loser]


def test_a_disk_that_fills_up_in_a_pull_moves_no_ref_and_the_next_pull_goes_on(tmp_path, small_disk) -> None:
    ada, bob = make(tmp_path / "ada"), make(tmp_path / "bob")
    file = tmp_path / "bob" / "penstock.yaml"
    file.write_text(file.read_text() + f"store: {small_disk / 'store'}\n")
    bob = Project.open(tmp_path / "bob", actor="bob")
    remote = str(tmp_path / "remote")
    grow(ada, rows=200_000, parts=4, seed=0)
    ada.data.push(remote)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    with pytest.raises(PenstockError, match="the disk is full"):
        bob.data.pull(remote)
    assert (bob.data.branches(), list(bob._workspace.store.blobs.drafts())) == ((), [])
    ballast.unlink()
    assert bob.data.pull(remote).refs[0].how == "new"
    assert bob.data.show("flights").collect().height == 200_000
