from pathlib import Path

import polars as pl
import pytest
import toy

from penstock import Project
from penstock.errors import ConfigError, ContractBroken
from penstock.ledger import Execution, Run
from penstock.stats import Profile


def opened(root: Path, *changes: tuple[str, str]) -> Project:
    text = toy.PROJECT
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return Project.open(toy.make_project(root, project=text), actor="ada")


def executions(project: Project, name: str) -> list[Execution]:
    with project.data._work.ledger.read() as reader:
        return reader.find(Execution, step=name, order_by="finished_at")


def leaky(root: Path) -> None:
    """The parcels arrive with a column that knows the answer."""
    contract = (root / "contracts" / "parcels.yaml").read_text()
    (root / "contracts" / "parcels.yaml").write_text(contract + "  refund: {type: Float64, nullable: true}\n")
    rows = toy.parcels(600)
    toy.write_parcels(root, "parcels-1.csv", rows.with_columns(refund=pl.when("late").then("weight")))


ASKED = (
    "request: [parcel_id, sent, depot, weight, express]",
    "request: [parcel_id, sent, depot, weight, express, refund]",
)
SHIPPED = '{shipped: {function: "pipeline:shipped", from: parcels}}'
STOP = ("contract: contracts/parcels.yaml}", "contract: contracts/parcels.yaml, bench: {stop: [leakage]}}")


def test_each_new_version_is_searched_once_and_the_findings_are_kept(project: Project) -> None:
    (first,) = executions(project, "bench parcels")
    assert {"dataset", "commit", "against"} <= first.inputs.keys()
    turn = project.run()
    assert {event.state for event in turn.events if event.step.startswith("bench")} == {"cached"}
    assert not turn.changed
    assert len(executions(project, "bench parcels")) == 1
    store = project.data._work.store
    project.data.collect()
    assert store.read_json(first.outputs["report"])["commit"] == first.inputs["commit"]
    assert first.outputs["profile"] is None


def test_new_rows_are_compared_with_the_version_before(project: Project) -> None:
    root = project.data._work.project.root
    late = toy.parcels(300, seed=2, start=toy.datetime(2024, 3, 1)).with_columns(weight=pl.col("weight") * 3)
    toy.write_parcels(root, "parcels-2.csv", late)
    (done,) = project.data.ingest("parcels")
    assert [(one["kind"], one["columns"]) for one in done.findings] == [("shift", ("weight",))]
    assert executions(project, "bench parcels")[-1].inputs["against"] == done.previous
    assert project.data.bench("parcels", depth="quick").batch == 300
    store = project.data._work.store
    project.data.collect()
    assert store.read_json(executions(project, "bench parcels")[-1].outputs["profile"])["rows"] == 900


def test_the_profile_that_a_bench_came_to_is_what_the_next_one_compares_with(project: Project, monkeypatch) -> None:
    root = project.data._work.project.root
    built: list[int] = []
    build = Profile.build.__func__

    def counting(cls, rows, reference=None):
        built.append(len(rows.collect_schema()) if reference is None else 0)
        return build(cls, rows, reference)

    monkeypatch.setattr(Profile, "build", classmethod(counting))
    for number in (2, 3):
        built.clear()
        rows = toy.parcels(300, seed=number, start=toy.datetime(2024, number, 9))
        toy.write_parcels(root, f"parcels-{number}.csv", rows)
        project.data.ingest("parcels")
        if number == 2:
            assert max(built) > 0
    assert built == [0]  # no column before was counted again


def test_a_finding_that_the_project_stops_at_ends_the_run_before_anything_trains(tmp_path: Path) -> None:
    project = opened(tmp_path / "p", STOP, ASKED)
    leaky(tmp_path / "p")
    for _ in range(2):  # remembered findings stop it as well
        with pytest.raises(ContractBroken, match=r"leakage.*'refund' alone foretells 'late'"):
            project.run()
    with pytest.raises(ContractBroken, match="leakage"):
        project.explain()
    with pytest.raises(ContractBroken):
        project.data.ingest()
    with project.data._work.ledger.read() as reader:
        assert reader.find(Run) == []


def test_without_a_stop_it_is_told_and_nothing_more(tmp_path: Path) -> None:
    project = opened(tmp_path / "p", ASKED)
    leaky(tmp_path / "p")
    (done,) = project.data.ingest("parcels")
    assert {one["kind"] for one in done.findings} == {"leakage", "missing"}


def test_off_means_that_nothing_is_searched(tmp_path: Path) -> None:
    project = opened(tmp_path / "p", ("contracts/parcels.yaml}", "contracts/parcels.yaml, bench: {depth: 'off'}}"))
    assert project.data.ingest("parcels")[0].findings == ()
    assert executions(project, "bench parcels") == []


def test_an_unknown_kind_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown kind of finding 'leakige' \(did you mean 'leakage'\?\)"):
        opened(tmp_path / "p", ("contracts/parcels.yaml}", "contracts/parcels.yaml, bench: {stop: leakige}}"))


def test_a_transform_with_the_examples_is_searched_for_what_concerns_the_target(tmp_path: Path) -> None:
    project = opened(
        tmp_path / "p", ASKED,
        ("  examples: parcels", f"  transforms: {SHIPPED}\n  examples: shipped"),
    )  # fmt: skip
    leaky(tmp_path / "p")
    code = "\n\ndef shipped(parcels):\n    return parcels.with_columns(copy=pl.col('weight'))\n"
    with (tmp_path / "p" / "pipeline.py").open("a") as file:
        file.write(code)
    seen = []
    project.run(on_event=seen.append)
    (event,) = [event for event in seen if event.step == "bench shipped" and event.state == "done"]
    assert len(event.notes) == 1
    assert "'refund' alone foretells 'late'" in event.notes[0]


def test_personal_data_are_in_neither_report_nor_profile(tmp_path: Path) -> None:
    project = opened(tmp_path / "p")
    contract = tmp_path / "p" / "contracts" / "parcels.yaml"
    contract.write_text(contract.read_text().replace("west]}", "west], pii: quasi_identifier}"))
    project.data.ingest("parcels")
    toy.write_parcels(tmp_path / "p", "parcels-2.csv", toy.parcels(300, seed=2, start=toy.datetime(2024, 3, 1)))
    project.data.ingest("parcels")
    done = executions(project, "bench parcels")[-1]
    profile = project.data._work.store.read_json(done.outputs["profile"])
    assert "weight" in {column["name"] for column in profile["columns"]}
    assert "depot" not in {column["name"] for column in profile["columns"]}
