"""A small airport: requests with a key, a time, text, numbers and nulls; hourly weather; a user's pipeline.py."""

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from penstock.bundle import Draft, FeatureSet, FeatureSpec, Sealed, Target, ViewSpec, export, schema_of, seal
from penstock.project import load_function, project_sources
from penstock.signing import Signer, load_signer
from penstock.store import Store

START = datetime(2013, 1, 1)
PIPELINE = """
import polars as pl
from dates import is_weekend

def schedule(requests):
    return requests.select(
        hour=pl.col("scheduled").dt.hour(),
        weekend=is_weekend(pl.col("scheduled")),
        carrier="carrier",
        distance="distance",
    )

def weather(rows):
    return rows.select("origin", "hour", wind=pl.col("wind_mph") * 1.61)
"""
DATES = """
def is_weekend(times):
    return times.dt.weekday() >= 6
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of one's own to change."""
    return write_project(tmp_path / "project")


def write_project(directory: Path) -> Path:
    directory.mkdir()
    (directory / "pipeline.py").write_text(PIPELINE)
    (directory / "dates.py").write_text(DATES)
    return directory


@pytest.fixture(scope="session")
def requests() -> pl.DataFrame:
    rng = np.random.default_rng(7)
    n = 400
    times = [START + timedelta(minutes=int(m)) for m in rng.integers(0, 60 * 24 * 30, n)]
    return pl.DataFrame(
        {
            "flight": [f"F{number}" for number in range(n)],
            "scheduled": pl.Series(times, dtype=pl.Datetime("us")),
            "origin": rng.choice(["EWR", "JFK", "LGA"], n),
            "carrier": pl.Series(rng.choice(["UA", "AA", "B6", None], n).tolist(), dtype=pl.String),
            "distance": pl.Series(rng.integers(100, 3000, n), dtype=pl.Int64),
        }
    )


@pytest.fixture(scope="session")
def weather() -> pl.DataFrame:
    rng = np.random.default_rng(8)
    hours = [START + timedelta(hours=hour) for hour in range(24 * 30)]
    return pl.DataFrame(
        {
            "origin": [origin for _ in hours for origin in ("EWR", "JFK", "LGA")],
            "hour": pl.Series([hour for hour in hours for _ in range(3)], dtype=pl.Datetime("us")),
            "wind_mph": rng.gamma(3, 4, len(hours) * 3),
        }
    )


@pytest.fixture(scope="session")
def late(requests: pl.DataFrame) -> pl.Series:
    """True more often for long flights late in the day."""
    hour = requests["scheduled"].dt.hour().cast(pl.Float64)
    noise = np.random.default_rng(9).normal(size=requests.height)
    return pl.Series("late", (hour / 12 + requests["distance"] / 2000 + noise).to_numpy() > 2)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bundle that all tests open was made."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def features(shared: Path, requests: pl.DataFrame) -> FeatureSet:
    root = write_project(shared / "project")
    views = (
        view(root, ViewSpec("schedule", "pipeline:schedule", "request")),
        view(root, ViewSpec("wind", "pipeline:weather", "weather", ("origin",), "hour", 3600.0, 3 * 3600.0)),
    )
    return FeatureSet.load(FeatureSpec(schema_of(requests), "scheduled", "flight", views), root)


def view(root: Path, spec: ViewSpec) -> ViewSpec:
    """The view with the digest of its code."""
    return replace(spec, code=load_function(root, spec.function).code)


@pytest.fixture(scope="session")
def store(shared: Path) -> Store:
    return Store.open(shared / "store")


@pytest.fixture(scope="session")
def signer(shared: Path) -> Signer:
    return load_signer(shared / "keys" / "signing")


@pytest.fixture(scope="session")
def draft(shared: Path, features: FeatureSet, requests: pl.DataFrame, weather: pl.DataFrame, late: pl.Series) -> Draft:
    """A pipeline of encoders and a logistic regression over both views."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rows = {"wind": features.view_rows("wind", weather.lazy())}
    vectors = features.vectors(requests, rows)
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encoder = ColumnTransformer(
        [("n", numbers, ["hour", "distance", "wind"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["carrier"])],
        remainder="passthrough",
    )
    return Draft(
        model="flight-delay",
        estimator=make_pipeline(encoder, LogisticRegression()).fit(vectors, late),
        target=Target("late", "binary", True, (False, True)),
        threshold=0.25,
        features=features,
        requests=requests,
        vectors=vectors,
        views=rows,
        sources=project_sources(shared / "project", ["pipeline:schedule", "pipeline:weather"]),
        lineage={"run": "r1", "seed": 7},
    )


@pytest.fixture(scope="session")
def sealed(draft: Draft, store: Store, signer: Signer) -> Sealed:
    return seal(draft, store, signer)


@pytest.fixture
def directory(sealed: Sealed, store: Store, shared: Path, tmp_path: Path) -> Path:
    """An export of one's own to open or to damage."""
    exported = export(sealed.digest, store, sealed.signature, sealed.public_key, shared / "bundles")
    copy: Path = shutil.copytree(exported, tmp_path / "bundles" / sealed.digest)
    return copy
