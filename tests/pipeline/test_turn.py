import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import toy

from penstock import Project
from penstock.errors import ContractBroken, PenstockError, UserCodeError
from penstock.ledger import Evaluation, ModelVersion, Run
from penstock.pipeline import Turn, run

HEAVY = """
name: a heavy parcel
input: {parcel_id: x, sent: "2024-01-20T10:00:00", depot: south, weight: 30, express: false}
expect: {label: true}
"""


def root_of(project: Project) -> Path:
    return project._workspace.project.root


def done(turn: Turn) -> list[str]:
    return [event.step for event in turn.events if event.state == "done"]


def rerun(project: Project, *sets: str) -> Turn:
    return Project.open(root_of(project), actor="ada", sets=sets).run()


def test_nothing_is_done_twice(project: Project) -> None:
    turn = project.run()
    assert done(turn) == []
    assert turn.exit_code == 0
    assert turn.version is not None
    assert turn.version.name == "parcels@1"
    with project._workspace.ledger.read() as reader:
        assert (reader.count(Run), reader.count(Evaluation), reader.count(ModelVersion)) == (1, 1, 1)


def test_a_gate_is_only_judged_again(project: Project) -> None:
    assert done(rerun(project, "objective.thresholds.roc_auc.min=0.75")) == ["evaluate"]


def test_a_known_case_that_changed_is_asked_again(project: Project) -> None:
    case = root_of(project) / "cases" / "heavy.yml"
    case.parent.mkdir()
    case.write_text(HEAVY)
    assert rerun(project, "validate.cases=cases").exit_code == 0
    case.write_text(HEAVY.replace("true", "false"))
    turn = rerun(project, "validate.cases=cases")
    assert done(turn) == ["evaluate"]
    assert turn.exit_code == 3


def test_rows_that_have_grown_old_are_judged_again_and_only_once(project: Project) -> None:
    work = Project.open(root_of(project), actor="ada", sets=["objective.slas.freshness=2d"])._workspace

    def turn(year: int) -> Turn:
        return run(work.project, work.ledger, work.store, now=datetime(year, 1, 20, tzinfo=UTC))

    assert turn(2024).exit_code == 0
    late = turn(2026)
    assert (done(late), late.exit_code) == (["evaluate"], 3)
    assert [event.detail for event in late.events if event.step == "evaluate"] == ["fresh True → False"]
    assert [lack[:30] for lack in late.lacks] == ["freshness at most 2d: FAIL, th"]
    assert (done(turn(2026)), done(turn(2024))) == ([], [])


def test_a_parameter_trains_again(project: Project) -> None:
    turn = rerun(project, "train.params.C=0.5")
    assert done(turn) == ["train", "evaluate", "register"]
    (trained,) = [event for event in turn.events if event.step == "train"]
    assert trained.detail == "params.C 1.0 → 0.5"


def test_monitoring_settings_rebuild_nothing(project: Project) -> None:
    assert done(rerun(project, "monitor.window=1w", "deliver.server.port=9999")) == []


def test_new_rows_rebuild_what_depends_on_them(project: Project) -> None:
    toy.write_parcels(
        root_of(project), "parcels-2.csv", toy.parcels(100, seed=2, start=toy.START + toy.timedelta(days=26))
    )
    turn = rerun(project)
    assert done(turn) == ["ingest parcels", "bench parcels", "training set", "train", "evaluate", "register"]
    assert turn.version is not None
    assert turn.version.number == 2


def test_a_comment_in_the_code_trains_again(project: Project) -> None:
    source = root_of(project) / "pipeline.py"
    source.write_text(source.read_text() + "\n# a thought\n")
    assert "train" in done(rerun(project))


def test_a_refused_model_is_not_registered(project: Project) -> None:
    turn = rerun(project, "objective.thresholds.roc_auc.min=0.999", "train.params.C=0.01")
    assert turn.exit_code == 3
    assert turn.version is None
    assert any("roc_auc at least 0.999: FAIL" in lack for lack in turn.lacks)
    assert [version.number for version in project.deliver.models()] == [1]


def test_a_registered_model_that_is_refused_now_stays_registered(project: Project) -> None:
    turn = rerun(project, "objective.thresholds.roc_auc.min=0.999")
    assert (turn.exit_code, turn.version) == (3, None)
    assert turn.lapsed is not None
    assert [version.name for version in project.deliver.models()] == [turn.lapsed.name]


