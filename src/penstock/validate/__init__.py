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
    from penstock.validate.cases import Case, CaseResult, case_files, cases_digest, load_cases, same_label
    from penstock.validate.evaluation import Evaluated, check_gates, evaluate
    from penstock.validate.exam import is_fresh, open_sealed
    from penstock.validate.gates import Gate, gates_digest, gates_of, judged_by
    from penstock.validate.judging import Evidence, Judgement, judge, verdict
    from penstock.validate.measuring import Metric, Sample, interval, intervals, measure, paired_difference
    from penstock.validate.metrics import METRICS, custom_metric, metrics_for
    from penstock.validate.model_card import card
    from penstock.validate.samples import baseline_of, decide_threshold, sample_of, truth
    from penstock.validate.slices import Groups, cut, cut_all

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
    "baseline_of",
    "card",
    "case_files",
    "cases_digest",
    "check_gates",
    "custom_metric",
    "cut",
    "cut_all",
    "decide_threshold",
    "evaluate",
    "gates_digest",
    "gates_of",
    "interval",
    "intervals",
    "is_fresh",
    "judge",
    "judged_by",
    "load_cases",
    "measure",
    "metrics_for",
    "open_sealed",
    "paired_difference",
    "same_label",
    "sample_of",
    "truth",
    "verdict",
]

_MODULES = {
    "cases": ("Case", "CaseResult", "case_files", "cases_digest", "load_cases", "same_label"),
    "evaluation": ("Evaluated", "check_gates", "evaluate"),
    "exam": ("is_fresh", "open_sealed"),
    "gates": ("Gate", "gates_digest", "gates_of", "judged_by"),
    "judging": ("Evidence", "Judgement", "judge", "verdict"),
    "measuring": ("Metric", "Sample", "interval", "intervals", "measure", "paired_difference"),
    "metrics": ("METRICS", "custom_metric", "metrics_for"),
    "model_card": ("card",),
    "samples": ("baseline_of", "decide_threshold", "sample_of", "truth"),
    "slices": ("Groups", "cut", "cut_all"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module: NumPy and Polars load with the first name that needs them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.validate' has no attribute {name!r}")
    return getattr(import_module(f"penstock.validate.{_HOMES[name]}"), name)
