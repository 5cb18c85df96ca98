from collections.abc import Mapping
from typing import Any

import pytest

from penstock.project import METRICS, Config
from penstock.project.checks import check_sections
from penstock.project.explain import dotted
from penstock.project.metrics import UNDIRECTED

BASE: Mapping[str, Any] = {
    "name": "x",
    "objective": {
        "problem": "p",
        "decision": "d",
        "owner": "o",
        "target": {"column": "late", "task": "binary", "positive": True},
    },
    "data": {
        "datasets": {"flights": {"source": "a.csv"}, "weather": {"source": "b.csv"}},
        "examples": "flights",
        "request": ["id", "at", "carrier"],
        "key": "id",
        "time": "at",
    },
    "train": {"function": "p:f"},
}
REGRESSION = {"column": "late", "task": "regression", "positive": None}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **base,
        **{
            k: merged(base[k], v) if isinstance(base.get(k), dict) and isinstance(v, dict) else v
            for k, v in over.items()
        },
    }


def findings(over: Mapping[str, Any]) -> list[str]:
    config = Config.model_validate(merged(BASE, over))
    return [f"{dotted(path)}: {what}" for path, what in check_sections(config)]


def transforms(**inputs: Any) -> dict[str, Any]:
    return {"data": {"transforms": {name: {"function": "p:f", "from": sources} for name, sources in inputs.items()}}}


def test_a_sound_project_has_no_findings() -> None:
    assert findings({}) == []
    assert findings(transforms(daily="flights", joined=["daily", "weather", "feedback.default"])) == []


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        (
            {"train": {"image": "x:1"}, "engine": {"kind": "ray"}},
            "train.image: `engine: ray` starts no container: start its nodes in the image",
        ),
        ({"data": {"examples": "flight"}}, "data.examples: unknown dataset 'flight' (did you mean 'flights'?)"),
        (transforms(a="wether"), "data.transforms.a.from: unknown dataset 'wether' (did you mean 'weather'?)"),
        (transforms(flights="weather"), "data.transforms.flights: a dataset is named 'flights' already"),
        (transforms(request="weather"), "data.transforms.request: the name 'request' is reserved"),
        (
            {"data": {"datasets": {"weather.quarantine": {"source": "c.csv"}}}},
            "data.datasets.weather.quarantine: the name 'weather.quarantine' is reserved",
        ),
        (transforms(a="a"), "data.transforms.a: transforms go round in a circle: a → a"),
        (
            transforms(a="b", b=["flights", "c"], c="a"),
            "data.transforms.a: transforms go round in a circle: a → b → c → a",
        ),
        ({"data": {"request": ["at"]}}, "data.key: 'id' is not in `data.request` (there is: at)"),
        (
            {"data": {"request": ["id", "at", "late"]}},
            "data.request[2]: 'late' is the target: it is not known when a prediction is asked for",
        ),
        ({"data": {"request": ["id", "at", "id"]}}, "data.request[2]: 'id' is in the list twice"),
        ({"data": {"time": None}, "train": {"holdout": "last 20%"}}, "train.holdout: 'last 20%' needs `data.time`"),
        ({"data": {"time": None}, "train": {"since": "2013"}}, "train.since: needs `data.time`"),
        ({"objective": None}, "train: training needs an `objective` with a target"),
        (
            {"validate": {"gates": [{"metric": "roc_auk", "min": 1}]}},
            "validate.gates[0].metric: unknown metric 'roc_auk' (did you mean 'roc_auc'?)",
        ),
        ({"objective": {"thresholds": {"aucc": {"min": 1}}}}, "objective.thresholds.aucc: unknown metric 'aucc'"),
        (
            {"validate": {"gates": [{"metric": "rmse", "max": 1}]}},
            "validate.gates[0].metric: the metric 'rmse' is for a regression target",
        ),
        (
            {"validate": {"gates": [{"metric": "cost", "max": 1}]}},
            "validate.gates[0].metric: the metric `cost` needs `objective.costs`",
        ),
        (
            {"objective": {"target": REGRESSION, "costs": {"false_negative": 1, "false_positive": 1}}},
            "objective.costs: costs of mistakes are for a binary target; this one is regression",
        ),
        (
            {"validate": {"slices": ["carier"]}},
            "validate.slices[0]: 'carier' is not in `data.request` (did you mean 'carrier'?)",
        ),
        (
            {"validate": {"gates": [{"metric": "recall", "by": "sex", "max_gap": 0.1}]}},
            "validate.gates[0].by: 'sex' is not in `data.request`",
        ),
        (
            {"monitor": {"alerts": [{"metric": "psy", "above": 1}]}},
            "monitor.alerts[0].metric: unknown metric 'psy' (did you mean 'psi'?)",
        ),
        (
            {"monitor": {"alerts": [{"metric": "brier", "above": 1, "features": "a"}]}},
            "monitor.alerts[0].features: is for psi and missing_rate only",
        ),
        (
            {"improve": {"retrain": {"on": [{"alert": "psi"}]}}},
            "improve.retrain.on[0].alert: no alert in `monitor.alerts` watches 'psi'",
        ),
        (
            {"improve": {"retrain": {"on": [{"new_data": "flight"}]}}},
            "improve.retrain.on[0].new_data: unknown dataset 'flight'",
        ),
        (
            {"data": {"features": {"w": {"function": "p:f", "from": "weather", "entity": "origin", "time": "hour"}}}},
            "data.features.w.entity: 'origin' is not in `data.request` (there is: at, carrier, id): a request must",
        ),
        (
            {"data": {"features": {"w": {"function": "p:f", "from": "wether", "entity": "id", "time": "hour"}}}},
            "data.features.w.from: unknown dataset 'wether' (did you mean 'weather'?)",
        ),
    ],
)
def test_finding(over: Mapping[str, Any], expected: str) -> None:
    found = findings(over)

    assert any(one.startswith(expected) for one in found), found
    assert len(found) == 1


