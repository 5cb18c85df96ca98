"""Step 4: may this bundle go on? Gates are data, judged on rows that training never saw.

    gates_of(config)              everything that the objective promises and `validate` adds, as values
    Evidence                      answers of candidate, champion and baseline to the same rows
    judge(gate, evidence)         PASS, FAIL or UNDECIDED, with an interval and the reason
    evaluate(project, ...)        opens the bundle, asks it raw requests, judges, records it as one decision
    card(record)                  the same for people

A metric is a function of weighted rows, so a whole, a slice, a window and a bootstrap draw are the same
call: `measure(METRICS["roc_auc"], Sample("binary", y, scores))`. NumPy and Polars load on use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.validate.cases import Case, CaseResult, load_cases
    from penstock.validate.evaluation import Evaluated, check_gates, evaluate
    from penstock.validate.exam import is_fresh, open_sealed
    from penstock.validate.gates import Gate, gates_of, judged_by, metric_goals
    from penstock.validate.judging import Evidence, Judgement, judge, verdict
    from penstock.validate.measuring import Metric, Sample, measure
    from penstock.validate.metrics import METRICS, custom_metric, metrics_for
    from penstock.validate.model_card import card
    from penstock.validate.samples import decide_threshold
    from penstock.validate.searching import aim_of, judge_of, searched_by
    from penstock.validate.slices import Groups

__all__ = [
    "METRICS",
    "Case",
    "CaseResult",
    "Evaluated",
    "Evidence",
    "Gate",
    "Groups",
    "Judgement",
    "Metric",
    "Sample",
    "aim_of",
    "card",
    "check_gates",
    "custom_metric",
    "decide_threshold",
    "evaluate",
    "gates_of",
    "is_fresh",
    "judge",
    "judge_of",
    "judged_by",
    "load_cases",
    "measure",
    "metric_goals",
    "metrics_for",
    "open_sealed",
    "searched_by",
    "verdict",
]

_MODULES = {
    "cases": ("Case", "CaseResult", "load_cases"),
    "evaluation": ("Evaluated", "check_gates", "evaluate"),
    "exam": ("is_fresh", "open_sealed"),
    "gates": ("Gate", "gates_of", "judged_by", "metric_goals"),
    "judging": ("Evidence", "Judgement", "judge", "verdict"),
    "measuring": ("Metric", "Sample", "measure"),
    "metrics": ("METRICS", "custom_metric", "metrics_for"),
    "model_card": ("card",),
    "samples": ("decide_threshold",),
    "searching": ("aim_of", "judge_of", "searched_by"),
    "slices": ("Groups",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module: NumPy and Polars load with the first name that needs them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.validate' has no attribute {name!r}")
    return getattr(import_module(f"penstock.validate.{_HOMES[name]}"), name)
