from pathlib import Path

import pytest
import toy

from penstock import Project
from penstock.ledger import Execution
from penstock.pipeline.profile_step import kept_profile
from penstock.stats import Profile


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open(toy.make_project(tmp_path / "p"), actor="ada")
    project.data.ingest("parcels")
    return project


def profiles(project: Project) -> list[Execution]:
    with project.data._work.ledger.read() as reader:
        return reader.find(Execution, step="profile parcels", order_by="finished_at")


def test_a_profile_is_counted_once_and_kept(project: Project) -> None:
    first = project.data.profile("parcels")
    assert (first.rows, "weight" in first.columns) == (600, True)
    project.data.collect()
    assert project.data.profile("parcels") == first
    assert len(profiles(project)) == 1


def test_personal_data_are_left_out_also_once_they_are_called_so(project: Project) -> None:
    assert "depot" in project.data.profile("parcels").columns
    contract = project.data._work.project.root / "contracts" / "parcels.yaml"
    contract.write_text(contract.read_text().replace("west]}", "west], pii: quasi_identifier}"))
    assert "depot" not in project.data.profile("parcels").columns


def test_the_next_bench_reads_a_kept_profile_back(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    work = project.data._work
    project.data.profile("parcels")
    rows = toy.parcels(300, seed=2, start=toy.datetime(2024, 3, 1))
    toy.write_parcels(work.project.root, "parcels-2.csv", rows)
    build, built = Profile.build, []
    monkeypatch.setattr(Profile, "build", lambda rows, like=None: built.append(like is None) or build(rows, like))
    project.data.ingest("parcels")
    assert True not in built


def test_a_damaged_profile_is_counted_again(project: Project) -> None:
    work, commit = project.data._work, project.data.version("parcels").commit
    project.data.profile("parcels")
    assert kept_profile(work.ledger, work.store, "parcels", commit) is not None
    place = work.store.blobs.location(profiles(project)[0].outputs["profile"])
    place.chmod(0o644)
    place.write_bytes(b"{}")
    assert kept_profile(work.ledger, work.store, "parcels", commit) is None