@pytest.mark.parametrize("gate", ["metric: nowhere:mine, min: 1", "metric: pipeline:none, min: 1"])
def test_a_gate_that_is_wrong_is_told_before_training(project: Project, gate: str) -> None:
    with pytest.raises(PenstockError, match=r"nowhere|none"):
        rerun(project, "train.params.C=0.3", f"validate.gates=[{{{gate}}}]")
    assert len(project.train.runs()) == 1


def test_a_broken_contract_stops_before_training(project: Project) -> None:
    rows = toy.parcels(50, seed=3).rename({"weight": "mass"})
    toy.write_parcels(root_of(project), "parcels-3.csv", rows)
    with pytest.raises(ContractBroken) as caught:
        rerun(project)
    assert caught.value.exit_code == 4
    assert "weight" in str(caught.value)
    with project._workspace.ledger.read() as reader:
        assert reader.count(Run) == 1
    assert project.data.version("parcels").rows == 600


def test_an_error_in_fit_names_the_users_line_and_the_next_run_recovers(project: Project) -> None:
    source = root_of(project) / "pipeline.py"
    good = source.read_text()
    source.write_text(good.replace('print("fitting", X.height)', 'raise KeyError("oops")'))
    with pytest.raises(UserCodeError, match=r"pipeline\.py:\d+: pipeline:fit raised KeyError"):
        rerun(project)
    assert project.train.runs()[0].status == "failed"
    source.write_text(good)
    assert done(rerun(project)) == []


def test_transforms_run_in_order_and_come_back_from_memory(tmp_path: Path) -> None:
    (tmp_path / "penstock.yaml").write_text(
        """
name: chain
data:
  datasets: {numbers: {source: "steps:numbers"}}
  transforms:
    total: {function: "steps:total", from: doubled}
    doubled: {function: "steps:doubled", from: numbers}
"""
    )
    code = tmp_path / "steps.py"
    text = """
import polars as pl
def numbers():
    return pl.DataFrame({"x": range(10)})
def doubled(numbers):
    return numbers.with_columns(pl.col("x") * 2)
def total(doubled):
    return doubled.sum()
"""
    code.write_text(text)
    first = Project.open(tmp_path, actor="ada")
    assert done(first.run()) == ["ingest numbers", "bench numbers", "transform doubled", "transform total"]
    assert first.data.show("total").collect().item() == 90
    code.write_text(text.replace("* 2", "* 3"))
    Project.open(tmp_path, actor="ada").run()
    assert first.data.show("total").collect().item() == 135
    code.write_text(text)
    assert done(Project.open(tmp_path, actor="ada").run()) == []
    assert first.data.show("total").collect().item() == 90


def test_turns_at_the_same_time_train_once(trained: Path, tmp_path: Path) -> None:
    root = toy.copy_project(trained, tmp_path / "parcels")
    command = [sys.executable, "-m", "penstock", "run", "-C", str(root), "--set", "train.params.C=0.3"]
    turns = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(3)]
    outputs = [turn.communicate(timeout=120)[0].decode() for turn in turns]
    assert [turn.returncode for turn in turns] == [0, 0, 0], outputs
    project = Project.open(root, actor="ada")
    assert [(run.number, run.status) for run in project.train.runs()] == [(2, "finished"), (1, "finished")]
    assert [version.number for version in project.deliver.models()] == [2, 1]


@pytest.mark.parametrize("patience", [0.4, 0.9, 1.6, 2.6, 3.6])
def test_a_turn_that_was_killed_is_taken_up_again(trained: Path, tmp_path: Path, patience: float) -> None:
    root = toy.copy_project(trained, tmp_path / "parcels")
    toy.write_parcels(root, "parcels-2.csv", toy.parcels(100, seed=2, start=toy.START + toy.timedelta(days=26)))
    command = [sys.executable, "-m", "penstock", "run", "-C", str(root)]
    turn = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(patience)
    os.kill(turn.pid, signal.SIGKILL)
    turn.wait()
    project = Project.open(root, actor="ada")
    again = project.run()
    assert again.version is not None, again.lacks
    assert again.version.number == 2
    runs = project.train.runs()
    assert {run.status for run in runs} <= {"finished", "killed"}
    assert sum(run.status == "finished" for run in runs) == 2
    assert project.data.verify() == ()
    assert isinstance(project.data.show("parcels").collect(), pl.DataFrame)
    assert project.data.version("parcels").rows == 700
