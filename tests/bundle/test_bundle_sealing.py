import json
from dataclasses import replace
from datetime import date, time
from hashlib import sha256

import lightgbm
import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer
from sklearn.svm import SVC

from penstock.bundle import FeatureSet, FeatureSpec, Target, ViewSpec, export, open_bundle, schema_of, seal
from penstock.digest import digest_bytes
from penstock.errors import FunctionError, PenstockError, UsageError
from penstock.project import project_sources
from penstock.stats import Profile


def plain(draft, requests, tmp_path, estimator, y, target):
    """A draft without views: the request is the vector."""
    numbers = requests.select("distance")
    features = FeatureSet.load(FeatureSpec(schema_of(numbers)), tmp_path)
    fitted = estimator.fit(numbers, y)
    return replace(
        draft,
        estimator=fitted,
        target=target,
        features=features,
        requests=numbers,
        vectors=numbers,
        views={},
        sources={},
    )


def test_a_sealed_bundle_answers_as_the_estimator_did(draft, directory, signer, requests):
    bundle = open_bundle(directory, trusted=[signer.public])

    answers = bundle.predict(requests, draft.views)

    assert answers.scores.tolist() == draft.estimator.predict_proba(draft.vectors)[:, 1].tolist()
    assert answers.vectors.equals(draft.vectors)
    assert answers.labels == [score >= 0.25 for score in answers.scores]
    assert bundle.predict(requests, bundle.prepare(draft.views)).scores.tolist() == answers.scores.tolist()


def test_a_request_goes_from_json_to_a_score(draft, directory, signer, requests):
    bundle = open_bundle(directory, trusted=[signer.public])
    sent = json.loads(json.dumps(bundle.signature.encode(requests[:3])))

    rows, problems = bundle.signature.decode(sent)

    assert problems == []
    assert (
        bundle.predict(rows, draft.views).scores.tolist() == bundle.predict(requests[:3], draft.views).scores.tolist()
    )


def test_it_holds_everything_that_is_known_about_it(draft, sealed, directory, signer):
    bundle = open_bundle(directory, trusted=[signer.public])

    assert bundle.id == sealed.digest == digest_bytes((directory / "bundle.json").read_bytes())
    assert (bundle.task, bundle.classes, bundle.threshold) == ("binary", (False, True), 0.25)
    assert bundle.manifest.lineage == {"run": "r1", "seed": 7}
    assert (bundle.manifest.content_hash, bundle.manifest.probe_hash) == (sealed.content_hash, sealed.probe_hash)
    assert [field.name for field in bundle.signature.fields if field.nullable] == ["carrier"]
    profile = json.loads((directory / "profile.json").read_bytes())
    assert list(Profile.from_json(profile["vectors"]).columns) == draft.vectors.columns
    assert Profile.from_json(profile["vectors"]).rows == draft.vectors.height
    assert list(Profile.from_json(profile["scores"]).columns) == ["score_0"]
    assert sealed.bytes == sum(file.stat().st_size for file in directory.rglob("*.*") if file.name != "bundle.sig")


def test_each_file_is_named_by_two_digests(directory):
    files = json.loads((directory / "bundle.json").read_bytes())["files"]

    assert {"model.skops", "code/pipeline.py", "code/dates.py", "probe/views/wind.parquet", "profile.json"} <= set(
        files
    )
    for path, file in files.items():
        data = (directory / path).read_bytes()
        assert file == {"blake3": digest_bytes(data), "sha256": sha256(data).hexdigest(), "bytes": len(data)}


def test_the_probe_holds_just_the_rows_it_needs(draft, directory, signer):
    bundle = open_bundle(directory, trusted=[signer.public])

    requests, views = bundle.probe()

    assert requests.height == 200
    assert 0 < views["wind"].height <= 200 < draft.views["wind"].height
    assert bundle.check_probe()
    assert bundle.expected.tolist() == bundle.predict(requests, draft.views).scores.tolist()


def test_sealing_the_same_twice_is_the_same_bundle(draft, store, signer, sealed):
    assert seal(draft, store, signer) == sealed


def test_two_versions_of_the_code_answer_in_one_process(draft, store, signer, directory, root, requests, tmp_path):
    (root / "pipeline.py").write_text((root / "pipeline.py").read_text().replace("hour()", "hour() + 1"))
    views = tuple(
        replace(view, code=FeatureSet.load(draft.features.spec, root).functions[view.name].code)
        for view in draft.features.spec.views
    )
    changed = FeatureSet.load(replace(draft.features.spec, views=views), root)
    sources = project_sources(root, ["pipeline:schedule"])
    newer = replace(draft, features=changed, vectors=changed.vectors(requests, draft.views), sources=sources)
    sealed = seal(newer, store, signer)

    old = open_bundle(directory, trusted=[signer.public])
    new = open_bundle(
        export(sealed.digest, store, sealed.signature, sealed.public_key, tmp_path / "b"), trusted=[signer.public]
    )

    hours = [bundle.predict(requests, draft.views).vectors["hour"] for bundle in (old, new)]
    assert (hours[0] + 1).equals(hours[1])


@pytest.mark.parametrize(
    ("estimator", "format_name"),
    [
        (HistGradientBoostingClassifier(max_iter=5), "skops"),
        (make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()), "skops"),
        (make_pipeline(SplineTransformer(), LogisticRegression()), "skops"),
        (lightgbm.LGBMClassifier(n_estimators=5, verbose=-1), "lightgbm"),
    ],
)
def test_models_that_a_bundle_holds(draft, late, requests, tmp_path, store, signer, estimator, format_name):
    target = Target("late", "binary", True, (False, True))

    sealed = seal(plain(draft, requests, tmp_path, estimator, late, target), store, signer)
    directory = export(sealed.digest, store, sealed.signature, sealed.public_key, tmp_path / "b")

    assert sealed.format == format_name
    assert open_bundle(directory, trusted=[signer.public]).check_probe()


