import lightgbm
import numpy as np
import polars as pl
import pytest

from penstock.bundle import Target, formats, lightgbm_format
from penstock.errors import Untrusted, UsageError

RNG = np.random.default_rng(5)
X = pl.DataFrame({"a": RNG.normal(size=300), "b": pl.Series(RNG.integers(0, 9, 300)), "c": RNG.normal(size=300) > 0})
Y = (X["a"] + RNG.normal(size=300) > 0).to_numpy()
TARGET = Target("late", "binary", True, (False, True))
M = X.with_columns(pl.all().cast(pl.Float64)).to_numpy()


def loaded(model: object) -> lightgbm_format._Trees:
    name, dumped = formats.dump(model, X, TARGET)
    assert name == "lightgbm"
    return formats.load(name, dumped.data)


def test_a_binary_classifier_comes_back():
    model = lightgbm.LGBMClassifier(n_estimators=10, verbose=-1).fit(M, Y)

    assert np.array_equal(loaded(model).probabilities(X), model.predict_proba(M))
    assert formats.dump(model, X, TARGET)[1].labels == (False, True)


def test_a_multiclass_classifier_and_a_regressor_come_back():
    classes = np.array(["x", "y", "z"])[RNG.integers(0, 3, 300)]
    several = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(M, classes)
    value = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(M, M[:, 0])

    assert np.array_equal(loaded(several).probabilities(X), several.predict_proba(M))
    assert np.array_equal(loaded(value).values(X), value.predict(M))


def test_named_features_are_found_by_name():
    data = lightgbm.Dataset(M, Y.astype(int), feature_name=["a", "b", "c"])
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, data, 5)

    assert np.array_equal(loaded(booster).values(X.select("c", "b", "a")), booster.predict(M))


def test_one_row_answers_as_many_do_and_nulls_are_missing():
    model = loaded(lightgbm.LGBMRegressor(n_estimators=10, verbose=-1).fit(M, M[:, 0]))
    holed = X.with_columns(b=pl.when(pl.col("b") > 4).then("b"))

    assert model.values(holed).tolist() == [model.values(holed[row])[0] for row in range(holed.height)]


def test_content_is_the_trees_and_not_how_they_were_trained():
    one = lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1).fit(M, Y)
    two = lightgbm.LGBMClassifier(n_estimators=5, n_jobs=2, verbose=-1).fit(M, Y)
    more = lightgbm.LGBMClassifier(n_estimators=6, n_jobs=1, verbose=-1).fit(M, Y)

    hashes = [formats.dump(model, X, TARGET)[1].content_hash for model in (one, two, more)]

    assert hashes[0] == hashes[1] != hashes[2]


def test_text_is_no_number():
    model = loaded(lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(M, M[:, 0]))

    with pytest.raises(UsageError, match="feature 'b' is String"):
        model.values(X.with_columns(pl.col("b").cast(pl.String)))


def test_an_objective_of_ones_own_is_refused():
    def squares(labels, scores):
        return scores - labels, np.ones_like(scores)

    with pytest.raises(UsageError, match="objective of your own"):
        formats.dump(lightgbm.LGBMRegressor(objective=squares, n_estimators=3, verbose=-1).fit(M, M[:, 0]), X, TARGET)


@pytest.mark.parametrize("data", [b"", b"\x80\x04pickle", b"tree\nversion=v4\n", b"tree\nversion=v4\nnum_class=x\n\n"])
def test_what_is_no_model_is_refused(data):
    with pytest.raises(Untrusted):
        lightgbm_format.load(data)
