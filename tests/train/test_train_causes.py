"""Why two trainings of one recipe gave two models."""

from pathlib import Path

from train.train_toy import toy

from penstock.train import reproduce
from penstock.train.launch import Trained
from penstock.train.reproduction.causes import environment_causes, likely_causes

NOTHING = Trained("bundle", "skops", 1, "public", "signature", "content", "probe", "environment", {})


def test_what_a_training_did_not_load_is_no_cause() -> None:
    then = {"distributions": {name: {"version": "1", "digest": "x"} for name in ("numpy", "pytest")}}
    now = {"distributions": {name: {"version": "2", "digest": "y"} for name in ("numpy", "pytest")}}
    assert environment_causes(then, now, ["numpy"]) == ("numpy: 1 then, 2 now",)


def test_if_nothing_differs_it_is_something_else() -> None:
    (cause,) = likely_causes({}, {}, NOTHING)
    assert cause.startswith("fit depends on something that is neither in X, y, params and seed")


UNSEEDED = """
import numpy as np
from sklearn.dummy import DummyClassifier


def fit(X, y, *, seed, depth=3):
    noise = np.random.default_rng().random(len(y))
    return DummyClassifier(strategy="prior").fit(X, y.to_numpy() ^ (noise > 0.5))
"""


def test_a_line_that_is_not_seeded_is_the_cause_of_another_model(tmp_path: Path) -> None:
    made = toy(tmp_path / "toy", UNSEEDED)
    made.train()
    again = reproduce(made.project, made.ledger, made.store, "1", actor="ada")
    assert again.grade == "different"
    assert again.differences == ()
    assert again.causes == ("pipeline.py:7 takes random bits from the system, which no seed determines",)
