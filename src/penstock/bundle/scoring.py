"""From a model's output to scores and labels, the same for every format.

    binary        P(event), (rows,)
    multiclass    probabilities in the order of the target's classes, (rows, classes)
    regression    values, (rows,)

A score is a float64; a label is one of the target's own values.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from penstock.bundle.manifest import Target
from penstock.bundle.model import Floats, Label, Model
from penstock.errors import UsageError


@dataclass(frozen=True)
class Answers:
    """What a bundle says to requests: the vectors it saw, its scores and the labels they decide."""

    vectors: pl.DataFrame
    scores: Floats
    labels: list[Any]


@dataclass(frozen=True)
class Scorer:
    """A model together with what its columns mean.

    `labels` is the order of the model's probabilities; None when the model does not say: then they
    are in the order of the target's classes.
    """

    model: Model
    target: Target
    labels: tuple[Label, ...] | None
    threshold: float | None

    def scores(self, vectors: pl.DataFrame) -> Floats:
        """See the module's table."""
        if not vectors.height:  # scikit-learn refuses to answer nothing
            return np.empty((0, len(self.target.classes)) if self.target.task == "multiclass" else 0)
        if self.target.task == "regression":
            return self.model.values(vectors).reshape(vectors.height)
        order = column_order(self.target, self.labels)
        probabilities = self.model.probabilities(vectors)
        if self.labels is None and probabilities.shape[1] != len(order):
            raise UsageError(
                f"the model gives {probabilities.shape[1]} probabilities for the {len(order)} classes of the target",
                expected="one for each class, in ascending order; a class that no training row has is a class too",
            )
        if self.target.task == "binary":
            return np.ascontiguousarray(probabilities[:, order[1]])
        if order == list(range(probabilities.shape[1])):
            return probabilities
        padded = np.column_stack([probabilities, np.zeros(vectors.height)])  # -1: a class the model never met
        return np.ascontiguousarray(padded[:, order])

    def decide(self, scores: Floats) -> list[Any]:
        """The label of each score."""
        if self.target.task == "regression":
            return list(scores.tolist())
        classes = self.target.classes
        if self.target.task == "multiclass":
            return [classes[column] for column in scores.argmax(axis=1).tolist()]
        negative, positive = classes
        threshold = 0.5 if self.threshold is None else self.threshold
        return [positive if score >= threshold else negative for score in scores.tolist()]


def column_order(target: Target, labels: tuple[Label, ...] | None) -> list[int]:
    """For each of the target's classes its column in the model's probabilities, or -1."""
    classes = target.classes
    if labels is None:
        return list(range(len(classes)))
    strangers = [label for label in labels if label not in classes]
    if strangers or (target.task == "binary" and target.positive not in labels):
        raise UsageError(
            f"the model was fitted on the classes {list(labels)}, the target's are {list(classes)}",
            hint="fit on the target's own values: give y to the estimator as it comes",
        )
    return [labels.index(label) if label in labels else -1 for label in classes]
