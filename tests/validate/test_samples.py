"""From labels and costs to what metrics read."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.bundle import Target
from penstock.errors import UsageError
from penstock.project import Costs, Objective
from penstock.validate.measuring import Sample, measure
from penstock.validate.metrics import METRICS
from penstock.validate.samples import baseline_of, decide_threshold, truth

BINARY = Target("late", "binary", True, (False, True))
IRIS = Target("species", "multiclass", None, ("setosa", "virginica"))
PRICE = Target("price", "regression")


def test_truth_of_each_task() -> None:
    assert truth(pl.Series([True, False]), BINARY).tolist() == [1, 0]
    assert truth(pl.Series(["virginica", "setosa", "rosa"]), IRIS).tolist() == [1, 0, -1]
    assert truth(pl.Series([1, 2]), PRICE).tolist() == [1.0, 2.0]


def test_labels_may_come_as_text() -> None:
    assert truth(pl.Series(["True", "False"]), BINARY).tolist() == [1, 0]
    assert truth(pl.Series(["1", "0"]), Target("late", "binary", 1, (0, 1))).tolist() == [1, 0]
    assert truth(pl.Series([1, 0]), BINARY).tolist() == [1, 0]
    assert truth(pl.Series(["1.5"]), PRICE).tolist() == [1.5]


def test_a_third_value_of_a_binary_target_is_refused() -> None:
    with pytest.raises(UsageError, match="maybe"):
        truth(pl.Series(["True", "maybe"]), BINARY)


def test_text_is_not_a_number() -> None:
    with pytest.raises(UsageError, match="cheap"):
        truth(pl.Series("price", ["cheap", "1"]), PRICE)


def objective(task: str = "binary", **costs: float) -> Objective:
    target = {"column": "late", "task": task, "positive": True if task == "binary" else None}
    given = {"problem": "p", "decision": "d", "owner": "o", "target": target, "costs": costs or None}
    return Objective.model_validate(given)


def test_threshold_from_costs() -> None:
    assert decide_threshold(objective(false_negative=90, false_positive=15)) == pytest.approx(1 / 7)
    assert decide_threshold(objective()) == 0.5
    assert decide_threshold(objective(false_negative=0, false_positive=0)) == 0.5
    assert decide_threshold(objective("regression")) is None


@settings(deadline=None)
@given(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0, 1))
def test_no_other_threshold_costs_less_where_probabilities_are_true(fn: float, fp: float, other: float) -> None:
    costs = Costs(false_negative=fn, false_positive=fp)
    scores = np.repeat(np.linspace(0.05, 0.95, 10), 20)
    y = np.concatenate([np.arange(20) < round(20 * p) for p in np.linspace(0.05, 0.95, 10)]).astype(float)
    best = decide_threshold(objective(false_negative=fn, false_positive=fp))
    assert best is not None
    ours, theirs = (measure(METRICS["cost"], Sample("binary", y, scores, t, costs)) for t in (best, other))
    assert ours <= theirs + 1e-9


def test_baseline_answers_the_prior_or_the_mean() -> None:
    binary = Sample("binary", np.zeros(2), np.zeros(2))
    assert baseline_of(binary, np.array([1.0, 0, 0, 0])).scores.tolist() == [0.25, 0.25]
    classes = Sample("multiclass", np.zeros(1), np.zeros((1, 3)))
    assert baseline_of(classes, np.array([0.0, 2, 2, 2])).scores.tolist() == [[0.25, 0, 0.75]]
    numbers = Sample("regression", np.zeros(2), np.zeros(2))
    assert baseline_of(numbers, np.array([1.0, 3.0])).scores.tolist() == [2, 2]
