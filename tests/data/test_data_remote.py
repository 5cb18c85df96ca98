"""Push, pull and clone: against a real S3 server, and a directory."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import obstore
import pytest

from penstock import Project
from penstock.errors import Conflict, Damaged, PenstockError, UsageError
from penstock.ledger import Edge, Execution, Version, node
from penstock.store.objects import object_store

SETTINGS = "mode: append, key: id, max_quarantined: 50%"
CONTRACT = """\
columns:
  id: {type: Int64, nullable: false}
  delay: {type: Float64, min: -60, max: 3000}
  carrier: {type: String, values: [AA, UA]}
"""


@pytest.fixture(params=["s3", "directory"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where to push to, of each kind."""
    return str(request.getfixturevalue("s3")) if request.param == "s3" else str(tmp_path / "remote")


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Project]:
    """A checkout of the project on a machine of its own; the same name is the same machine."""

    def make(name: str, remote: str, settings: str = SETTINGS) -> Project:
        root = tmp_path / name
        for directory in ("data", "contracts", ".git"):
            (root / directory).mkdir(parents=True, exist_ok=True)
        (root / "contracts" / "flights.yaml").write_text(CONTRACT)
        dataset = f"{{source: data/*.csv, contract: contracts/flights.yaml, {settings}}}"
        text = f"name: lab\ndata:\n  remote: {remote}\n  datasets:\n    flights: {dataset}\n"
        (root / "penstock.yaml").write_text(text)
        return Project.open(root, actor=name)

    return make


def root_of(project: Project) -> Path:
    return project._workspace.project.root


def add(project: Project, name: str, *ids: int) -> str:
    """A file arrives and is ingested; the commit."""
    rows = "".join(f"{n},2,{'AA' if n % 10 else 'ZZ'}\n" for n in ids)
    (root_of(project) / "data" / f"{name}.csv").write_text("id,delay,carrier\n" + rows)
    (done,) = project.data.ingest()
    return done.commit


def ids(project: Project, reference: str = "flights") -> list[int]:
    return project.data.show(reference).collect()["id"].to_list()