def test_several_classes_and_values(draft, requests, tmp_path, store, signer):
    drafts = [
        plain(
            draft,
            requests,
            tmp_path,
            LogisticRegression(),
            requests["origin"],
            Target("origin", "multiclass", None, ("EWR", "JFK", "LGA")),
        ),
        plain(draft, requests, tmp_path, LinearRegression(), requests["distance"], Target("distance", "regression")),
    ]

    shapes = []
    for one in drafts:
        sealed = seal(one, store, signer)
        directory = export(sealed.digest, store, sealed.signature, sealed.public_key, tmp_path / "b")
        bundle = open_bundle(directory, trusted=[signer.public])
        assert bundle.check_probe()
        shapes.append((bundle.expected.shape, len(bundle.predict(one.requests, {}).labels)))

    assert shapes == [((200, 3), 400), ((200,), 400)]


class Own(ClassifierMixin, BaseEstimator):
    """An estimator of the user's own."""

    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


def identity(rows):
    return rows


@pytest.mark.parametrize(
    ("estimator", "what"),
    [
        (Own(), "the model holds .*Own"),
        (make_pipeline(FunctionTransformer(identity), LogisticRegression()), "the model holds .*identity"),
        (SVC(), "the model cannot answer the vectors .*predict_proba"),
    ],
)
def test_models_that_no_bundle_holds(draft, late, requests, tmp_path, store, signer, estimator, what):
    target = Target("late", "binary", True, (False, True))

    with pytest.raises(UsageError, match=what) as caught:
        seal(plain(draft, requests, tmp_path, estimator, late, target), store, signer)

    assert caught.value.hint


def test_a_feature_may_not_depend_on_the_requests_beside_it(draft, late, root, store, signer, requests):
    source = "import polars as pl\ndef rank(requests):\n    return requests.select(rank=pl.col('distance').rank())\n"
    (root / "pipeline.py").write_text(source)
    spec = FeatureSpec(schema_of(requests), views=(ViewSpec("rank", "pipeline:rank", "request"),))
    features = FeatureSet.load(spec, root)
    vectors = features.vectors(requests, {})
    model = LogisticRegression().fit(vectors, late)

    with pytest.raises(FunctionError, match="feature 'rank' of a request changes with the requests beside it"):
        seal(replace(draft, estimator=model, features=features, vectors=vectors, views={}), store, signer)


def test_scores_that_are_no_probabilities_are_refused(draft, late, requests, tmp_path, store, signer):
    model = lightgbm.train(
        {"objective": "regression", "verbose": -1},
        lightgbm.Dataset(requests.select("distance").to_numpy(), requests["distance"].to_numpy()),
        3,
    )
    target = Target("late", "binary", True, (False, True))
    broken = plain(draft, requests, tmp_path, LogisticRegression(), late, target)

    with pytest.raises(UsageError, match="the model's scores lie between"):
        seal(replace(broken, estimator=model), store, signer)


def test_a_model_that_answers_otherwise_once_written_is_refused(draft, late, requests, tmp_path, store, signer):
    target = Target("late", "binary", True, (False, True))
    good = plain(draft, requests, tmp_path, lightgbm.LGBMClassifier(n_estimators=5, verbose=-1), late, target)
    good.estimator.predict_proba = lambda rows: np.full((len(rows), 2), 0.5)

    with pytest.raises(PenstockError, match="the written model answers"):
        seal(good, store, signer)


@pytest.mark.parametrize(
    "target",
    [
        Target("late", "binary", True, (True, False)),
        Target("late", "binary", True, (True,)),
        Target("late", "multiclass", None, ("a",)),
        Target("late", "regression", None, ("a", "b")),
        Target("late", "multiclass", None, (("a",), ("b",))),
    ],
)
def test_targets_that_make_no_sense_are_refused(draft, store, signer, target):
    with pytest.raises(UsageError):
        seal(replace(draft, target=target), store, signer)


def test_columns_of_any_name_and_type_that_a_file_may_have(draft, late, tmp_path, store, signer):
    n = late.len()
    rows = pl.DataFrame(
        {
            "a b": np.arange(n, dtype=float),
            "": ["x"] * n,
            "é/ü": [None] * n,
            "__loader__": ["os"] * n,
            "empty": pl.Series([None] * n, dtype=pl.String),
            "day": pl.Series([date(2013, 1, 1)] * n),
            "clock": pl.Series([time(12)] * n),
            "kind": pl.Series(["u", "v"] * (n // 2), dtype=pl.Categorical),
            "holes": [float("nan"), 1.0] * (n // 2),
        }
    )
    features = FeatureSet.load(FeatureSpec(schema_of(rows)), tmp_path)
    model = make_pipeline(make_column_transformer(("passthrough", ["a b"])), LogisticRegression()).fit(rows, late)
    odd = replace(draft, estimator=model, features=features, requests=rows, views={}, sources={})
    odd = replace(odd, vectors=features.vectors(rows, {}))

    sealed = seal(odd, store, signer)
    directory = export(sealed.digest, store, sealed.signature, sealed.public_key, tmp_path / "b")
    bundle = open_bundle(directory, trusted=[signer.public])

    decoded, problems = bundle.signature.decode(bundle.signature.encode(rows[:2]))
    assert problems == []
    assert bundle.check_probe()
    assert bundle.predict(decoded, {}).scores.tolist() == bundle.predict(rows[:2], {}).scores.tolist()
