"""XGBoost models as XGBoost's own JSON: trees and numbers, no code.

The text says nothing of threads, seeds or what the training measured, so equal models are equal texts, but for the
version of XGBoost at its end. A column of text is a category by the list in the model; one that training never met
counts as missing. Scores are float32, as XGBoost computes them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from penstock.bundle.matrix import matrix, numbers
from penstock.bundle.model import Dumped, Floats, Live, Model, labels_or_places
from penstock.bundle.threads import Threads
from penstock.digest import digest_bytes
from penstock.errors import MissingExtra, Untrusted, UsageError

if TYPE_CHECKING:
    from xgboost import Booster

    from penstock.bundle.manifest import Target

FILE = "model.json"
MAX_BYTES = 1 << 30
MODELS = ("Booster", "XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
_VERSION = re.compile(rb',"version":\[\d+,\d+,\d+\]\}$')
_PROBABILITIES = ("binary:logistic", "reg:logistic", "multi:softprob")


def holds(estimator: Any) -> bool:
    """Whether the estimator is a trained XGBoost model."""
    return type(estimator).__module__.partition(".")[0] == "xgboost" and type(estimator).__name__ in MODELS


def dump(estimator: Any, vectors: pl.DataFrame, target: "Target") -> Dumped:
    """The model as JSON, of an XGBClassifier or XGBRegressor up to its best iteration."""
    wrapped = hasattr(estimator, "get_booster")
    booster = estimator.get_booster() if wrapped else estimator
    data = _text(_best(booster) if wrapped else booster)
    _check_objective(estimator, _facts(data).objective, target)
    return Dumped(FILE, data, content_hash(data), labels_or_places(estimator, target), _live(estimator, booster))


def _best(booster: "Booster") -> "Booster":
    """The booster up to its best iteration, as XGBoost's estimators answer."""
    best = booster.attr("best_iteration")
    if best is None or _facts(_text(booster)).linear:
        return booster
    return booster[: int(best) + 1]


def _text(booster: "Booster") -> bytes:
    """The JSON without what was noted beside the model."""
    plain = booster.copy()
    plain.set_attr(**dict.fromkeys(plain.attributes()))
    return bytes(plain.save_raw("json"))


def _check_objective(estimator: Any, objective: str, target: "Target") -> None:
    if callable(getattr(estimator, "objective", None)):
        raise UsageError(
            "the XGBoost model has an objective of your own, so its output is not a probability or a value",
            expected="one of XGBoost's objectives",
        )
    if target.task != "regression" and objective not in _PROBABILITIES:
        expected = "objective binary:logistic or multi:softprob"
        raise UsageError(f"an XGBoost model of {objective} gives no probabilities", expected=expected)


def content_hash(data: bytes) -> str:
    """Digest of the model, whatever the version that wrote it."""
    return digest_bytes(_VERSION.sub(b"}", data))


def load(data: bytes) -> Model:
    """The model in a text."""
    facts = _facts(data)
    xgboost = _xgboost()
    try:
        return _Trees(xgboost.Booster(model_file=bytearray(data)), facts)
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise Untrusted(f"XGBoost cannot read the model file: {str(error).splitlines()[0]}") from error


def _xgboost() -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise MissingExtra("xgboost", "xgboost") from error
    return xgboost


# --- inside a scikit-learn pipeline --------------------------------------------------------------


def of_state(state: bytes) -> "Booster":
    """The booster in the state that it is copied by."""
    xgboost = _xgboost()
    booster: Booster = xgboost.Booster()
    try:
        booster.__setstate__({"handle": bytearray(state)})
    except xgboost.core.XGBoostError as error:
        raise UsageError("the model holds bytes that are no XGBoost model") from error
    return booster


def one_thread(state: bytes) -> bytes:
    """The same state, of a booster that answers with one thread."""
    booster = of_state(state)
    booster.set_param({"nthread": 1})
    return bytes(booster.__getstate__()["handle"])


def state_hash(state: bytes) -> str:
    """Digest of the model in a state, which also says how it was trained."""
    return content_hash(_text(_best(of_state(state))))


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Facts:
    """What the text says about the rows that the model takes, and about what it gives."""

    names: tuple[str, ...]
    categories: Mapping[int, Mapping[str, int]]  # of a column: text -> code
    linear: bool
    objective: str


def _facts(data: bytes) -> _Facts:
    if len(data) > MAX_BYTES:
        raise Untrusted(f"the model file is {len(data):,} bytes", expected=f"at most {MAX_BYTES:,}")
    try:
        learner = json.loads(data)["learner"]
        gradients = learner["gradient_booster"]
        linear = gradients["name"] == "gblinear"
        trees = {} if linear else gradients.get("gbtree", gradients)["model"]  # dart holds them one level deeper
        lists = enumerate(trees.get("cats", {}).get("enc", ()))
        return _Facts(
            names=tuple(learner["feature_names"]),
            categories={column: _codes(each) for column, each in lists if each.get("offsets")},
            linear=linear,
            objective=str(learner["objective"]["name"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Untrusted("the model file is not XGBoost's JSON") from error


def _codes(encoded: Mapping[str, list[int]]) -> dict[str, int]:
    """Texts one after another as the bytes of UTF-8, and where each begins."""
    text, offsets = bytes(value & 0xFF for value in encoded["values"]), encoded["offsets"]
    return {text[start:end].decode(): code for code, (start, end) in enumerate(pairwise(offsets))}


class _Trees:
    """A booster that is given Polars frames."""

    tolerance = 1e-6

    def __init__(self, booster: "Booster", facts: _Facts) -> None:
        self.booster = booster
        self._facts = facts
        self._threads = Threads()

    def probabilities(self, vectors: pl.DataFrame) -> Floats:
        raw = self.values(vectors)
        return np.column_stack([1 - raw, raw]) if raw.ndim == 1 else raw

    def values(self, vectors: pl.DataFrame) -> Floats:
        rows = self._matrix(vectors)
        with self._threads.for_rows(vectors.height):
            return np.asarray(self._predict(rows), dtype=np.float64)

    def _predict(self, rows: Floats) -> Any:
        if not self._facts.linear:
            return self.booster.inplace_predict(rows, validate_features=False)
        return self.booster.predict(_xgboost().DMatrix(rows), validate_features=False)

    def _matrix(self, vectors: pl.DataFrame) -> Floats:
        names, categories = self._facts.names, self._facts.categories
        if not categories:
            return matrix(vectors, "XGBoost", names)
        chosen = names if {*vectors.columns}.issuperset(names) else vectors.columns
        return np.column_stack(
            [_column(vectors.get_column(name), categories.get(place)) for place, name in enumerate(chosen)]
        )


def _column(column: pl.Series, codes: Mapping[str, int] | None) -> Floats:
    if codes is None or column.dtype.is_numeric():
        return numbers(column, "XGBoost")
    return column.cast(pl.String).replace_strict(codes, default=None, return_dtype=pl.Float64).to_numpy()


def _live(estimator: Any, booster: "Booster") -> Model | None:
    """A booster takes no frames, nor does one that was fitted on a plain matrix."""
    if estimator is booster:
        return None
    return Live(estimator) if booster.feature_names else _OfMatrix(estimator)


class _OfMatrix(Live):
    def probabilities(self, vectors: pl.DataFrame) -> Floats:
        return np.asarray(self.estimator.predict_proba(matrix(vectors, "XGBoost")), dtype=np.float64)

    def values(self, vectors: pl.DataFrame) -> Floats:
        return np.asarray(self.estimator.predict(matrix(vectors, "XGBoost")), dtype=np.float64)
