"""Branches of the data: each Git branch moves its own."""

import polars as pl
import pytest

from penstock.data import current, history, publish, resolve, tag, transform, version_of
from penstock.errors import Conflict, UsageError
from penstock.ledger import Ref
from penstock.store import Manifest, read_lock


def on(lab, branch: str) -> None:
    """Check out a Git branch, as far as Penstock looks."""
    (lab.root / ".git").mkdir(exist_ok=True)
    (lab.root / ".git" / "HEAD").write_text(f"ref: refs/heads/{branch}\n")


def at(lab, dataset: str, branch: str) -> str:
    with lab.ledger.read() as reader:
        return current(reader, dataset, branch).commit


def add(lab, name: str, rows: str) -> None:
    lab.write(f"data/{name}.csv", "id,delay,carrier\n" + rows)


@pytest.fixture
def branched(flights):
    """`main` with one file, `work` with two."""
    lab = flights("1,2,AA\n", settings=", mode: append, key: id")
    on(lab, "main")
    first = lab.ingest("flights")
    on(lab, "work")
    add(lab, "b", "2,2,AA\n")
    return lab, first, lab.ingest("flights")


def test_an_ingest_moves_the_branch_that_is_checked_out_and_reads_nothing_again(branched) -> None:
    lab, first, second = branched
    assert (second.why, second.rows, second.previous) == ("files: 1 new", 2, first.commit)
    assert (at(lab, "flights", "main"), at(lab, "flights", "work")) == (first.commit, second.commit)
    assert at(lab, "flights.quarantine", "main") != at(lab, "flights.quarantine", "work")
    assert read_lock(lab.root / "penstock.lock")["flights"].commit == second.commit


def test_a_branch_that_has_nothing_of_its_own_is_where_main_is(branched) -> None:
    lab, first, _ = branched
    (lab.root / "data" / "b.csv").unlink()
    on(lab, "other")
    assert (lab.ingest("flights").skipped, at(lab, "flights", "other")) == (True, first.commit)
    with lab.ledger.read() as reader:
        assert reader.get(Ref, dataset="flights", name="other") is None
        assert resolve(reader, "flights@other", "other").commit == first.commit


def test_both_branches_read_on_from_where_they_are(branched) -> None:
    lab, first, second = branched
    on(lab, "main")
    assert lab.ingest("flights").commit == second.commit  # the same file after the same version
    add(lab, "c", "3,2,AA\n")
    third = lab.ingest("flights")
    assert (third.why, third.previous) == ("files: 1 new", second.commit)
    on(lab, "work")
    assert lab.ingest("flights").commit == third.commit
    with lab.ledger.read() as reader:
        assert [one.commit for one in history(reader, "flights")] == [third.commit, second.commit, first.commit]


def test_time_travel_stays_on_the_branch(branched) -> None:
    lab, first, second = branched
    with lab.ledger.read() as reader:
        moments = [one.created_at for one in history(reader, "flights", "work")]
        assert [one.commit for one in history(reader, "flights", "work")] == [second.commit, first.commit]
        assert [one.commit for one in history(reader, "flights")] == [first.commit]
        for branch, commits in (("main", [first.commit] * 2), ("work", [second.commit, first.commit])):
            found = [resolve(reader, f"flights@{moment.isoformat()}", branch).commit for moment in moments]
            assert found == commits
        assert resolve(reader, "flights@work").commit == second.commit
        assert resolve(reader, "flights", "work").commit == second.commit
        assert resolve(reader, f"flights@{second.commit[:8]}").commit == second.commit


def test_a_transform_moves_the_branch_too(branched) -> None:
    lab, first, second = branched
    lab.write("pipeline.py", "def late(flights):\n    return flights.filter(id=2)\n")
    lab.more = '  transforms:\n    late: {function: "pipeline:late", from: flights}\n'
    on(lab, "main")
    before = transform(lab.project, lab.ledger, lab.store, "late", {"flights": first.commit}).commit
    on(lab, "work")
    after = transform(lab.project, lab.ledger, lab.store, "late", {"flights": second.commit}).commit
    assert (at(lab, "late", "main"), at(lab, "late", "work")) == (before, after)


def test_a_branch_moves_by_compare_and_set_from_where_main_was(branched) -> None:
    lab, first, second = branched
    table = lab.store.write_table(pl.DataFrame({"id": [9]}))
    third = lab.store.commit(Manifest(table.schema, table.parts))
    version = version_of("flights", third, lab.store.manifest(third))
    with pytest.raises(Conflict, match="flights@work is at"), lab.ledger.write() as tx:
        publish(tx, version, expected=first.commit, branch="work")
    with lab.ledger.write() as tx:
        publish(tx, version, expected=first.commit, branch="new")
    assert [at(lab, "flights", name) for name in ("main", "work", "new")] == [first.commit, second.commit, third]


def test_tags_and_branches_keep_their_names(branched) -> None:
    lab, first, second = branched
    with lab.ledger.write() as tx:
        tag(tx, "flights", "before", first.commit)
        with pytest.raises(UsageError, match="cannot be a tag"):
            tag(tx, "flights", "work", second.commit)
    on(lab, "before")
    add(lab, "c", "3,2,AA\n")
    with pytest.raises(UsageError, match="flights@before is a tag"):
        lab.ingest("flights")
    assert at(lab, "flights", "before") == first.commit
