"""Whole searches on real processes and a real ledger: what they find, what they keep, what they survive."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from train.search_toy import WEIGHT, Desk, desk

from penstock.engine import open_pool
from penstock.errors import Conflict, UserCodeError
from penstock.ledger import Artifact, Metric, MetricPoint, Run, Tag, hold_lease
from penstock.project import Engine
from penstock.train import reap
from penstock.train.search import Aim, Choice, Found, Limit, Trial, read_search, run_search


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return desk(tmp_path_factory.mktemp("search"))


@pytest.fixture(scope="module")
def found(here: Desk) -> Found:
    """Ten trials one after another, the first of them what the project file says."""
    return here.search(here.plan({**WEIGHT, "trials": 10}, params={"weight": 0.02}))


def shape(found: Found) -> list[tuple[int, str, Choice, tuple[float, ...]]]:
    """What does not depend on the clock."""
    return [(each.number, each.status, each.choice, each.folds) for each in found.trials]


def test_the_best_trial_keeps_the_limits_and_is_better_than_the_rest(found: Found) -> None:
    assert [trial.number for trial in found.trials] == list(range(10))
    assert found.ended == "10 trials"
    assert found.best
    assert found.best.choice.params["weight"] > 1  # the world is steep
    values = [trial.value(found.aim) for trial in found.trials]
    assert found.best.value(found.aim) == min(value for value in values if value is not None)
    assert found.ranked()[0] is found.best


def test_trial_0_is_what_the_project_file_trains_with(found: Found) -> None:
    assert found.trials[0].choice.params == {"weight": 0.02}


def test_a_trial_is_a_run_with_all_that_belongs_to_it(here: Desk, found: Found) -> None:
    trial = found.trials[3]
    with here.ledger.read() as reader:
        run = reader.get(Run, id=trial.id)
        tags = {tag.name: tag.value for tag in reader.find(Tag, run=trial.id)}
        metrics = {metric.name: metric for metric in reader.find(Metric, run=trial.id)}
        points = reader.find(MetricPoint, run=trial.id, name="fold_squared", order_by="number")
        (record,) = reader.find(Artifact, run=trial.id)
    assert run
    assert (run.kind, run.status, run.experiment) == ("trial", "finished", found.experiment)
    assert run.params == trial.choice.params
    assert tags == {"trial": "3", "algorithm": "fit", "features": "everything"}
    assert tuple(point.value for point in points) == trial.folds
    assert metrics["cv_squared"].value == pytest.approx(sum(trial.folds) / 3)
    assert {"cv_bias", "seconds", "peak_memory_mb"} <= {*metrics}
    assert here.store.read_json(record.digest)["experiment"] == found.experiment
    assert run.log
    assert here.store.read_bytes(run.log).decode().count("fitting 160") == 3


def test_a_search_is_read_from_the_ledger_as_it_was_found(here: Desk, found: Found) -> None:
    with here.ledger.read() as reader:
        read = read_search(reader, here.store, found.experiment)
    assert shape(read) == shape(found)
    assert read.best
    assert found.best
    assert read.best.metrics == pytest.approx(found.best.metrics)


def test_nothing_is_left_behind(here: Desk, found: Found) -> None:
    assert list((here.home / "runs").iterdir()) == []


def test_searched_again_nothing_is_trained(here: Desk, found: Found) -> None:
    told: list[Trial] = []
    again = here.search(
        here.plan({**WEIGHT, "trials": 10}, params={"weight": 0.02}), lambda trial, _: told.append(trial)
    )
    assert told == []
    assert shape(again) == shape(found)


def test_more_trials_go_on_where_it_ended(here: Desk, found: Found, tmp_path: Path) -> None:
    """And they are those that a search of twelve from the start would have had."""
    more = here.search(here.plan({**WEIGHT, "trials": 12}, params={"weight": 0.02}))
    assert shape(more)[:10] == shape(found)
    assert len(more.trials) == 12
    other = desk(tmp_path)
    assert shape(other.search(other.plan({**WEIGHT, "trials": 12}, params={"weight": 0.02}))) == shape(more)


def test_trials_at_the_same_time_are_as_many_and_each_is_recorded(tmp_path: Path) -> None:
    here = desk(tmp_path)
    found = here.search(here.plan({**WEIGHT, "workers": 3}))
    assert [trial.status for trial in found.trials] == ["finished"] * 6
    with here.ledger.read() as reader:
        assert [run.number for run in reader.find(Run, order_by="number")] == [1, 2, 3, 4, 5, 6]


def test_a_trial_that_fails_is_told_and_the_search_goes_on(tmp_path: Path) -> None:
    here = desk(tmp_path)
    kinds = {"space": {"crash": {"values": [False, True]}, "kind": {"values": ["a", "killed"]}}, "sampler": "grid"}
    found = here.search(here.plan(kinds, params={"weight": 5.0, "crash": False, "kind": "a"}))
    assert found.ended == "everything was tried"
    assert sorted(trial.status for trial in found.trials) == ["failed", "failed", "failed", "finished"]
    errors = " ".join(trial.error for trial in found.trials)
    assert "ValueError: as it was told to" in errors
    assert "SIGKILL" in errors
    assert found.best is found.trials[0]


def test_when_every_trial_fails_the_search_stops_with_the_error(tmp_path: Path) -> None:
    here = desk(tmp_path)
    with pytest.raises(UserCodeError, match="as it was told to") as raised:
        here.search(here.plan(WEIGHT, params={"crash": True}))
    assert "penstock train log 3" in str(raised.value.hint)
    with here.ledger.read() as reader:
        assert [run.status for run in reader.find(Run)] == ["failed"] * 3


def test_without_a_trial_that_keeps_the_limits_there_is_no_best_one(tmp_path: Path) -> None:
    here = desk(tmp_path)
    hard = Aim("squared", "minimise", (Limit("bias at most -1", "bias", "max", -1.0),))
    found = here.search(here.plan({**WEIGHT, "trials": 2}, aim=hard))
    assert found.best is None
    assert len(found.ranked()) == 2


def test_patience_and_time_end_a_search(tmp_path: Path) -> None:
    here = desk(tmp_path)
    patient = {**WEIGHT, "trials": 50, "patience": 2, "sampler": "random"}
    found = here.search(here.plan(patient, params={"weight": 12.0}))
    assert found.ended == "2 trials without a better one"
    assert found.best
    assert len(found.trials) == found.best.number + 3
    assert here.search(here.plan({**WEIGHT, "seed": 9, "timeout": "0s"})).ended == "the time is up"


def test_a_hopeless_trial_is_pruned(tmp_path: Path) -> None:
    here = desk(tmp_path)
    found = here.search(here.plan({**WEIGHT, "trials": 12, "pruner": "median"}))
    pruned = [trial for trial in found.trials if trial.status == "pruned"]
    assert pruned
    assert all(1 <= len(trial.folds) < 3 for trial in pruned)
    assert all(trial.value(found.aim) is None for trial in pruned)


def test_only_one_searches(tmp_path: Path) -> None:
    here = desk(tmp_path)
    plan = here.plan(WEIGHT)
    with hold_lease(here.ledger, plan.experiment), pytest.raises(Conflict):
        here.search(plan)


CHILD = """
import sys
from pathlib import Path
from train.search_toy import WEIGHT, desk
here = desk(Path(sys.argv[1]))
here.search(here.plan({**WEIGHT, "trials": 8}), lambda trial, found: print(trial.number, flush=True))
"""


def test_a_search_that_is_killed_goes_on_and_finds_the_same(tmp_path: Path) -> None:
    killed = desk(tmp_path / "killed")
    place = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "killed")], env=place, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    while process.stdout.readline().strip() != "2":
        pass
    _until(lambda: _running(killed) > 0)
    process.send_signal(signal.SIGKILL)
    process.wait()

    reap(killed.ledger, killed.store)
    before = {run.id for run in _runs(killed) if run.status == "finished"}
    found = killed.search(killed.plan({**WEIGHT, "trials": 8}))

    other = desk(tmp_path / "whole")
    assert shape(found) == shape(other.search(other.plan({**WEIGHT, "trials": 8})))
    assert len(before) >= 3
    assert before < {trial.id for trial in found.trials}  # what was finished was not trained again
    assert "killed" in {run.status for run in _runs(killed)}
    assert list((killed.home / "runs").iterdir()) == []


def _runs(here: Desk) -> list[Run]:
    with here.ledger.read() as reader:
        return list(reader.find(Run))


def _running(here: Desk) -> int:
    return sum(run.status == "running" for run in _runs(here))


def _until(holds: Callable[[], Any]) -> None:
    while not holds():
        time.sleep(0.005)


def test_what_is_no_fault_of_a_trial_ends_the_search_and_no_trial_goes_on(tmp_path: Path) -> None:
    here = desk(tmp_path)
    plan = here.plan({**WEIGHT, "workers": 2})

    def full(fold: object, scores: object) -> dict[str, float]:
        raise OSError(28, "No space left on device")

    with open_pool(Engine(workers=2)) as pool, pytest.raises(OSError, match="No space left"):
        run_search(plan, here.ledger, here.store, pool, full, home=here.home)
    assert {run.status for run in _runs(here)} == {"killed"}
    assert list((here.home / "runs").iterdir()) == []


def test_an_interrupted_search_leaves_no_trial_running(tmp_path: Path) -> None:
    here = desk(tmp_path)

    def interrupt(trial: Trial, found: Found) -> None:
        if trial.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        here.search(here.plan({**WEIGHT, "workers": 2}), interrupt)
    assert _running(here) == 0
    assert list((here.home / "runs").iterdir()) == []
