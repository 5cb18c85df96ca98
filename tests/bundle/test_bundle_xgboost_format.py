"""XGBoost, which is an extra: these run in `make test-frameworks`."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.bundle import Target, formats, xgboost_format
from penstock.bundle.model import Dumped, Model
from penstock.errors import Untrusted, UsageError

xgboost = pytest.importorskip("xgboost", reason="runs in make test-frameworks")

RNG = np.random.default_rng(5)
X = pl.DataFrame(
    {
        "a": RNG.normal(size=400),
        "b": pl.Series(RNG.integers(0, 9, 400)),
        "c": RNG.normal(size=400) > 0,
        "é": pl.Series(RNG.choice(["ü", "dry", "wet"], 400), dtype=pl.Enum(["wet", "ü", "dry", "never"])),
    }
)
NUMBERS = X.select("a", "b", "c")
M = NUMBERS.with_columns(pl.all().cast(pl.Float64)).to_numpy()
Y = ((X["a"] > 0) ^ (X["é"].cast(pl.String) == "wet")).to_numpy()
BINARY = Target("late", "binary", True, (False, True))
WORDS = Target("late", "binary", "yes", ("no", "yes"))
VALUE = Target("late", "regression")


def loaded(model: object, vectors: pl.DataFrame = NUMBERS, target: Target = BINARY) -> Model:
    name, dumped = formats.dump(model, vectors, target)
    assert name == "xgboost"
    return formats.load(name, dumped.data)


def dumped(model: object, target: Target = BINARY) -> Dumped:
    return formats.dump(model, NUMBERS, target)[1]


def test_a_binary_classifier_comes_back():
    model = xgboost.XGBClassifier(n_estimators=10).fit(M, Y)
    assert np.array_equal(loaded(model).probabilities(NUMBERS)[:, 1], model.predict_proba(M)[:, 1])
    assert dumped(model).labels == (0, 1)
    assert dumped(model, WORDS).labels is None  # in the order of the target's classes


def test_a_multiclass_classifier_and_a_regressor_come_back():
    several = xgboost.XGBClassifier(n_estimators=5).fit(M, RNG.integers(0, 3, 400))
    value = xgboost.XGBRegressor(n_estimators=5).fit(M, M[:, 0])
    assert np.array_equal(loaded(several).probabilities(NUMBERS), several.predict_proba(M))
    assert np.array_equal(loaded(value, target=VALUE).values(NUMBERS), value.predict(M))


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_a_booster_of_each_kind_comes_back(booster):
    params = {"objective": "binary:logistic", "booster": booster, "seed": 1, "updater": "coord_descent"}
    model = xgboost.train(params if booster == "gblinear" else {**params, "updater": None}, xgboost.DMatrix(M, Y), 5)
    found = loaded(model).probabilities(NUMBERS)[:, 1]
    assert np.allclose(found, model.predict(xgboost.DMatrix(M)), rtol=1e-6, atol=1e-7)


def test_named_features_are_found_by_name():
    data = xgboost.DMatrix(M, Y, feature_names=["a", "b", "c"])
    model = xgboost.train({"objective": "binary:logistic"}, data, 5)
    assert np.array_equal(loaded(model).values(NUMBERS.select("c", "b", "a")), model.predict(data))


def test_one_row_answers_as_many_do_and_nulls_are_missing():
    model = xgboost.XGBRegressor(n_estimators=10).fit(M, M[:, 0])
    holed = NUMBERS.with_columns(b=pl.when(pl.col("b") > 4).then("b"))
    found = loaded(model, target=VALUE)
    expected = model.predict(holed.select(pl.all().cast(pl.Float64)).to_numpy())
    assert np.array_equal(found.values(holed), expected)
    assert found.values(holed).tolist() == [found.values(holed[row])[0] for row in range(holed.height)]


@pytest.mark.parametrize("kind", [pl.Enum(["wet", "ü", "dry", "never"]), pl.Categorical()])
def test_categories_are_those_of_the_training_and_an_unknown_one_is_missing(kind):
    pytest.importorskip("pyarrow", reason="XGBoost reads Polars frames by way of Arrow")
    rows = X.with_columns(pl.col("é").cast(pl.String).cast(kind))
    model = xgboost.XGBClassifier(n_estimators=10, enable_categorical=True, max_cat_to_onehot=1).fit(rows, Y)
    found = loaded(model, rows)
    assert np.array_equal(found.probabilities(rows)[:, 1], model.predict_proba(rows)[:, 1])
    texts = rows.with_columns(pl.col("é").cast(pl.String))
    assert np.array_equal(found.probabilities(texts), found.probabilities(rows))
    unknown = texts[:9].with_columns(é=pl.lit("fog"))
    missing = texts[:9].with_columns(é=pl.lit(None, dtype=pl.String))
    assert np.array_equal(found.probabilities(unknown), found.probabilities(missing))


def test_codes_of_ones_own_are_an_enums_places():
    codes = X.with_columns(pl.col("é").to_physical()).select(pl.all().cast(pl.Float64)).to_numpy()
    data = xgboost.DMatrix(codes, Y, feature_types=["q", "q", "q", "c"], enable_categorical=True)
    model = xgboost.train({"objective": "binary:logistic"}, data, 5)
    assert np.array_equal(loaded(model, X).values(X), model.predict(data))


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_an_estimator_answers_up_to_its_best_iteration(booster):
    model = xgboost.XGBRegressor(n_estimators=50, booster=booster, early_stopping_rounds=2)
    model.fit(M, M[:, 0], eval_set=[(M, RNG.normal(size=400))], verbose=False)
    assert model.best_iteration < 49
    assert np.array_equal(loaded(model, target=VALUE).values(NUMBERS), model.predict(M))


def test_content_is_the_model_and_not_how_it_was_trained():
    def fit(**params: object) -> object:
        return xgboost.XGBClassifier(**{"n_estimators": 5, **params}).fit(M, Y)

    one, two, more = fit(n_jobs=1, random_state=1), fit(n_jobs=2, random_state=2), fit(n_estimators=6)
    hashes = [dumped(model).content_hash for model in (one, two, more)]
    assert dumped(one).data == dumped(two).data
    assert hashes[0] == hashes[1] != hashes[2]
    older = dumped(one).data.replace(b'"version":[', b'"version":[1')
    assert older != dumped(one).data
    assert xgboost_format.content_hash(older) == hashes[0]


def test_text_that_was_no_category_is_no_number():
    model = loaded(xgboost.XGBRegressor(n_estimators=5).fit(M, M[:, 0]), target=VALUE)
    with pytest.raises(UsageError, match="feature 'b' is String; XGBoost takes numbers"):
        model.values(NUMBERS.with_columns(pl.col("b").cast(pl.String)))


@pytest.mark.parametrize("objective", ["binary:logitraw", "binary:hinge", "reg:squarederror"])
def test_scores_that_are_no_probabilities_are_refused(objective):
    model = xgboost.train({"objective": objective}, xgboost.DMatrix(M, Y), 3)
    with pytest.raises(UsageError, match=f"{objective} gives no probabilities"):
        dumped(model)


def test_an_objective_of_ones_own_is_refused():
    def squares(labels, scores):
        return scores - labels, np.ones_like(scores)

    with pytest.raises(UsageError, match="objective of your own"):
        dumped(xgboost.XGBRegressor(objective=squares, n_estimators=3).fit(M, M[:, 0]), VALUE)


def test_a_pipeline_that_ends_with_xgboost_comes_back_whatever_the_threads():
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    def fit(jobs: int, seed: int) -> object:
        columns = ColumnTransformer([("é", OrdinalEncoder(), ["é"])], remainder="passthrough")
        return make_pipeline(columns, xgboost.XGBClassifier(n_estimators=5, n_jobs=jobs, random_state=seed)).fit(X, Y)

    one, two = fit(1, 1), fit(2, 2)
    name, first = formats.dump(one, X, BINARY)
    model = formats.load(name, first.data)
    assert name == "skops"
    assert np.array_equal(model.probabilities(X), one.predict_proba(X))
    assert first.content_hash == formats.dump(two, X, BINARY)[1].content_hash
    config = json.loads(model.estimator[-1].get_booster().save_config())
    assert config["learner"]["generic_param"]["nthread"] == "1"


def test_bytes_that_are_no_model_are_refused():
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(UsageError, match="no XGBoost model"):
        formats.dump(FunctionTransformer(np.abs, kw_args={"out": bytearray(b"code")}), X, VALUE)


SOUND = dumped(xgboost.XGBClassifier(n_estimators=3).fit(M, Y)).data
DEEP = b'{"learner":' * 100_000


@pytest.mark.parametrize("data", [b"", b"\x80\x04pickle", b"[]", b"{}", b'{"learner":{}}', b'{"learner":3}', DEEP])
def test_what_is_no_model_is_refused(data):
    with pytest.raises(Untrusted):
        xgboost_format.load(data)


def test_a_model_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(xgboost_format, "MAX_BYTES", len(SOUND) - 1)
    with pytest.raises(Untrusted, match="at most"):
        xgboost_format.load(SOUND)


@given(at=st.integers(0, len(SOUND) - 1))
@settings(max_examples=100, deadline=None)
def test_half_a_model_is_refused(at):
    with pytest.raises(Untrusted):
        xgboost_format.load(SOUND[:at])


def test_a_model_with_a_part_of_another_kind_is_refused():
    learner = json.loads(SOUND)
    learner["learner"]["gradient_booster"]["model"]["trees"] = "none"
    with pytest.raises(Untrusted, match="XGBoost cannot read"):
        xgboost_format.load(json.dumps(learner).encode())
