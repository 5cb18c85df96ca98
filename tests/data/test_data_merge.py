"""Merging a branch of the data, and going back to what a Git commit pins."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import toy

from penstock import Project
from penstock.errors import Conflict, PenstockError, UsageError
from penstock.store import read_lock


def on(lab, branch: str) -> Project:
    """The project on a Git branch, as far as Penstock looks."""
    (lab.root / ".git").mkdir(exist_ok=True)
    (lab.root / ".git" / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
    lab.project  # writes penstock.yaml  # noqa: B018
    return Project.open(lab.root, actor="ada")


def add(lab, name: str, rows: str) -> None:
    lab.write(f"data/{name}.csv", "id,delay,carrier\n" + rows)


def ingested(project: Project) -> str:
    (done,) = project.data.ingest()
    return done.commit


@pytest.fixture
def diverged(flights):
    """Both branches have a file that the other has not."""
    lab = flights("1,2,AA\n", settings=", mode: append, key: id, max_quarantined: 50%")
    ingested(on(lab, "main"))
    add(lab, "b", "2,2,AA\n3,2,ZZ\n")
    theirs = ingested(on(lab, "work"))
    (lab.root / "data" / "b.csv").unlink()
    add(lab, "c", "4,2,AA\n5,2,ZZ\n")
    return lab, ingested(on(lab, "main")), theirs


def test_a_branch_that_is_ahead_is_a_fast_forward(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append, key: id")
    first = ingested(on(lab, "main"))
    add(lab, "b", "2,2,AA\n")
    second = ingested(on(lab, "work"))
    main = on(lab, "main")
    assert [(one.how, one.before, one.commit) for one in main.data.merge("work")] == [("fast-forward", first, second)]
    assert [one.how for one in main.data.merge("work", "flights")] == ["up to date"]
    assert read_lock(lab.root / "penstock.lock")["flights"].commit == second
    assert [entry.action for entry in main.audit.log()][-1] == "data.merge"


def test_a_branch_that_is_behind_has_nothing_to_bring(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append, key: id")
    ingested(on(lab, "main"))
    add(lab, "b", "2,2,AA\n")
    theirs = ingested(on(lab, "work"))
    main = on(lab, "main")
    main.data.merge("work")
    add(lab, "c", "3,2,AA\n")
    ours = ingested(main)
    assert [(one.how, one.commit, one.other) for one in main.data.merge("work")] == [("up to date", ours, theirs)]
    assert main.data.version("flights").commit == ours


def test_branches_that_both_appended_become_one_version_with_both_as_parents(diverged) -> None:
    lab, ours, theirs = diverged
    main = on(lab, "main")
    (done,) = main.data.merge("work")
    manifest = lab.store.manifest(done.commit)
    assert (done.how, manifest.parents) == ("rebased", (ours, theirs))
    assert main.data.show("flights").collect()["id"].to_list() == [1, 4, 2]
    assert main.data.quarantine("flights").collect()["id"].to_list() == ["5", "3"]
    assert manifest.notes["quarantine"] == main.data.version("flights.quarantine").commit
    add(lab, "b", "2,2,AA\n3,2,ZZ\n")
    assert main.data.ingest()[0].why == "source unchanged"  # both files are known
    assert [one.how for one in on(lab, "work").data.merge("main")] == ["fast-forward"]


def test_what_both_asked_of_the_same_function_is_kept_after_the_next_ingest(lab) -> None:
    source = "import polars as pl\n\n\ndef rows():\n    return pl.read_csv('rows.csv')\n"
    lab.write("source.py", source.replace("rows.csv", str(lab.root / "rows.csv")))
    lab.datasets["flights"] = '{source: "source:rows", mode: append, watermark: id, key: id}'
    for branch, ids in (("main", "1"), ("work", "1\n2"), ("main", "1\n3"), ("main", "1\n3\n4")):
        if ids.endswith("4"):
            assert [one.how for one in on(lab, "main").data.merge("work")] == ["rebased"]
        lab.write("rows.csv", f"id\n{ids}\n")
        on(lab, branch).data.ingest("flights", refresh=False)
    assert on(lab, "main").data.show("flights").collect()["id"].to_list() == [1, 3, 2, 4]


def test_the_same_merge_on_another_machine_is_the_same_version(diverged) -> None:
    lab, _, _ = diverged
    copy = lab.root.parent / "copy"
    shutil.copytree(lab.root, copy)
    here, there = on(lab, "main"), Project.open(copy, actor="bob")
    assert here.data.merge("work")[0].commit == there.data.merge("work")[0].commit


@pytest.mark.parametrize(
    ("settings", "main", "work", "why"),
    [
        ("key: id", {"a": "9,1,AA\n"}, {"a": "8,1,AA\n"}, "only a dataset with `mode: append`"),
        ("key: id, mode: append", {"b": "9,1,AA\n"}, {"c": "9,2,AA\n"}, "rows of both would share a id"),
        ("key: id, mode: append", {"b": "9,1,AA\n"}, {"b": "8,2,AA\n"}, "b.csv is another file on each"),
    ],
)
def test_what_cannot_be_made_one_stops_with_both_commits(flights, settings, main, work, why) -> None:
    lab = flights("1,2,AA\n", settings=f", {settings}")
    ingested(on(lab, "main"))
    commits = []
    for branch, files in (("work", work), ("main", main)):
        for name, rows in files.items():
            add(lab, name, rows)
        commits.append(ingested(on(lab, branch)))
        for name in files:
            (lab.root / "data" / f"{name}.csv").unlink()
    project = on(lab, "main")
    with pytest.raises(Conflict, match=why) as conflict:
        project.data.merge("work")
    assert all(commit[:12] in str(conflict.value) for commit in commits)
    assert project.data.version("flights").commit == commits[1]


def test_a_file_that_both_read_under_another_contract_is_not_there_twice(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append, max_quarantined: 50%")
    ingested(on(lab, "main"))
    add(lab, "b", "2,50,AA\n3,2,AA\n")
    ingested(on(lab, "work"))
    contract = lab.root / "contracts/flights.yaml"
    contract.write_text(contract.read_text().replace("max: 3000", "max: 10"))
    ingested(on(lab, "main"))
    with pytest.raises(Conflict, match=r"data/b.csv was read on each in another way"):
        on(lab, "main").data.merge("work")


def test_a_row_that_one_side_readmitted_is_no_longer_in_the_quarantine(diverged) -> None:
    lab, _, _ = diverged
    on(lab, "main").data.merge("work")
    assert [one.how for one in on(lab, "work").data.merge("main")] == ["fast-forward"]
    rows = "id,delay,carrier,__file__,__row__\n5,2,AA,data/c.csv,2\n"
    on(lab, "main").data.readmit("flights", note="a typing error", corrected=lab.write("rows.csv", rows))
    add(lab, "d", "6,2,AA\n7,2,ZZ\n")
    ingested(on(lab, "work"))
    main = on(lab, "main")
    assert [one.how for one in main.data.merge("work")] == ["rebased"]
    assert sorted(main.data.show("flights").collect()["id"]) == [1, 2, 4, 5, 6]
    assert sorted(main.data.quarantine("flights").collect()["id"]) == ["3", "7"]


def test_an_unknown_branch_has_the_closest_one_beside_it(diverged) -> None:
    lab, _, _ = diverged
    with pytest.raises(UsageError, match="did you mean 'work'"):
        on(lab, "main").data.merge("wrok")


# --- checkout ------------------------------------------------------------------------------------


def test_a_checkout_holds_until_somebody_ingests(diverged) -> None:
    lab, ours, theirs = diverged
    main = on(lab, "main")
    (done,) = main.data.checkout("work")
    assert (done.before, done.commit, done.rows) == (ours, theirs, 2)
    assert main.data.version("flights.quarantine").commit == lab.store.manifest(theirs).notes["quarantine"]
    assert read_lock(lab.root / "penstock.lock")["flights"].commit == theirs
    assert main.run().data == {"flights": theirs}
    assert main.data.ingest()[0].why == "files: 1 new"
    add(lab, "d", "7,2,AA\n")
    assert main.run().events[0].detail == "files: 1 new"


def test_one_dataset_by_a_day_or_a_commit(diverged) -> None:
    lab, ours, theirs = diverged
    main = on(lab, "main")
    assert main.data.checkout(f"flights@{theirs[:10]}")[0].commit == theirs
    assert main.data.checkout(f"flights@{ours[:10]}")[0].before == theirs
    with pytest.raises(UsageError, match="unknown version of flights 'wrk'"):
        main.data.checkout("wrk")
    with pytest.raises(UsageError, match="did you mean 'flights'"):
        main.data.checkout("flihgts@work")


def test_what_is_not_in_the_store_is_refused_before_anything_moves(diverged) -> None:
    lab, ours, theirs = diverged
    lab.store.blobs.location(lab.store.manifest(theirs).parts[-1].digest).unlink()
    main = on(lab, "main")
    with pytest.raises(PenstockError, match=f"not in the store: flights@{theirs[:12]}") as error:
        main.data.checkout("work")
    assert error.value.hint == "penstock data pull"
    assert main.data.version("flights").commit == ours


def test_going_back_in_git_and_in_data_trains_nothing_again(tmp_path: Path) -> None:
    root = toy.make_project(tmp_path / "parcels", rows=400)
    (root / ".gitignore").write_text(".penstock/\ndata/\n")

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, env={**os.environ})

    git("init", "--initial-branch", "main")
    first = Project.open(root, actor="ada").run()
    git("add", ".")
    git("commit", "-m", "first")
    toy.write_parcels(root, "parcels-2.csv", toy.parcels(100, seed=2, start=toy.START.replace(month=2)))
    (root / "pipeline.py").write_text(toy.PIPELINE.replace("max_iter=500", "max_iter=600"))
    second = Project.open(root, actor="ada").run()
    git("commit", "-am", "second")
    assert first.run_id != second.run_id

    git("checkout", "HEAD~1")
    Project.open(root, actor="ada").data.checkout()
    again = Project.open(root, actor="ada").run()
    assert (again.changed, again.data, again.run_id) == (False, first.data, first.run_id)
    git("checkout", "main")
    Project.open(root, actor="ada").data.checkout()
    assert Project.open(root, actor="ada").run().run_id == second.run_id
