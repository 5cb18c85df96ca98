"""What training gives comes back from a file, and the same training gives the same content."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from penstock.bundle import Target, formats
from penstock.digest import digest_bytes
from penstock.errors import Untrusted, UsageError

TARGET = Target("y", "binary", True, (False, True))
ELSEWHERE = """
import json
from penstock.bundle import provide
provide()
import test_bundle_formats
print(json.dumps(test_bundle_formats.train(2)))
"""


def train(jobs: int) -> dict[str, list[str]]:
    """Content hash and digest of the bytes of freshly trained models."""
    rng = np.random.default_rng(0)
    X = pl.DataFrame({"a": rng.normal(size=500), "c": rng.choice(["x", "y", "z"], 500)})
    y = (X["a"].to_numpy() + rng.normal(size=500)) > 0
    hot = ColumnTransformer([("c", OneHotEncoder(), ["c"])], remainder="passthrough")
    number = ColumnTransformer([("c", OrdinalEncoder(), ["c"])], remainder="passthrough")
    models = {
        "logistic": make_pipeline(hot, LogisticRegression()),
        "boosting": make_pipeline(number, HistGradientBoostingClassifier(max_iter=10)),
        "forest": make_pipeline(hot, RandomForestClassifier(8, random_state=0, n_jobs=jobs)),
        "lightgbm inside": make_pipeline(number, LGBMClassifier(n_estimators=5, n_jobs=jobs, verbose=-1)),
    }
    fitted = [(name, model.fit(X, y)) for name, model in models.items()]
    bare = LGBMClassifier(n_estimators=5, n_jobs=jobs, verbose=-1).fit(X.select("a").to_numpy(), y)
    dumps = {name: formats.dump(model, X, TARGET)[1] for name, model in [*fitted, ("lightgbm", bare)]}
    return {name: [dumped.content_hash, digest_bytes(dumped.data)] for name, dumped in dumps.items()}


def train_elsewhere() -> dict[str, list[str]]:
    """The same in another process, with other memory addresses, another hash seed and more threads."""
    path = ":".join([*sys.path, str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "2"}
    command = [sys.executable, "-W", "ignore", "-c", ELSEWHERE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_training_twice_gives_the_same_content_whatever_the_threads():
    here, there = train(1), train_elsewhere()

    assert [content for content, _ in here.values()] == [content for content, _ in there.values()]
    assert [here[name][1] for name in ("logistic", "forest")] == [there[name][1] for name in ("logistic", "forest")]


def test_another_model_is_another_content():
    X, y = pl.DataFrame({"a": [1.0, 2.0, 3.0]}), [1.0, 2.0, 4.0]
    hashes = {formats.dump(Ridge(alpha=alpha).fit(X, y), X, TARGET)[1].content_hash for alpha in (0.1, 0.2)}

    assert len(hashes) == 2


@pytest.mark.parametrize("thing", [object(), "model", {"coef": 1}, lambda rows: rows])
def test_what_no_format_holds_is_refused_with_the_formats_named(thing):
    with pytest.raises(UsageError, match="no safe format holds") as caught:
        formats.dump(thing, pl.DataFrame(), TARGET)

    assert caught.value.expected == "a model for one of: lightgbm, xgboost, onnx, skops"


def test_an_unknown_format_is_refused():
    with pytest.raises(Untrusted, match="unknown model format 'pickle'"):
        formats.load("pickle", b"")
