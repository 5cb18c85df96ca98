"""From labels and answers to a sample that metrics read."""

from typing import TYPE_CHECKING

import numpy as np

from penstock.errors import UsageError
from penstock.validate.cases import same_label
from penstock.validate.measuring import Array, Sample

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle import Answers, Bundle, Target
    from penstock.project import Costs, Objective


def truth(labels: "pl.Series", target: "Target") -> Array:
    """The labels as metrics read them; see `Sample`. Labels may not be null.

    UsageError when a binary target has a third value, or a number is none.
    """
    import polars as pl

    if target.task == "regression":
        return _numbers(labels)
    values = labels.unique().to_list()
    codes = [
        next((code for code, known in enumerate(target.classes) if same_label(known, value)), -1) for value in values
    ]
    if target.task == "binary" and -1 in codes:
        strange = [value for value, code in zip(values, codes, strict=True) if code < 0]
        raise UsageError(f"labels of {target.column!r} are neither of {list(target.classes)}: {strange[:10]}")
    return labels.replace_strict(values, codes, return_dtype=pl.Float64).to_numpy()


def sample_of(bundle: "Bundle", answers: "Answers", labels: "pl.Series", costs: "Costs | None") -> Sample:
    """A model's answers beside the truth."""
    threshold = 0.5 if bundle.threshold is None else bundle.threshold
    return Sample(bundle.task, truth(labels, bundle.target), answers.scores, threshold, costs)


def baseline_of(sample: Sample, trained_on: Array) -> Sample:
    """What would be answered to the same rows by always saying the training data's prior or mean."""
    if sample.task == "multiclass":
        classes = sample.scores.shape[1]
        shares = np.bincount(trained_on[trained_on >= 0].astype(np.int64), minlength=classes) / len(trained_on)
        scores = np.tile(shares, (sample.rows, 1))
    else:
        scores = np.full(sample.rows, trained_on.mean())
    return Sample(sample.task, sample.y, scores, sample.threshold, sample.costs)


def decide_threshold(objective: "Objective") -> float | None:
    """The probability from which on deciding for the event costs less than deciding against it.

    A false positive must cost as much as a false negative times the odds: fp / (fp + fn) (Elkan 2001). One half
    without costs; None when there is nothing to decide.
    """
    if objective.target.task != "binary":
        return None
    costs = objective.costs
    if costs is None or costs.false_negative + costs.false_positive == 0:
        return 0.5
    return costs.false_positive / (costs.false_positive + costs.false_negative)


def _numbers(labels: "pl.Series") -> Array:
    import polars as pl

    numbers = labels.cast(pl.Float64, strict=False)
    if numbers.null_count():
        raise UsageError(
            f"labels of {labels.name!r} are not numbers: {labels.filter(numbers.is_null()).head(5).to_list()}"
        )
    return numbers.to_numpy()
