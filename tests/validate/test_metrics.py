"""Every metric against scikit-learn, or against its definition written out where scikit-learn has none."""

from math import isnan

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from penstock.errors import UsageError
from penstock.project.config import Costs
from penstock.validate.measuring import Sample, interval, magnitude, measure, paired_difference
from penstock.validate.metrics import METRICS, metrics_for

levels = st.integers(0, 20).map(lambda k: k / 20)  # coarse, so that ties happen
binary_rows = st.lists(st.tuples(st.booleans(), levels), min_size=2, max_size=60).filter(
    lambda rows: len({y for y, _ in rows}) == 2
)


def binary(rows: list[tuple[bool, float]], threshold: float = 0.5, costs: Costs | None = None) -> Sample:
    y, scores = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return Sample("binary", y, scores, threshold, costs)


def random_binary(rows: int = 400, seed: int = 0, noise: float = 1.0) -> Sample:
    random = np.random.default_rng(seed)
    y = (random.random(rows) < 0.3).astype(float)
    return Sample("binary", y, 1 / (1 + np.exp(1 - 2 * y - noise * random.normal(size=rows))))


def random_multiclass(rows: int = 300) -> Sample:
    random = np.random.default_rng(1)
    scores = random.dirichlet([1, 1, 1], size=rows)
    y = np.where(random.random(rows) < 0.6, scores.argmax(1), random.integers(0, 3, rows)).astype(float)
    return Sample("multiclass", y, scores)


def random_regression(rows: int = 300) -> Sample:
    random = np.random.default_rng(2)
    y = 1000 + random.normal(size=rows)
    return Sample("regression", y, y + 0.5 * random.normal(size=rows) + 0.1)


def sample_of(task: str) -> Sample:
    return {"binary": random_binary(), "multiclass": random_multiclass(), "regression": random_regression()}[task]


SCORED = {
    "roc_auc": oracle.roc_auc_score,
    "pr_auc": oracle.average_precision_score,
    "brier": oracle.brier_score_loss,
    "log_loss": lambda y, p: oracle.log_loss(y, p, labels=[0, 1]),
}
DECIDED = {
    "accuracy": oracle.accuracy_score,
    "precision": lambda y, d: oracle.precision_score(y, d, zero_division=np.nan),
    "recall": oracle.recall_score,
    "f1": lambda y, d: oracle.f1_score(y, d, zero_division=np.nan),
    "false_negative_rate": lambda y, d: 1 - oracle.recall_score(y, d),
    "false_positive_rate": lambda y, d: 1 - oracle.recall_score(1 - y, 1 - d),
    "selection_rate": lambda y, d: d.mean(),
}


@settings(max_examples=60, deadline=None)
@given(binary_rows)
def test_scores_are_scikit_learns(rows: list[tuple[bool, float]]) -> None:
    sample = binary(rows)
    for name, theirs in SCORED.items():
        assert measure(METRICS[name], sample) == pytest.approx(theirs(sample.y, sample.scores), abs=1e-9), name


@settings(max_examples=60, deadline=None)
@given(binary_rows, levels)
def test_decisions_are_scikit_learns(rows: list[tuple[bool, float]], threshold: float) -> None:
    sample = binary(rows, threshold)
    for name, theirs in DECIDED.items():
        expected = theirs(sample.y, (sample.scores >= threshold).astype(float))
        assert measure(METRICS[name], sample) == pytest.approx(expected, abs=1e-12, nan_ok=True), name


@settings(max_examples=60, deadline=None)
@given(binary_rows)
def test_calibration_error_is_the_gap_in_each_bin(rows: list[tuple[bool, float]]) -> None:
    sample = binary(rows)
    true, claimed = calibration_curve(sample.y, sample.scores, n_bins=10)
    bins = np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], sample.scores), minlength=10)
    expected = (np.abs(true - claimed) * bins[bins > 0]).sum() / sample.rows
    assert measure(METRICS["ece"], sample) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(binary_rows, levels)
def test_cost_is_the_mean_of_what_mistakes_cost(rows: list[tuple[bool, float]], threshold: float) -> None:
    sample = binary(rows, threshold, Costs(false_negative=90, false_positive=15))
    by_hand = [90 * (y and p < threshold) + 15 * (not y and p >= threshold) for y, p in rows]
    assert measure(METRICS["cost"], sample) == pytest.approx(np.mean(by_hand))


def test_cost_without_costs_says_where_to_write_them() -> None:
    with pytest.raises(UsageError, match=r"objective\.costs"):
        measure(METRICS["cost"], random_binary())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(1, 9), min_size=3, max_size=3)), min_size=1))
def test_multiclass_is_scikit_learns(rows: list[tuple[int, list[int]]]) -> None:
    y = np.array([label for label, _ in rows], dtype=float)
    scores = np.array([np.array(weights) / sum(weights) for _, weights in rows])
    sample = Sample("multiclass", y, scores)
    decided = scores.argmax(1)
    expected = {
        "accuracy": oracle.accuracy_score(y, decided),
        "log_loss": oracle.log_loss(y, scores, labels=[0, 1, 2]),
        "f1_macro": oracle.f1_score(y, decided, average="macro", zero_division=0),
    }
    assert {name: measure(METRICS[name], sample) for name in expected} == pytest.approx(expected, abs=1e-9)


