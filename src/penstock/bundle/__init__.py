"""The sealed model: the end of training, and all that anything after training uses.

    draft = Draft(model="flight-delay", estimator=..., target=..., features=..., ...)
    sealed = seal(draft, store, signer)
    directory = export(sealed.digest, store, sealed.signature, sealed.public_key, bundles)
    bundle = open_bundle(directory, trusted=[signer.public])
    rows, problems = bundle.signature.decode([{"carrier": "UA", ...}])
    bundle.predict(rows, views).scores

A `FeatureSet` is the one implementation of features: the training set, the gates and the server all
get their vectors from it. A bundle is verified before any of its bytes is parsed, and no format in it
can run code; what runs is the user's own source, named by its digest.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.bundle.bundle import Bundle, features_of
    from penstock.bundle.dtypes import dtype_name, dtype_of, schema_of
    from penstock.bundle.features import FeatureSet, FeatureSpec, ViewSpec, feature_set
    from penstock.bundle.manifest import Manifest, Target
    from penstock.bundle.opening import export, open_bundle, open_manifest, verify_bundle
    from penstock.bundle.openmp import provide
    from penstock.bundle.pointintime import AVAILABLE, ViewRows
    from penstock.bundle.scoring import Answers
    from penstock.bundle.sealing import Draft, Sealed, classes_of, scores_of, seal
    from penstock.bundle.signature import Field, RowProblem, Signature

__all__ = [
    "AVAILABLE",
    "Answers",
    "Bundle",
    "Draft",
    "FeatureSet",
    "FeatureSpec",
    "Field",
    "Manifest",
    "RowProblem",
    "Sealed",
    "Signature",
    "Target",
    "ViewRows",
    "ViewSpec",
    "classes_of",
    "dtype_name",
    "dtype_of",
    "export",
    "feature_set",
    "features_of",
    "open_bundle",
    "open_manifest",
    "provide",
    "schema_of",
    "scores_of",
    "seal",
    "verify_bundle",
]

_MODULES = {
    "bundle": ("Bundle", "features_of"),
    "dtypes": ("dtype_name", "dtype_of", "schema_of"),
    "features": ("FeatureSet", "FeatureSpec", "ViewSpec", "feature_set"),
    "manifest": ("Manifest", "Target"),
    "opening": ("export", "open_bundle", "open_manifest", "verify_bundle"),
    "openmp": ("provide",),
    "pointintime": ("AVAILABLE", "ViewRows"),
    "scoring": ("Answers",),
    "sealing": ("Draft", "Sealed", "classes_of", "scores_of", "seal"),
    "signature": ("Field", "RowProblem", "Signature"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module: Polars and the rest load with the first name that needs them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.bundle' has no attribute {name!r}")
    return getattr(import_module(f"penstock.bundle.{_HOMES[name]}"), name)
