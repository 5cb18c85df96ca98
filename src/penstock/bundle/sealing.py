"""Sealing: the end of training. What is sealed is what is judged, served and audited.

The model is written, read back and asked about the probe through the whole path that a server takes,
one request at a time and all at once, before the bundle is signed.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import isclose, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from penstock.bundle import formats
from penstock.bundle.features import FeatureSet, Rows
from penstock.bundle.manifest import CODE, EXPECTED, PROFILE, REQUESTS, VIEWS, File, Manifest, Target, check_path
from penstock.bundle.model import Dumped, Floats, Label, Live, labels_of
from penstock.bundle.scoring import Scorer
from penstock.bundle.signature import Signature
from penstock.digest import canonical_json, digest_bytes
from penstock.errors import FunctionError, PenstockError, UsageError

if TYPE_CHECKING:
    from penstock.signing import Signer
    from penstock.store import Store

PROBE_ROWS = 200
PROFILED_SCORES = 50_000
ALONE_ROWS = 16  # of these, how many are also asked one at a time


@dataclass(frozen=True)
class Draft:
    """Everything that goes into a bundle.

    features    declared or not; the outputs are those of `vectors`
    sources     path in the project -> file: the user's code that the feature functions need
    requests    what requests look like: the examples' request columns (others are left out)
    vectors     X, that the estimator was fitted on
    views       rows of each stored view, as `FeatureSet.view_rows` made them
    nullable    request columns that may be null; None: those that held a null
    """

    model: str
    estimator: Any
    target: Target
    features: FeatureSet
    requests: pl.DataFrame
    vectors: pl.DataFrame
    threshold: float | None = None
    views: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    sources: Mapping[str, Path] = field(default_factory=dict)
    nullable: frozenset[str] | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sealed:
    """A bundle in the store. `digest` is that of its manifest, which is signed."""

    digest: str
    format: str
    bytes: int
    public_key: str
    signature: str
    content_hash: str
    probe_hash: str


def seal(draft: Draft, store: "Store", signer: "Signer") -> Sealed:
    """Write the model in a safe format, prove that it answers as the estimator does, sign it, keep it.

    UsageError when no safe format holds the model; FunctionError when a feature depends on which
    other requests it is asked with; PenstockError when the written model answers differently.
    """
    contents, manifest = pack(draft)
    for data in contents.values():
        store.put_bytes(data)
    text = manifest.to_bytes()
    digest = store.put_bytes(text)
    size = len(text) + sum(file.bytes for file in manifest.files.values())
    return Sealed(
        digest=digest,
        format=manifest.format,
        bytes=size,
        public_key=signer.public,
        signature=signer.sign(text),
        content_hash=manifest.content_hash,
        probe_hash=manifest.probe_hash,
    )


def scores_of(estimator: Any, target: Target, fitted_on: pl.DataFrame, vectors: pl.DataFrame) -> Floats:
    """What the bundle of an estimator would answer to `vectors`, without one; see `scoring`.

    UsageError when it cannot be asked, or answers what is no probability.
    """
    if formats.name_of(estimator) == "skops":  # which is slow to write, and would answer the same
        scorer = Scorer(Live(estimator), target, labels_of(estimator), None)
    else:
        name, dumped = formats.dump(estimator, fitted_on, target)
        scorer = Scorer(formats.load(name, dumped.data), target, dumped.labels, None)
    scores = _scores(scorer, vectors)
    _check_scores(scores, target)
    return scores


def pack(draft: Draft) -> tuple[dict[str, bytes], Manifest]:
    """The files of the bundle and its manifest; nothing is kept."""
    features = draft.features.declare(draft.vectors)
    request = draft.requests.select([name for name, _ in features.spec.request])
    format_name, dumped = formats.dump(draft.estimator, draft.vectors, draft.target)
    scorer = Scorer(formats.load(format_name, dumped.data), draft.target, dumped.labels, draft.threshold)
    _check_target(draft.target)

    probe = request[_spread(request.height, PROBE_ROWS)]
    views = {view.name: _needed(features, view.name, probe, draft.views) for view in features.spec.stored}
    scores = _proven(features, scorer, dumped, probe, views)
    contents = {
        dumped.file: dumped.data,
        REQUESTS: _parquet(probe),
        EXPECTED: _parquet(score_frame(scores)),
        PROFILE: canonical_json(_profile(draft.vectors, scorer)),
        **{f"{VIEWS}/{name}.parquet": _parquet(rows) for name, rows in views.items()},
        **{f"{CODE}/{path}": file.read_bytes() for path, file in draft.sources.items()},
    }
    for path in contents:
        check_path(path)
    manifest = Manifest(
        model=draft.model,
        format=format_name,
        target=draft.target,
        threshold=draft.threshold,
        labels=dumped.labels,
        signature=Signature.of(request, nullable=draft.nullable),
        features=features.spec,
        files={path: File(digest_bytes(data), sha256(data).hexdigest(), len(data)) for path, data in contents.items()},
        content_hash=dumped.content_hash,
        probe_hash=score_hash(scores),
        environment=draft.environment,
        lineage=draft.lineage,
    )
    return contents, manifest


def score_hash(scores: Floats) -> str:
    """Digest of the scores' bits."""
    return digest_bytes(np.ascontiguousarray(scores, dtype="<f8").tobytes())