def flip(remote: str, digest: str) -> None:
    """Change a bit of a blob there."""
    store, key = object_store(remote), f"blobs/{digest[:2]}/{digest}"
    data = bytearray(obstore.get(store, key).bytes())
    data[len(data) // 2] ^= 1
    obstore.put(store, key, bytes(data))


def part_of(project: Project, commit: str, number: int = 0) -> str:
    return project._workspace.store.manifest(commit).parts[number].digest


# --- there and back ------------------------------------------------------------------------------


def test_a_clone_has_the_rows_and_knows_where_they_are_from(machine, remote) -> None:
    ada = machine("ada", remote)
    first = add(ada, "a", 1, 2, 10)
    ada.data.tag("flights", "before")
    second = add(ada, "b", 3)
    pushed = ada.data.push()
    assert [(one.name, one.commit, one.how) for one in pushed.refs] == [
        ("before", first, "new"),
        ("main", second, "new"),
    ]

    bob = machine("bob", remote)
    cloned = bob.data.clone()
    assert (cloned.blobs, cloned.bytes) == (pushed.blobs, pushed.bytes)
    assert (ids(bob), ids(bob, "flights@before")) == ([1, 2, 3], [1, 2])
    assert bob.data.quarantine("flights").collect()["id"].to_list() == ["10"]
    assert bob.data.verify() == ()
    with ada._workspace.ledger.read() as here, bob._workspace.ledger.read() as there:
        for record, key in ((Version, {"commit": second}), (Edge, {"target": node("data", second)})):
            assert here.find(record, **key) == there.find(record, **key)
        producer = there.get(Version, dataset="flights", commit=second).producer
        assert there.get(Execution, key=producer) == here.get(Execution, key=producer)


def test_the_other_side_reads_on_without_reading_again(machine, remote) -> None:
    ada, bob = machine("ada", remote), machine("bob", remote)
    add(ada, "a", 1, 2)
    ada.data.push()
    bob.data.pull()
    shutil.copy(root_of(ada) / "data" / "a.csv", root_of(bob) / "data")
    (same,) = bob.data.ingest()
    assert (same.why, same.skipped) == ("source unchanged", True)
    third = add(bob, "b", 3)
    assert bob.data.push().refs[0].how == "moved"
    assert [(one.how, one.commit) for one in ada.data.pull().refs] == [("moved", third)]
    assert ids(ada) == [1, 2, 3]


def test_what_is_there_is_not_sent_again(machine, remote) -> None:
    ada, bob = machine("ada", remote), machine("bob", remote)
    add(ada, "a", 1, 2)
    assert (ada.data.push().blobs, ada.data.push().blobs) == (3, 0)
    add(ada, "b", 3)
    assert ada.data.push().blobs == 3  # a part, a manifest, and that of the rows set aside
    assert (bob.data.pull().blobs, bob.data.pull().blobs) == (4, 0)
    assert bob.data.push().refs[0].how == "up to date"


def test_what_penstock_lock_pins_comes_too(machine, remote) -> None:
    ada, bob = machine("ada", remote), machine("bob", remote)
    first = add(ada, "a", 1)
    lock = (root_of(ada) / "penstock.lock").read_bytes()
    second = add(ada, "b", 2)
    ada.data.push()
    (root_of(bob) / "penstock.lock").write_bytes(lock)
    with pytest.raises(PenstockError, match="not in the store") as error:
        bob.data.checkout()
    assert error.value.hint == "penstock data pull"
    pulled = bob.data.pull()
    assert (pulled.pinned, bob.data.version("flights").commit) == ((f"flights@{first}",), second)
    bob.data.checkout()
    assert (ids(bob), bob.run().data) == ([1], {"flights": first})
    assert bob.data.push().refs[0].how == "behind"


def test_a_branch_of_its_own(machine, remote) -> None:
    ada = machine("ada", remote)
    add(ada, "a", 1)
    ada.data.push()
    (root_of(ada) / ".git" / "HEAD").write_text("ref: refs/heads/fix/ids\n")
    ada = machine("ada", remote)
    second = add(ada, "b", 2)
    assert [(one.name, one.how) for one in ada.data.push().refs] == [("fix/ids", "new")]
    bob = machine("bob", remote)
    bob.data.pull()
    assert ids(bob) == [1]
    (root_of(bob) / ".git" / "HEAD").write_text("ref: refs/heads/fix/ids\n")
    bob = machine("bob", remote)
    assert [(one.name, one.commit) for one in bob.data.pull().refs] == [("fix/ids", second)]
    assert (ids(bob), ids(bob, "flights@main")) == ([1, 2], [1])


def test_computed_tables_are_done_on_the_other_side(machine, remote) -> None:
    ada, bob = machine("ada", remote), machine("bob", remote)
    for one in (ada, bob):
        (root_of(one) / "pipeline.py").write_text("def late(flights):\n    return flights.filter(id=2)\n")
        with (root_of(one) / "penstock.yaml").open("a") as file:
            file.write('  transforms: {late: {function: "pipeline:late", from: flights}}\n')
    ada, bob = (Project.open(root_of(one), actor="ada") for one in (ada, bob))
    (root_of(ada) / "data" / "a.csv").write_text("id,delay,carrier\n1,2,AA\n2,2,AA\n")
    made = ada.run().data
    ada.data.push()
    bob.data.clone()
    assert ids(bob, "late") == [2]
    shutil.copy(root_of(ada) / "data" / "a.csv", root_of(bob) / "data")
    done = bob.run()
    assert done.data == made
    assert {event.step: event.state for event in done.events}["transform late"] == "cached"
    (root_of(bob) / "data" / "b.csv").write_text("id,delay,carrier\n3,2,AA\n")
    assert bob.run().data != made
    newest = bob.data.version("late").commit
    assert {one.dataset: one.how for one in bob.data.pull().refs} == {"flights": "ahead", "late": "ahead"}
    assert bob.data.version("late").commit == newest


# --- conflicts -----------------------------------------------------------------------------------


def test_who_diverged_merges_what_is_there_and_pushes(machine, remote) -> None:
    ada, bob = machine("ada", remote), machine("bob", remote)
    add(ada, "a", 1)
    ada.data.push()
    bob.data.pull()
    shutil.copy(root_of(ada) / "data" / "a.csv", root_of(bob) / "data")
    add(ada, "b", 2)
    theirs = add(ada, "c", 3)
    ada.data.push()
    ours = add(bob, "d", 4)
    for attempt in (bob.data.push, bob.data.pull):
        with pytest.raises(Conflict) as conflict:
            attempt()
        assert f"{ours[:12]} here and {theirs[:12]} there" in str(conflict.value)
    assert conflict.value.hint == "penstock data merge remote/main"
    assert bob.data.version("flights").commit == ours
    assert [one.how for one in bob.data.merge("remote/main")] == ["rebased"]
    assert ids(bob) == [1, 4, 2, 3]
    assert [one.how for one in bob.data.push().refs] == ["moved"]
    assert [one.how for one in ada.data.pull().refs] == ["moved"]
    assert ids(ada) == [1, 4, 2, 3]


def test_who_loses_the_race_for_a_ref_is_told_both_commits(machine, remote) -> None:
    ada, bob = machine("ada", remote), machine("bob", remote)
    add(ada, "a", 1)
    ada.data.push()
    bob.data.pull()
    theirs, ours = add(bob, "b", 2), add(ada, "c", 3)

    def race(at: object) -> None:
        """Bob pushes while Ada sends."""
        if bob.data.version("flights").commit == theirs and not raced:
            raced.append(bob.data.push())

    raced: list[object] = []
    with pytest.raises(Conflict, match="somebody pushed meanwhile") as conflict:
        ada.data.push(progress=race)
    assert f"{ours[:12]} here and {theirs[:12]} there" in str(conflict.value)
    assert obstore.get(object_store(remote), "refs/flights/main.json").bytes().to_bytes().count(theirs.encode()) == 1


def test_a_tag_never_moves_there_either(machine, remote) -> None:
    ada, bob = machine("ada", remote), machine("bob", remote)
    add(ada, "a", 1)
    ada.data.tag("flights", "v1")
    ada.data.push()
    add(bob, "b", 2)
    bob.data.tag("flights", "v1")
    with pytest.raises(Conflict, match="flights@v1"):
        bob.data.push()


# --- damage --------------------------------------------------------------------------------------


def test_a_flipped_bit_there_is_found_named_and_mended(machine, remote) -> None:
    ada, bob = machine("ada", remote), machine("bob", remote)
    commit = add(ada, "a", 1, 2)
    ada.data.push()
    damaged = part_of(ada, commit)
    flip(remote, damaged)
    with pytest.raises(Damaged) as error:
        bob.data.pull()
    assert f"{remote}/blobs/{damaged[:2]}/{damaged}" in str(error.value)
    assert "flights" not in {ref.dataset for ref in bob.data.branches()}
    assert not bob._workspace.store.has(damaged)
    assert ada.data.push(verify=True).repaired == (damaged,)
    assert ada.data.push(verify=True).repaired == ()
    bob.data.pull()
    assert ids(bob) == [1, 2]


def test_a_blob_that_is_gone_there_is_named(machine, remote) -> None:
    ada, bob = machine("ada", remote), machine("bob", remote)
    gone = part_of(ada, add(ada, "a", 1))
    ada.data.push()
    obstore.delete(object_store(remote), f"blobs/{gone[:2]}/{gone}")
    with pytest.raises(Damaged, match=f"blob {gone} is missing"):
        bob.data.pull()


def test_damage_here_does_not_travel(machine, remote) -> None:
    ada = machine("ada", remote)
    part = part_of(ada, add(ada, "a", 1, 2))
    path = ada._workspace.store.blobs.location(part)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Damaged, match=part):
        machine("ada", remote).data.push()
    assert not [one for batch in obstore.list(object_store(remote), "refs") for one in batch]


