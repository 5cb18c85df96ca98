"""The safe formats: a table of module names, loaded on first use. The first that fits an estimator holds it."""

from importlib import import_module
from types import ModuleType
from typing import Any

from penstock.bundle.model import Dumped, Model
from penstock.errors import Untrusted, UsageError

# name -> module with FILE, holds(estimator), dump(estimator), load(bytes)
FORMATS = {
    "lightgbm": "penstock.bundle.lightgbm_format",
    "skops": "penstock.bundle.skops_format",
}


def dump(estimator: Any) -> tuple[str, Dumped]:
    """The name of the format that holds the estimator, and its bytes."""
    for name in FORMATS:
        if (module := _module(name)).holds(estimator):
            return name, module.dump(estimator)
    raise UsageError(
        f"no safe format holds a {type(estimator).__module__}.{type(estimator).__qualname__}",
        expected=f"a model for one of: {', '.join(FORMATS)}",
        hint="return a scikit-learn estimator or pipeline, or a LightGBM model, from your fit function",
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
