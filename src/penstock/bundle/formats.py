"""The safe formats: a table of module names, loaded on first use. The first that fits an estimator holds it."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from penstock.bundle.model import Dumped, Model
from penstock.errors import Untrusted, UsageError

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle.manifest import Target

# name -> module with FILE, holds(estimator), dump(estimator, vectors, target), load(bytes)
FORMATS = {
    "lightgbm": "penstock.bundle.lightgbm_format",
    "xgboost": "penstock.bundle.xgboost_format",
    "onnx": "penstock.bundle.onnx_format",
    "skops": "penstock.bundle.skops_format",
}


def dump(estimator: Any, vectors: "pl.DataFrame", target: "Target") -> tuple[str, Dumped]:
    """The name of the format that holds the estimator, and its bytes. `vectors` is what it was fitted on."""
    name = name_of(estimator)
    return name, _module(name).dump(estimator, vectors, target)


def name_of(estimator: Any) -> str:
    """The name of the format that holds the estimator."""
    for name in FORMATS:
        if _module(name).holds(estimator):
            return name
    raise UsageError(
        f"no safe format holds a {type(estimator).__module__}.{type(estimator).__qualname__}",
        expected=f"a model for one of: {', '.join(FORMATS)}",
        hint="return a scikit-learn estimator or pipeline, a LightGBM or XGBoost model, or a PyTorch module from fit",
    )


def file_of(name: str) -> str:
    """The model file's name in a bundle of that format."""
    return str(_module(name).FILE)


def load(name: str, data: bytes) -> Model:
    """The model in verified bytes."""
    model: Model = _module(name).load(data)
    return model


def _module(name: str) -> ModuleType:
    if name not in FORMATS:
        raise Untrusted(f"unknown model format {name!r}", expected=", ".join(FORMATS))
    return import_module(FORMATS[name])
