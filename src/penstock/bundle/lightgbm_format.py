"""LightGBM models as LightGBM's own text: trees and numbers, no code. Its features are numbers only."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from penstock.bundle.matrix import matrix
from penstock.bundle.model import Dumped, Floats, Live, Model, labels_of
from penstock.bundle.openmp import provide
from penstock.bundle.threads import FEW_ROWS
from penstock.digest import digest_bytes
from penstock.errors import MissingExtra, Untrusted, UsageError

if TYPE_CHECKING:
    from lightgbm import Booster

    from penstock.bundle.manifest import Target

FILE = "model.txt"
MAX_BYTES = 1 << 30
_PARAMETERS = b"\nparameters:"


def holds(estimator: Any) -> bool:
    """Whether the estimator is a trained LightGBM model."""
    module = type(estimator).__module__.partition(".")[0]
    return module == "lightgbm" and type(estimator).__name__ in ("Booster", "LGBMClassifier", "LGBMRegressor")


def dump(estimator: Any, vectors: pl.DataFrame, target: "Target") -> Dumped:
    """The model as text, up to its best iteration."""
    booster = getattr(estimator, "booster_", estimator)
    data = booster.model_to_string().encode()
    if b"\nobjective=" not in data.partition(b"\nTree=")[0]:
        raise UsageError(
            "the LightGBM model has an objective of your own, so its output is not a probability or a value",
            expected="one of LightGBM's objectives",
        )
    live = None if booster is estimator else Live(estimator)
    return Dumped(FILE, data, content_hash(data), labels_of(estimator), live)


def content_hash(data: bytes) -> str:
    """Digest of the trees: the parameters after them say how it was trained, thread counts included."""
    return digest_bytes(data.partition(_PARAMETERS)[0])


def load(data: bytes) -> Model:
    """The model in a text."""
    if len(data) > MAX_BYTES or not data.startswith(b"tree\nversion="):
        raise Untrusted("the model file is not LightGBM's text, or too large", expected=f"at most {MAX_BYTES:,} bytes")
    provide()
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtra("lightgbm", "lightgbm") from error
    try:
        return _Trees(lightgbm.Booster(model_str=data.decode()))
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise Untrusted(f"LightGBM cannot read the model file: {error}") from error


class _Trees:
    """A booster that is given Polars frames."""

    tolerance = 1e-9

    def __init__(self, booster: "Booster") -> None:
        self.booster = booster

    def probabilities(self, vectors: pl.DataFrame) -> Floats:
        raw = self.values(vectors)
        return np.column_stack([1 - raw, raw]) if raw.ndim == 1 else raw

    def values(self, vectors: pl.DataFrame) -> Floats:
        threads: dict[str, Any] = {"num_threads": 1} if vectors.height < FEW_ROWS else {}
        rows = matrix(vectors, "LightGBM", self._names)
        return np.asarray(self.booster.predict(rows, **threads), dtype=np.float64)

    @cached_property
    def _names(self) -> list[str]:
        return list(self.booster.feature_name())
