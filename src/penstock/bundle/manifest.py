"""The manifest of a bundle: everything that is known about a sealed model, as one signed JSON file.

    bundle.json       this manifest; its digest is the bundle's id
    bundle.sig        {"public_key", "signature"} over the bytes of bundle.json
    model.skops       the model (or model.txt, model.json, model.onnx)
    code/…            the user's source files that its feature functions need
    probe/…           requests with the rows of the views that they look up, and the scores expected
    profile.json      what the training vectors and their scores look like

No other file may lie beside them.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from penstock.bundle.features import FeatureSpec
from penstock.bundle.model import Label
from penstock.bundle.signature import Signature
from penstock.digest import canonical_json
from penstock.errors import Untrusted

FORMAT = "penstock.bundle/1"
MANIFEST = "bundle.json"
SIGNATURE = "bundle.sig"
PROFILE = "profile.json"
CODE = "code"
REQUESTS = "probe/requests.parquet"
EXPECTED = "probe/expected.parquet"
VIEWS = "probe/views"

Task = Literal["binary", "multiclass", "regression"]
_PATH = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[\w.+-]+(?:/[\w.+-]+)*")


@dataclass(frozen=True)
class Target:
    """What is predicted.

    classes    binary: (negative, positive); multiclass: in the order of the scores; regression: ()
    """

    column: str
    task: Task
    positive: Label | None = None
    classes: tuple[Label, ...] = ()


@dataclass(frozen=True)
class File:
    """A file of the bundle."""

    blake3: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What `bundle.json` says."""

    model: str  # flight-delay
    format: str  # skops | lightgbm | xgboost | onnx
    target: Target
    threshold: float | None  # binary: the score from which on the event is decided
    labels: tuple[Label, ...] | None  # the order of the model's own probabilities
    signature: Signature
    features: FeatureSpec
    files: Mapping[str, File]
    content_hash: str  # of the model: what makes its predictions
    probe_hash: str  # of its scores on the probe
    environment: Mapping[str, Any]
    lineage: Mapping[str, Any]  # run, data commits, code, git commit, parameters, seed

    def to_bytes(self) -> bytes:
        """The one text of it."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain |= {
            "manifest": FORMAT,
            "target": asdict(self.target),
            "signature": self.signature.to_json(),
            "features": self.features.to_json(),
            "files": {path: asdict(file) for path, file in self.files.items()},
        }
        return canonical_json(plain)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Manifest":
        """What `to_bytes` wrote. Untrusted for another format or an unsafe path."""
        if value.get("manifest") != FORMAT:
            raise Untrusted(f"the bundle's format is {value.get('manifest')!r}", expected=FORMAT)
        plain = {field.name: value[field.name] for field in fields(cls)}
        for path in plain["files"]:
            check_path(path)
        target = {**plain["target"], "classes": tuple(plain["target"]["classes"])}
        return cls(
            **plain
            | {
                "target": Target(**target),
                "labels": plain["labels"] and tuple(plain["labels"]),
                "signature": Signature.from_json(plain["signature"]),
                "features": FeatureSpec.from_json(plain["features"]),
                "files": {path: File(**file) for path, file in plain["files"].items()},
            }
        )


def check_path(path: str) -> None:
    """Untrusted unless `path` stays inside the bundle: relative, forward slashes, no `..`, plain characters."""
    if not _PATH.fullmatch(path) or len(path) > 255:
        raise Untrusted(f"the bundle names an unsafe path {path!r}", expected="a plain relative path")
