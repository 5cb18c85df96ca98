"""What a model file becomes when it is written and when it is read."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

Label = bool | int | float | str
Floats = NDArray[np.float64]
FEW_ROWS = 256  # below, starting threads costs more than they save


@dataclass(frozen=True)
class Dumped:
    """A model as bytes."""

    file: str  # model.skops
    data: bytes
    content_hash: str  # of what makes its predictions: equal models, equal hash
    labels: tuple[Label, ...] | None  # order of the probabilities' columns; None when the model does not say


class Model(Protocol):
    """A model in memory. Frames have the columns and types that it was trained on."""

    def probabilities(self, vectors: pl.DataFrame) -> Floats:
        """(rows, classes)"""

    def values(self, vectors: pl.DataFrame) -> Floats:
        """(rows,)"""


def labels_of(estimator: Any) -> tuple[Label, ...] | None:
    """The estimator's classes as plain Python values, in the order of its probabilities."""
    classes = getattr(estimator, "classes_", None)
    return None if classes is None else tuple(np.asarray(classes).tolist())
