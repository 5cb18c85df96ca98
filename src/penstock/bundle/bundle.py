"""An opened bundle: what gates, batch scoring and the server ask."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from penstock.bundle import formats
from penstock.bundle.features import FeatureSet, Rows
from penstock.bundle.manifest import CODE, EXPECTED, REQUESTS, VIEWS, Manifest, Target, Task
from penstock.bundle.model import Floats, Label
from penstock.bundle.pointintime import ViewRows
from penstock.bundle.scoring import Answers, Scorer
from penstock.bundle.signature import Signature
from penstock.errors import Untrusted


def features_of(manifest: Manifest, directory: Path) -> FeatureSet:
    """The features, with the user's code from verified files; the model is not loaded."""
    features = FeatureSet.load(manifest.features, directory / CODE)
    for view in manifest.features.views:
        if features.functions[view.name].code != view.code:
            raise Untrusted(f"the code of feature view {view.name!r} is not the code that it was trained with")
    return features


@dataclass(frozen=True)
class Bundle:
    """A sealed model in memory. `directory` holds its verified files."""

    id: str
    manifest: Manifest
    features: FeatureSet
    scorer: Scorer
    directory: Path

    @classmethod
    def load(cls, digest: str, manifest: Manifest, directory: Path) -> "Bundle":
        """Load the model and the user's code from verified files."""
        file = formats.file_of(manifest.format)
        model = formats.load(manifest.format, (directory / file).read_bytes())
        features = features_of(manifest, directory)
        scorer = Scorer(model, manifest.target, manifest.labels, manifest.threshold)
        return cls(digest, manifest, features, scorer, directory)

    @property
    def task(self) -> Task:
        """binary, multiclass or regression"""
        return self.manifest.target.task

    @property
    def target(self) -> Target:
        """The predicted column, its classes and which of them is the event."""
        return self.manifest.target

    @property
    def classes(self) -> tuple[Label, ...]:
        """Binary: (negative, positive); multiclass: the order of the scores' columns."""
        return self.manifest.target.classes

    @property
    def threshold(self) -> float | None:
        """Binary: the score from which on the event is decided."""
        return self.manifest.threshold

    @property
    def signature(self) -> Signature:
        """What a request holds."""
        return self.manifest.signature

    def prepare(self, views: Mapping[str, pl.DataFrame]) -> dict[str, ViewRows]:
        """Index the rows of the stored views once, for many calls of `predict`."""
        return {view.name: self.features.prepare(view.name, views[view.name]) for view in self.features.spec.stored}

    def predict(self, requests: pl.DataFrame, views: Rows) -> Answers:
        """Answer requests: one score and label per row, in order."""
        return self.predict_vectors(self.features.vectors(requests, views))

    def predict_vectors(self, vectors: pl.DataFrame) -> Answers:
        """Answer feature vectors, as `features.vectors` makes them."""
        scores = self.scorer.scores(vectors)
        return Answers(vectors, scores, self.scorer.decide(scores))

    def probe(self) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
        """The sealed requests and the rows of the views that they look up."""
        views = {view.name: self._table(f"{VIEWS}/{view.name}.parquet") for view in self.features.spec.stored}
        return self._table(REQUESTS), views

    @property
    def expected(self) -> Floats:
        """The scores of the probe when it was sealed, shaped as `predict` gives them."""
        columns = self._table(EXPECTED).to_numpy()
        return columns if self.task == "multiclass" else columns.reshape(-1)

    def check_probe(self) -> bool:
        """Whether the bundle answers its probe here and now as it did when it was sealed, up to its tolerance."""
        scores, tolerance = self.predict(*self.probe()).scores, self.scorer.model.tolerance
        return bool(np.allclose(scores, self.expected, rtol=tolerance, atol=tolerance))

    def _table(self, path: str) -> pl.DataFrame:
        return pl.read_parquet(io.BytesIO((self.directory / path).read_bytes()))
