"""What becomes a gate."""

from typing import Any

import pytest

from penstock import project as door
from penstock.errors import ConfigError
from penstock.project import Config
from penstock.validate.gates import Gate, gates_digest, gates_of
from penstock.validate.metrics import METRICS

OBJECTIVE: dict[str, Any] = {
    "problem": "Passengers learn too late.",
    "decision": "Offer rebooking.",
    "owner": "ops@airline.example",
    "target": {"column": "late", "task": "binary", "positive": True},
    "costs": {"false_negative": 90, "false_positive": 15, "unit": "USD"},
    "thresholds": {"roc_auc": {"min": 0.64}, "ece": {"max": 0.05}},
    "kpis": [{"name": "cost_per_flight", "metric": "cost", "goal": "minimise", "target": 18.5, "unit": "USD"}],
    "slas": {"latency_p95": "20ms", "freshness": "31d"},
}


def config(
    gates: list[dict[str, Any]] | None = None, *, objective: dict[str, Any] | None = OBJECTIVE, **validate: Any
) -> Config:
    section = {"gates": gates or [], **validate}
    return Config.model_validate({"name": "flights", "objective": objective, "validate": section})


def names(gates: tuple[Gate, ...]) -> list[str]:
    return [gate.name for gate in gates]


def test_the_objective_is_gates_without_a_word_more() -> None:
    gates = gates_of(config())
    assert names(gates) == [
        "roc_auc at least 0.64",
        "ece at most 0.05",
        "cost_per_flight at most 18.5 USD",
        "latency_p95 at most 20ms",
        "freshness at most 31d",
    ]
    assert [(gate.kind, gate.rule, gate.limit) for gate in gates] == [
        ("bound", "min", 0.64),
        ("bound", "max", 0.05),
        ("bound", "max", 18.5),
        ("latency", "max", 0.02),
        ("freshness", "max", 31 * 86400),
    ]
    assert {gate.severity for gate in gates} == {"block"}


def test_every_kind_of_declared_gate() -> None:
    gates = gates_of(
        config(
            [
                {"metric": "roc_auc", "against": "champion", "rule": "non_inferior", "margin": 0.005},
                {"metric": "log_loss", "against": "baseline", "rule": "superior", "severity": "warn"},
                {"metric": "recall", "by": "carrier", "max_gap": 0.15, "min_n": 500},
                {"metric": "roc_auc", "slices": ["carrier", "origin"], "min": 0.6, "alpha": 0.01},
                {"metric": "selection_rate", "min": 0.1, "max": 0.4},
            ],
            objective={**OBJECTIVE, "thresholds": {}, "kpis": [], "slas": {}},
            cases="cases",
        )
    )
    assert names(gates) == [
        "roc_auc no worse than champion by 0.005",
        "log_loss better than baseline",
        "recall gap by carrier at most 0.15",
        "roc_auc at least 0.6 in every carrier, origin",
        "selection_rate at least 0.1",
        "selection_rate at most 0.4",
        "known cases",
    ]
    assert [gate.goal for gate in gates[:2]] == ["maximise", "minimise"]
    assert (gates[1].severity, gates[2].min_n, gates[3].alpha) == ("warn", 500, 0.01)
    assert [gate.columns for gate in gates[2:4]] == [("carrier",), ("carrier", "origin")]


def test_a_custom_metric_learns_its_direction_from_the_kpi() -> None:
    kpi = {"name": "missed", "metric": "pipeline:missed", "goal": "minimise", "target": 3}
    against = {"metric": "pipeline:missed", "against": "champion", "rule": "superior"}
    assert gates_of(config([against], objective={**OBJECTIVE, "kpis": [kpi]}))[-1].goal == "minimise"


def test_a_comparison_without_a_direction_is_refused_at_its_place() -> None:
    against = {"metric": "selection_rate", "against": "champion", "rule": "superior"}
    with pytest.raises(ConfigError, match=r"validate\.gates\[1\].*more or less selection_rate is better"):
        gates_of(config([{"metric": "recall", "min": 0.1}, against]))


def test_a_project_without_objective_has_the_gates_it_declares() -> None:
    assert names(gates_of(config([{"metric": "recall", "min": 0.1}], objective=None))) == ["recall at least 0.1"]


def test_digest_follows_the_gates_and_what_they_use() -> None:
    gates = gates_of(config())
    assert gates_digest(gates) == gates_digest(gates_of(config()))
    assert gates_digest(gates) != gates_digest(gates[1:])
    assert gates_digest(gates) != gates_digest(gates, {"cases/fog.yaml": "5f"})


def test_the_project_file_knows_the_metrics_that_there_are() -> None:
    ours = {(task, metric.name) for metric in METRICS.values() for task in metric.tasks}
    assert ours == {(task, name) for task, known in door.METRICS.items() for name in known}