# --- names ---------------------------------------------------------------------------------------


def test_what_cannot_be_done_says_what_to_do(machine, tmp_path) -> None:
    ada = machine("ada", str(tmp_path / "remote"))
    with pytest.raises(UsageError, match="no such directory"):
        ada.data.pull()
    (tmp_path / "remote").mkdir()
    add(ada, "a", 1)
    with pytest.raises(UsageError, match="the project has data already"):
        ada.data.clone()
    with pytest.raises(UsageError, match="nothing was pushed there yet"):
        ada.data.pull()
    with pytest.raises(UsageError, match="nothing was pushed there yet"):
        machine("bob", str(tmp_path / "remote")).data.clone()
    file = root_of(ada) / "penstock.yaml"
    file.write_text(file.read_text().replace(f"  remote: {tmp_path / 'remote'}\n", ""))
    with pytest.raises(UsageError, match="names no remote"):
        Project.open(root_of(ada)).data.push()


def test_a_pin_that_was_never_pushed_is_named(machine, tmp_path) -> None:
    ada, bob = machine("ada", str(tmp_path / "remote")), machine("bob", str(tmp_path / "remote"))
    add(ada, "a", 1)
    ada.data.push()
    second = add(ada, "b", 2)
    shutil.copy(root_of(ada) / "penstock.lock", root_of(bob))
    with pytest.raises(UsageError, match=f"flights@{second[:12]} is not there"):
        bob.data.pull()


def test_a_directory_is_seen_from_the_project(machine, tmp_path) -> None:
    ada = machine("ada", "../remote")
    add(ada, "a", 1)
    assert ada.data.push().remote == str(tmp_path / "remote")
    assert os.listdir(tmp_path / "remote" / "refs" / "flights") == ["main.json"]