def test_multiclass_calibration_is_of_the_decided_class() -> None:
    sample = random_multiclass()
    sure, right = sample.scores.max(1), sample.scores.argmax(1) == sample.y
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], sure)
    by_hand = sum((bins == b).mean() * abs(right[bins == b].mean() - sure[bins == b].mean()) for b in set(bins))
    assert measure(METRICS["ece"], sample) == pytest.approx(by_hand)


def test_a_class_the_model_does_not_know_counts_as_wrong() -> None:
    sample = Sample("multiclass", np.array([-1.0, 0]), np.array([[0.9, 0.1], [0.9, 0.1]]))
    assert measure(METRICS["accuracy"], sample) == 0.5
    assert measure(METRICS["f1_macro"], sample) == pytest.approx((2 / 3 + 0) / 2)
    assert measure(METRICS["log_loss"], sample) > 15


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=40))
def test_regression_is_scikit_learns(rows: list[tuple[float, float]]) -> None:
    y, scores = (np.array(column) for column in zip(*rows, strict=True))
    sample = Sample("regression", y, scores)
    expected = {
        "mae": oracle.mean_absolute_error(y, scores),
        "rmse": oracle.root_mean_squared_error(y, scores),
        "bias": (scores - y).mean(),
    }
    assert {name: measure(METRICS[name], sample) for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)
    if y.std() > 1e-3:
        assert measure(METRICS["r2"], sample) == pytest.approx(oracle.r2_score(y, scores), rel=1e-6, abs=1e-6)


def test_what_has_no_denominator_is_not_a_number() -> None:
    nobody = binary([(True, 0.1), (False, 0.2)])
    one_class = Sample("binary", np.zeros(3), np.array([0.1, 0.2, 0.3]))
    constant = Sample("regression", np.ones(3), np.array([0.9, 1.0, 1.1]))
    empty = Sample("binary", np.zeros(0), np.zeros(0))
    assert isnan(measure(METRICS["precision"], nobody))
    assert isnan(measure(METRICS["roc_auc"], one_class))
    assert isnan(measure(METRICS["r2"], constant))
    assert isnan(measure(METRICS["accuracy"], empty))


@pytest.mark.parametrize(("task", "name"), [(t, n) for n, m in METRICS.items() for t in m.tasks])
def test_integer_weights_are_repeated_rows(task: str, name: str) -> None:
    sample = sample_of(task)
    costs = Costs(false_negative=5, false_positive=1)
    sample = Sample(sample.task, sample.y, sample.scores, 0.4, costs)
    weights = np.random.default_rng(3).integers(0, 4, sample.rows)
    drawn = METRICS[name].statistic(sample)(weights[None].astype(float))[0]
    assert drawn == pytest.approx(measure(METRICS[name], sample.take(np.repeat(np.arange(sample.rows), weights))))


@pytest.mark.parametrize(("task", "name"), [(t, n) for n, m in METRICS.items() for t in m.tasks if n != "cost"])
def test_interval_is_as_wide_as_resampling_says(task: str, name: str) -> None:
    sample, random = sample_of(task), np.random.default_rng(4)
    again = [measure(METRICS[name], sample.take(random.integers(0, sample.rows, sample.rows))) for _ in range(300)]
    found = interval(METRICS[name], sample)
    assert found.value == pytest.approx(measure(METRICS[name], sample))
    assert found.low <= found.value <= found.high
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(np.std(again), rel=0.25)


@pytest.mark.parametrize(("task", "name"), [(t, n) for n, m in METRICS.items() for t in m.tasks if n != "cost"])
def test_a_model_differs_from_itself_by_nothing(task: str, name: str) -> None:
    found = paired_difference(METRICS[name], sample_of(task), sample_of(task))
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_an_interval_stays_where_the_metric_can_be() -> None:
    y = np.array([0.0] * 20 + [1.0] * 20)
    scores = np.linspace(0, 1, 40)
    scores[[19, 20]] = scores[[20, 19]]
    for metric in metrics_for("binary", costs=False):
        found = interval(metric, Sample("binary", y, scores))
        assert metric.range[0] <= found.low <= found.value <= found.high <= metric.range[1], metric.name


def test_pairing_beats_two_separate_intervals() -> None:
    a, random = random_binary(), np.random.default_rng(9)
    b = Sample("binary", a.y, np.clip(a.scores + random.normal(scale=0.02, size=a.rows), 0, 1))
    paired, alone = paired_difference(METRICS["brier"], a, b), interval(METRICS["brier"], a)
    assert paired.high - paired.low < 0.3 * (alone.high - alone.low)


def test_same_evidence_same_interval() -> None:
    assert interval(METRICS["ece"], random_binary()) == interval(METRICS["ece"], random_binary())


def test_magnitude_of_bias_shrinks_towards_zero() -> None:
    y = np.arange(50.0)
    under, over = Sample("regression", y, y - 2), Sample("regression", y, y + 1)
    assert paired_difference(METRICS["bias"], under, over).value == pytest.approx(-3)
    assert paired_difference(magnitude(METRICS["bias"]), under, over).value == pytest.approx(1)


def test_cost_is_offered_only_where_costs_are_known() -> None:
    assert "cost" in {metric.name for metric in metrics_for("binary", costs=True)}
    assert "cost" not in {metric.name for metric in metrics_for("binary", costs=False)}
    assert {metric.name for metric in metrics_for("regression", costs=False)} == {"mae", "rmse", "r2", "bias"}
