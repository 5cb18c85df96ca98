"""A search on a whole project: what it may look at, what it finds, what a run makes of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from search_project import SEARCH, project
from toy import PIPELINE, START, parcels

from penstock.api import Project
from penstock.errors import FunctionError, UsageError
from penstock.ledger import Run
from penstock.train.search import Found


def shape(found: Found) -> list[Any]:
    return [(trial.number, trial.status, trial.choice.params, trial.folds) for trial in found.trials]


def test_the_kpi_is_searched_for_within_the_thresholds(tmp_path: Path) -> None:
    found = project(tmp_path).train.search()
    assert (found.aim.metric, found.aim.goal) == ("cost", "minimise")
    assert [limit.name for limit in found.aim.limits] == ["roc_auc at least 0.7"]
    assert [trial.status for trial in found.trials] == ["finished"] * 3
    assert found.trials[0].choice.params == {"C": 1.0}
    assert found.best
    assert found.best.metrics
    assert {"cost", "roc_auc", "log_loss"} <= {*found.best.metrics}


def test_the_holdout_takes_no_part(tmp_path: Path) -> None:
    """Other labels and other values in the rows that are held out change nothing."""
    rows = parcels(400)
    there = pl.col("sent") >= START + timedelta(hours=300)
    other = rows.with_columns(late=pl.when(there).then(~pl.col("late")).otherwise(pl.col("late")))
    other = other.with_columns(weight=pl.when(there).then(99.0).otherwise(pl.col("weight")))
    one, two = (project(tmp_path / name, rows=frame).train.search() for name, frame in (("a", rows), ("b", other)))
    assert shape(one) == shape(two)


def test_what_comes_after_a_fold_changes_nothing_in_it(tmp_path: Path) -> None:
    """Two folds of 300 rows: 100 each. What is learned from and asked in the first one ends before row 200."""
    rows = parcels(400)
    later = (pl.col("sent") >= START + timedelta(hours=200)) & (pl.col("sent") < START + timedelta(hours=300))
    other = rows.with_columns(late=pl.when(later).then(~pl.col("late")).otherwise(pl.col("late")))
    one, two = (project(tmp_path / name, rows=frame).train.search() for name, frame in (("a", rows), ("b", other)))
    assert [trial.folds[0] for trial in one.trials[:1]] == [trial.folds[0] for trial in two.trials[:1]]
    assert [trial.folds[1] for trial in one.trials[:1]] != [trial.folds[1] for trial in two.trials[:1]]


def test_feature_sets_and_algorithms_are_compared_and_the_winner_is_written(tmp_path: Path) -> None:
    several = """  search:
    algorithms:
      other: {function: "pipeline:fit", params: {C: 0.0}}
      same: {function: "pipeline:fit", space: {C: {values: [1.0, 2.0]}}}
    feature_sets: {all: [], no_load: [load], no_weight: [weight, load]}
    sampler: grid
    pruner: none
    folds: {n: 2}
"""
    here = project(tmp_path, search=several)
    found = here.train.search()
    assert found.ended == "everything was tried"
    assert len(found.trials) == 9
    assert found.best
    assert found.best.choice.algorithm == "same"
    assert found.best.choice.features != "no_weight"

    here.train.write_best(found)
    section = Project.open(tmp_path)._workspace.project.config.train
    assert section
    assert section.params == found.best.choice.params
    assert list(section.without) == list(found.feature_sets[found.best.choice.features])


def test_a_run_trains_what_the_search_found_without_what_it_left_out(tmp_path: Path) -> None:
    search = SEARCH.replace("    trials: 3\n", "    trials: 2\n    feature_sets: {no_load: [load, weekday]}\n")
    here = project(tmp_path, search=search, pipeline=PIPELINE)
    here.train.write_best(here.train.search())
    turn = Project.open(tmp_path).run()
    assert turn.evaluation
    record = here._workspace.store.read_json(turn.evaluation.record)
    assert record["bundle"]["features"] == ["depot", "weight", "express"]


def test_an_unknown_feature_is_told(tmp_path: Path) -> None:
    search = SEARCH.replace("    trials: 3\n", "    feature_sets: {a: [wait]}\n")
    with pytest.raises(UsageError, match=r"unknown feature or feature view 'wait' \(did you mean 'weight'\?\)"):
        project(tmp_path, search=search).train.search()


def test_a_function_that_cannot_be_called_is_told_before_anything_is_done(tmp_path: Path) -> None:
    here = project(tmp_path, search=SEARCH.replace("space: {C:", "space: {depth:"))
    with pytest.raises(FunctionError, match="takes no parameter 'depth'"):
        here.train.search()
    with here._workspace.ledger.read() as reader:
        assert not reader.find(Run)


def test_without_a_section_it_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="says nothing about a search"):
        project(tmp_path, search="").train.search()


def test_groups_are_cut_by_a_column_that_no_request_has(tmp_path: Path) -> None:
    rows = parcels(400).with_columns(customer=pl.int_range(pl.len()) % 20)
    search = SEARCH.replace("folds: {n: 2}", "folds: {kind: group, by: customer, n: 4}")
    found = project(tmp_path, search=search, rows=rows).train.search()
    assert [len(trial.folds) for trial in found.trials] == [4, 4, 4]
