from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from penstock.bundle import Target
from penstock.errors import UsageError
from penstock.project import Config, ProjectFile
from penstock.train.search import Fold
from penstock.validate import aim_of, judge_of, searched_by

BASE: dict[str, Any] = {
    "name": "x",
    "objective": {
        "problem": "p",
        "decision": "d",
        "owner": "o",
        "target": {"column": "late", "task": "binary", "positive": True},
        "costs": {"false_negative": 10, "false_positive": 2},
        "kpis": [{"name": "money", "metric": "cost", "goal": "minimise", "target": 3}],
        "thresholds": {"roc_auc": {"min": 0.7}, "ece": {"max": 0.1}},
    },
    "data": {"datasets": {"rows": {"source": "a.csv"}}, "examples": "rows", "request": ["id", "carrier"]},
    "train": {"function": "p:f", "search": {"space": {"x": {"min": 1, "max": 2}}}},
    "validate": {
        "gates": [
            {"metric": "log_loss", "against": "baseline", "rule": "superior"},
            {"metric": "recall", "min": 0.2},
            {"metric": "recall", "min": 0.9, "severity": "warn"},
            {"metric": "roc_auc", "slices": ["carrier"], "min": 0.6},
        ]
    },
}


def config(**search: Any) -> Config:
    train = {"function": "p:f", "search": {**BASE["train"]["search"], **search}}
    return Config.model_validate({**BASE, "train": train})


def test_the_first_kpi_is_searched_for_within_every_bound_on_all_rows() -> None:
    aim = aim_of(config())
    assert (aim.metric, aim.goal) == ("cost", "minimise")
    assert [(each.metric, each.rule, each.bound) for each in aim.limits] == [
        ("roc_auc", "min", 0.7),
        ("ece", "max", 0.1),
        ("recall", "min", 0.2),
    ]


def test_another_metric_makes_the_kpi_a_bound() -> None:
    aim = aim_of(config(metric="roc_auc"))
    assert (aim.metric, aim.goal) == ("roc_auc", "maximise")
    assert [each.metric for each in aim.limits] == ["ece", "cost", "recall"]


def without_kpi(*, thresholds: dict[str, Any], gates: list[dict[str, Any]]) -> Config:
    objective = {**BASE["objective"], "kpis": [], "thresholds": thresholds}
    return Config.model_validate({**BASE, "objective": objective, "validate": {"gates": gates}})


def test_without_a_kpi_the_first_bound_says_what_is_searched_by() -> None:
    agreed = without_kpi(thresholds={"roc_auc": {"min": 0.7}, "ece": {"max": 0.1}}, gates=[])
    assert searched_by(agreed) == ("roc_auc", "objective.thresholds.roc_auc")
    assert [each.metric for each in aim_of(agreed).limits] == ["ece"]
    gates = [{"metric": "recall", "min": 0.9, "severity": "warn"}, {"metric": "log_loss", "max": 0.6}]
    assert searched_by(without_kpi(thresholds={}, gates=gates))[0] == "log_loss"


def test_where_nothing_is_agreed_on_the_metrics_are_named() -> None:
    with pytest.raises(UsageError, match="a search needs a metric") as raised:
        aim_of(without_kpi(thresholds={}, gates=[{"metric": "recall", "min": 0.9, "slices": ["carrier"]}]))
    assert "roc_auc" in str(raised.value.expected)
    assert "train.search" in str(raised.value.hint)


def test_a_fold_is_measured_as_the_gates_measure(tmp_path: Any) -> None:
    random = np.random.default_rng(1)
    late, scores = random.random(200) < 0.3, random.random(80)
    project = ProjectFile(tmp_path, tmp_path / "penstock.yaml", config())
    target = Target("late", "binary", True, (False, True))
    judge = judge_of(project, aim_of(project.config), target, pl.Series("late", late))
    valid = np.arange(20, 100)
    found = judge(Fold(np.arange(20), valid), scores)
    decided = scores >= 2 / 12  # 2 / (2 + 10)
    missed, alarmed = (late[valid] & ~decided).mean(), (~late[valid] & decided).mean()
    assert found["cost"] == pytest.approx(10 * missed + 2 * alarmed)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(late[valid], scores))
    assert found["log_loss"] == pytest.approx(log_loss(late[valid], scores))