def test_a_function_may_stand_wherever_a_metric_does() -> None:
    over = {
        "validate": {"gates": [{"metric": "pipeline:regret", "max": 1}]},
        "monitor": {"alerts": [{"metric": "pipeline:regret", "above": 1}]},
    }

    assert findings(over) == []


@pytest.mark.parametrize(
    ("objective", "metric", "found"),
    [
        ({}, "p:regret", "needs a KPI on p:regret with its `goal`"),
        ({"thresholds": {"p:regret": {"min": 0, "max": 1}}}, "p:regret", "needs a KPI on p:regret with its `goal`"),
        ({"thresholds": {"p:regret": {"max": 1}}}, "p:regret", None),
        ({"kpis": [{"name": "r", "metric": "p:regret", "goal": "minimise", "target": 1}]}, "p:regret", None),
        ({}, "recall", None),
        ({}, "selection_rate", "a bound is possible"),
    ],
)
def test_a_rival_needs_a_metric_that_is_better_one_way(
    objective: dict[str, Any], metric: str, found: str | None
) -> None:
    gates = [{"metric": metric, "against": "champion", "rule": "superior"}]

    what = f"validate.gates[0].against: whether more or less {metric} is better is not known: {found}"
    assert findings({"objective": objective, "validate": {"gates": gates}}) == ([what] if found else [])


def test_the_names_are_those_of_the_metrics_that_validate_computes() -> None:
    from penstock.validate.metrics import METRICS as COMPUTED

    assert {
        task: tuple(sorted(name for name, one in COMPUTED.items() if task in one.tasks)) for task in METRICS
    } == METRICS
    assert tuple(name for name, one in COMPUTED.items() if one.goal == "none") == UNDIRECTED


KPIS = [{"name": "k", "metric": "brier", "goal": "minimise", "target": 0.2}]
SPACE: dict[str, Any] = {"space": {"x": {"min": 0.1, "max": 1.0}}}


def searched(data: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    objective = {"kpis": fields.pop("kpis", KPIS)}
    train = {name: fields.pop(name) for name in ("holdout", "without") if name in fields}
    return {"objective": objective, "data": data or {}, "train": {**train, "search": {**SPACE, **fields}}}


REQUEST_VIEW = {"features": {"a": {"function": "p:a", "from": "request"}}}


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        (searched(kpis=[]), "train.search: needs `metric`: the objective has no KPI to search by"),
        (searched(metric="selection_rate"), "whether more or less selection_rate is better is not known"),
        (searched(metric="p:own"), "needs a KPI on p:own with its `goal`"),
        (searched(metric="rmse"), "train.search.metric: the metric 'rmse' is for a regression target"),
        (searched({"time": None}, folds={"kind": "time"}), "train.search.folds: folds by time need `by`"),
        (searched(folds={"gap": "1d"}), "train.search.folds.gap: needs `kind`: time or group"),
        (searched(REQUEST_VIEW, without="a"), "train.without: leaves out every view of the request (a)"),
        (searched(REQUEST_VIEW, feature_sets={"n": ["a"]}), "train.search.feature_sets.n: leaves out every view"),
        (searched(algorithms={"f": {"function": "p:g"}}), "train.search.algorithms.f: 'f' is the name of"),
        (
            searched(algorithms={"g": {"function": "p:g", "params": {"x": 1}, **SPACE}}),
            "train.search.algorithms.g.space.x: stands in `params` too",
        ),
        (searched(sampler="grid"), "train.search.space.x: `sampler: grid` needs `step` or `values` here"),
    ],
)
def test_a_search_that_cannot_be_made_is_told(over: Mapping[str, Any], expected: str) -> None:
    found = findings(over)
    assert len(found) == 1
    assert expected in found[0]


def test_a_regression_has_no_strata() -> None:
    over = searched(kpis=[{**KPIS[0], "metric": "mae"}], folds={"kind": "stratified"})
    found = findings({**over, "objective": {**over["objective"], "target": REGRESSION}})
    assert found == ["train.search.folds.kind: a regression has no classes: group, random or time"]
