"""The names of the metrics, so that a typing error is found before anything is trained.

What each one computes stands in `penstock.validate`; what the monitors measure in `penstock.monitor`.
"""

from collections.abc import Mapping

METRICS: Mapping[str, tuple[str, ...]] = {
    "binary": (
        "accuracy", "brier", "cost", "ece", "f1", "false_negative_rate", "false_positive_rate", "log_loss",
        "pr_auc", "precision", "recall", "roc_auc", "selection_rate",
    ),
    "multiclass": ("accuracy", "ece", "f1_macro", "log_loss"),
    "regression": ("bias", "mae", "r2", "rmse"),
}  # fmt: skip

UNDIRECTED = ("selection_rate",)  # neither more nor less of it is better

MONITORED = ("latency_p50", "latency_p95", "missing_rate", "psi", "score_psi", "volume")


def metric_names(task: str | None) -> tuple[str, ...]:
    """The metrics of a task; of every task when it is not known yet."""
    if task is not None:
        return METRICS[task]
    return tuple(sorted({name for names in METRICS.values() for name in names}))
