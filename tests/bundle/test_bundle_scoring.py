import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from penstock.bundle import Target, classes_of, formats
from penstock.bundle.scoring import Scorer
from penstock.errors import UsageError

RNG = np.random.default_rng(3)
X = pl.DataFrame({"a": RNG.normal(size=90), "b": RNG.normal(size=90)})


def scorer(estimator: object, target: Target, threshold: float | None = None) -> Scorer:
    name, dumped = formats.dump(estimator, X, target)
    return Scorer(formats.load(name, dumped.data), target, dumped.labels, threshold)


class OfTwo:
    tolerance = 0.0

    def probabilities(self, vectors: pl.DataFrame) -> np.ndarray:
        return np.full((vectors.height, 2), 0.5)


def test_a_model_that_lacks_a_class_and_does_not_say_which_is_refused():
    several = Target("y", "multiclass", None, ("a", "b", "c"))
    with pytest.raises(UsageError, match="2 probabilities for the 3 classes"):
        Scorer(OfTwo(), several, None, None).scores(X)
    assert Scorer(OfTwo(), several, ("a", "c"), None).scores(X)[0].tolist() == [0.5, 0.0, 0.5]


@pytest.mark.parametrize(("event", "column"), [("no", 0), ("yes", 1)])
def test_a_binary_score_is_the_probability_of_the_event(event, column):
    y = np.where(X["a"] > 0, "yes", "no")
    estimator = LogisticRegression().fit(X, y)
    classes = classes_of(pl.Series("y", y), "binary", event)

    scored = scorer(estimator, Target("y", "binary", event, classes), threshold=0.3)

    assert scored.scores(X).tolist() == estimator.predict_proba(X)[:, column].tolist()
    assert scored.decide(np.array([0.2, 0.3, 0.9])) == [classes[0], event, event]


def test_zeros_and_ones_are_false_and_true():
    estimator = LogisticRegression().fit(X, (X["a"] > 0).cast(pl.Int8).to_numpy())

    scores = scorer(estimator, Target("y", "binary", True, (False, True))).scores(X)

    assert scores.tolist() == estimator.predict_proba(X)[:, 1].tolist()


def test_multiclass_scores_are_in_the_order_of_the_targets_classes():
    y = np.array(["b", "a", "c"])[RNG.integers(0, 3, 90)]
    estimator = LogisticRegression().fit(X, y)
    target = Target("y", "multiclass", None, ("c", "a", "b"))

    scored = scorer(estimator, target)
    scores = scored.scores(X)

    assert scores.tolist() == estimator.predict_proba(X)[:, [2, 0, 1]].tolist()
    assert scored.decide(scores) == estimator.predict(X).tolist()


def test_a_class_that_the_model_never_met_has_probability_0():
    y = np.where(X["a"] > 0, "a", "c")

    scores = scorer(LogisticRegression().fit(X, y), Target("y", "multiclass", None, ("a", "b", "c"))).scores(X)

    assert scores.shape == (90, 3)
    assert (scores[:, 1] == 0).all()


def test_a_regression_score_is_the_value():
    estimator = LinearRegression().fit(X, X["a"] * 2)

    scored = scorer(estimator, Target("y", "regression"))

    assert scored.scores(X).tolist() == estimator.predict(X).tolist()
    assert scored.decide(np.array([1.5])) == [1.5]


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        (Target("y", "binary", True, (False, True)), (0,)),
        (Target("y", "multiclass", None, (0, 1, 2)), (0, 3)),
    ],
)
def test_no_requests_have_no_scores(target, shape):
    estimator = LogisticRegression().fit(X, (X["a"] > 0).to_numpy())

    scored = scorer(estimator, target)

    assert scored.scores(X[:0]).shape == shape
    assert scored.decide(scored.scores(X[:0])) == []


def test_classes_that_are_not_the_targets_are_refused():
    estimator = LogisticRegression().fit(X, (X["a"] > 0).cast(pl.Int8).to_numpy())

    with pytest.raises(UsageError, match=r"fitted on the classes \[0, 1\], the target's are \['no', 'yes'\]"):
        scorer(estimator, Target("y", "binary", "yes", ("no", "yes"))).scores(X)


def test_classes_of_a_target():
    assert classes_of(pl.Series([2, 1, 2, None]), "multiclass") == (1, 2)
    assert classes_of(pl.Series([True, False]), "binary", 1) == (False, True)
    assert classes_of(pl.Series([1.5]), "regression") == ()
    with pytest.raises(UsageError, match="a binary target has two values"):
        classes_of(pl.Series("y", ["a", "b", "c"]), "binary", "a")
    with pytest.raises(UsageError, match="the event is 'yes'"):
        classes_of(pl.Series("y", ["y", "n"]), "binary", "yes")