def score_frame(scores: Floats) -> pl.DataFrame:
    """Scores as a table with a column per class."""
    columns = scores.reshape(len(scores), -1)
    return pl.DataFrame({f"score_{number}": columns[:, number] for number in range(columns.shape[1])})


def classes_of(y: pl.Series, task: str, positive: Label | None = None) -> tuple[Label, ...]:
    """The target's classes: binary (negative, positive), multiclass in ascending order, regression none."""
    if task == "regression":
        return ()
    values = sorted(y.drop_nulls().unique().to_list())
    if task == "multiclass":
        return tuple(values)
    negatives = [value for value in values if value != positive]
    positives = [value for value in values if value == positive]  # as the data hold it: true, where 1 is asked for
    if len(negatives) != 1 or len(positives) != 1:
        raise UsageError(
            f"a binary target has two values; {y.name!r} has {values[:10]} and the event is {positive!r}",
            hint="correct objective.target.positive, or make the target a column of true and false",
        )
    return (negatives[0], positives[0])


def _check_target(target: Target) -> None:
    wanted = {"binary": 2, "regression": 0}.get(target.task, max(2, len(target.classes)))
    if len(target.classes) != wanted or not all(
        isinstance(label, bool | int | float | str) for label in target.classes
    ):
        expected = f"{wanted} classes that are text, numbers, true or false"
        raise UsageError(f"a {target.task} target with the classes {list(target.classes)}", expected=expected)
    if target.task == "binary" and target.classes[1] != target.positive:
        raise UsageError("the second class of a binary target is the event", expected=f"(…, {target.positive!r})")


def _spread(height: int, count: int) -> pl.Series:
    """Up to `count` row numbers, evenly spread."""
    if not height:
        raise UsageError("there are no training examples to seal a model with")
    return pl.Series(np.unique(np.linspace(0, height - 1, num=min(height, count)).round().astype(np.uint32)))


def _needed(features: FeatureSet, view: str, requests: pl.DataFrame, views: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    if view not in views:
        raise UsageError.unknown("rows of feature view", view, views)
    return features.needed(view, requests, views[view])


def _proven(features: FeatureSet, scorer: Scorer, dumped: Dumped, probe: pl.DataFrame, views: Rows) -> Floats:
    """Scores of the probe, after the checks that make a bundle worth a signature."""
    vectors = features.vectors(probe, views)
    _check_alone(features, probe, views, vectors)
    scores = _scores(scorer, vectors)
    _check_scores(scores, scorer.target)
    if dumped.live is not None:
        _check_same(scores, _scores(replace(scorer, model=dumped.live), vectors), scorer.model.tolerance)
    return scores


def _check_alone(features: FeatureSet, probe: pl.DataFrame, views: Rows, vectors: pl.DataFrame) -> None:
    """A feature may not depend on which other requests it is computed with: a server sees one at a time."""
    for row in _spread(probe.height, ALONE_ROWS).to_list():
        alone = features.vectors(probe[row], views)
        different = [name for name in alone.columns if not _same_value(alone[0, name], vectors[row, name])]
        if different:
            raise FunctionError(
                f"feature {different[0]!r} of a request changes with the requests beside it: "
                f"{vectors[row, different[0]]!r} among {probe.height}, {alone[0, different[0]]!r} alone",
                expected="a function of each request's own row",
                hint="no means, ranks or shifts over requests; what needs history belongs into a view from a dataset",
            )


def _same_value(left: object, right: object) -> bool:
    if isinstance(left, float) and isinstance(right, float):  # a vectorised function may round its last bit otherwise
        return isclose(left, right, rel_tol=1e-9, abs_tol=1e-12) or (isnan(left) and isnan(right))
    return left == right


def _check_scores(scores: Floats, target: Target) -> None:
    if not np.isfinite(scores).all():
        hint = "look at nulls and at the target's range"
        raise PenstockError("the model answers NaN or infinity on training examples", hint=hint)
    if target.task != "regression" and not ((scores >= 0) & (scores <= 1)).all():
        span = f"between {scores.min():.3g} and {scores.max():.3g}"
        raise UsageError(f"the model's scores lie {span}", expected="probabilities")


def _scores(scorer: Scorer, vectors: pl.DataFrame) -> Floats:
    try:
        return scorer.scores(vectors)
    except PenstockError:
        raise
    except Exception as error:
        raise UsageError(
            f"the model cannot answer the vectors it is given: {type(error).__name__}: {error}",
            expected="predict_proba for a classification, predict for a regression, over a Polars DataFrame",
            hint="fit the estimator on X as your function receives it; put selections and encodings into a pipeline",
        ) from error


def _check_same(scores: Floats, original: Floats, tolerance: float) -> None:
    if not np.allclose(scores, original, rtol=tolerance, atol=tolerance):
        worst = int(np.abs(scores - original).reshape(len(scores), -1).max(axis=1).argmax())
        raise PenstockError(
            f"the written model answers {scores[worst]} where the trained one answers {original[worst]}",
            hint="fit on X as your function receives it: column order and types are those of the vectors",
        )


def _profile(vectors: pl.DataFrame, scorer: Scorer) -> dict[str, Any]:
    from penstock.stats import Profile

    scores = scorer.scores(vectors[_spread(vectors.height, PROFILED_SCORES)])
    return {"vectors": Profile.build(vectors).to_json(), "scores": Profile.build(score_frame(scores)).to_json()}


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()
