"""What a model file becomes when it is written and when it is read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from penstock.bundle.manifest import Target

Label = bool | int | float | str
Floats = NDArray[np.float64]


class Model(Protocol):
    """A model in memory. Frames have the columns and types that it was trained on."""

    @property
    def tolerance(self) -> float:
        """How far two answers to one row may lie apart, on two machines or in two forms; relative above 1."""

    def probabilities(self, vectors: pl.DataFrame) -> Floats:
        """(rows, classes)"""

    def values(self, vectors: pl.DataFrame) -> Floats:
        """(rows,)"""


@dataclass(frozen=True)
class Dumped:
    """A model as bytes."""

    file: str  # model.skops
    data: bytes
    content_hash: str  # of what makes its predictions: equal models, equal hash
    labels: tuple[Label, ...] | None  # order of the probabilities' columns; None when the model does not say
    live: Model | None  # what training left, that the bytes must answer as; None when it takes no frames


class Live:
    """An estimator with scikit-learn's interface, as training left it."""

    tolerance = 1e-9

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def probabilities(self, vectors: pl.DataFrame) -> Floats:
        """(rows, classes)"""
        return np.asarray(self.estimator.predict_proba(vectors), dtype=np.float64)

    def values(self, vectors: pl.DataFrame) -> Floats:
        """(rows,)"""
        return np.asarray(self.estimator.predict(vectors), dtype=np.float64).reshape(vectors.height)


def labels_of(estimator: Any) -> tuple[Label, ...] | None:
    """The estimator's classes as plain Python values, in the order of its probabilities."""
    classes = getattr(estimator, "classes_", None)
    return None if classes is None else tuple(np.asarray(classes).tolist())


def labels_or_places(estimator: Any, target: "Target") -> tuple[Label, ...] | None:
    """`labels_of` a model whose classes are the target's; None when they can only be its classes' places, from 0."""
    labels = labels_of(estimator)
    return labels if labels and all(label in target.classes for label in labels) else None
