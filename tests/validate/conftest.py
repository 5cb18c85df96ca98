"""A small airport, sealed: a project, its ledger and store, a sound bundle and a poor one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from penstock.bundle import Draft, FeatureSet, FeatureSpec, Target, classes_of, seal
from penstock.data import TrainingSet, load_train, training_set
from penstock.ledger import Ledger, Run, SealedBundle, utc_now
from penstock.project import ProjectFile, load_project, project_sources
from penstock.signing import load_signer
from penstock.store import Manifest, Store

START = datetime(2013, 1, 1)
PIPELINE = """
import polars as pl

def schedule(requests):
    return requests.select(hour=pl.col("scheduled").dt.hour(), distance="distance")

def weather(rows):
    return rows.select("origin", "hour", wind=pl.col("wind_mph") * 1.61)

def fit(X, y, *, seed):
    raise AssertionError("the tests fit by themselves")

def missed(y, scores):
    return float(((scores < 0.5) & (y > 0.5)).mean())
"""
PROJECT = """
name: flight-delay
objective:
  problem: Passengers learn too late.
  decision: Offer rebooking.
  owner: ops@airline.example
  target: {column: late, task: binary, positive: true}
  costs: {false_negative: 90, false_positive: 15, unit: USD}
  thresholds: {roc_auc: {min: 0.7}, ece: {max: 0.2}}
  kpis: [{name: cost_per_flight, metric: cost, goal: minimise, target: 30, unit: USD}]
  slas: {latency_p95: 2s, freshness: 31d}
data:
  datasets:
    flights: {source: "data/flights.csv", key: flight, time: scheduled}
    weather: {source: "data/weather.csv", key: [origin, hour], time: hour}
  examples: flights
  request: [flight, scheduled, origin, carrier, distance]
  key: flight
  time: scheduled
  features:
    schedule: {function: "pipeline:schedule", from: request}
    wind: {function: "pipeline:weather", from: weather, entity: origin, time: hour, available: 1h, ttl: 3h}
train: {function: "pipeline:fit", holdout: last 40%}
validate:
  gates:
    - {metric: roc_auc, against: champion, rule: non_inferior, margin: 0.05}
    - {metric: log_loss, against: baseline, rule: superior}
    - {metric: recall, by: carrier, max_gap: 0.5, min_n: 40, severity: warn}
    - {metric: roc_auc, slices: [origin], min: 0.6}
    - {metric: "pipeline:missed", max: 0.5}
  slices: [carrier, distance]
  cases: cases
"""
CASE = """
name: long flight late in the evening
input: {flight: F1, scheduled: "2013-01-20T23:00:00", origin: EWR, carrier: UA, distance: 2900}
expect: {label: true, probability: {min: 0.5}}
reason: Answered "on time" once.
"""


@dataclass(frozen=True)
class Airport:
    """Everything that an evaluation needs; `good` and `poor` are bundles."""

    project: ProjectFile
    ledger: Ledger
    store: Store
    tables: TrainingSet
    sources: dict[str, str]
    good: str
    poor: str
    seal: Callable[..., str]


def flights(n: int = 1500) -> pl.DataFrame:
    random = np.random.default_rng(7)
    minutes = np.sort(random.integers(0, 60 * 24 * 30, n))
    times = pl.Series([START + timedelta(minutes=int(m)) for m in minutes], dtype=pl.Datetime("us"))
    distance = random.integers(100, 3000, n)
    late = times.dt.hour().to_numpy() / 12 + distance / 2000 + random.normal(size=n) > 2.5
    return pl.DataFrame(
        {
            "flight": [f"F{number}" for number in range(n)],
            "scheduled": times,
            "origin": random.choice(["EWR", "JFK", "LGA"], n),
            "carrier": pl.Series(random.choice(["UA", "AA", "B6", None], n).tolist(), dtype=pl.String),
            "distance": pl.Series(distance, dtype=pl.Int64),
            "late": late,
        }
    )


def weather() -> pl.DataFrame:
    hours = [START + timedelta(hours=hour) for hour in range(24 * 30)]
    return pl.DataFrame(
        {
            "origin": [origin for _ in hours for origin in ("EWR", "JFK", "LGA")],
            "hour": pl.Series([hour for hour in hours for _ in range(3)], dtype=pl.Datetime("us")),
            "wind_mph": np.random.default_rng(8).gamma(3, 4, len(hours) * 3),
        }
    )


@pytest.fixture(scope="session")
def airport(tmp_path_factory: pytest.TempPathFactory) -> Airport:
    root = tmp_path_factory.mktemp("airport")
    (root / "penstock.yaml").write_text(PROJECT)
    (root / "pipeline.py").write_text(PIPELINE)
    (root / "cases").mkdir()
    (root / "cases" / "evening.yaml").write_text(CASE)
    project = load_project(root)
    ledger = Ledger.open(project.ledger_url, signing_key=project.signing_key)
    store = Store.open(project.store_path)
    sources = {"flights": kept(store, flights()), "weather": kept(store, weather())}
    tables = training_set(project, store, sources, examples="flights")

    def sealed(**changes: Any) -> str:
        draft = replace(drafted(project, store, tables), **changes)
        made = seal(draft, store, load_signer(project.signing_key))
        row = SealedBundle(made.digest, "run", made.format, made.bytes, made.public_key, made.signature, utc_now())
        with ledger.write() as transaction:
            transaction.put(row)
            if not transaction.count(Run):
                transaction.add(run_of("run"))
        return made.digest

    return Airport(project, ledger, store, tables, sources, sealed(), sealed(estimator=coin(store, tables)), sealed)


def run_of(identifier: str) -> Run:
    known = dict.fromkeys(("status", "key", "function", "code", "environment"), "x")
    maps: dict[str, Any] = {name: {} for name in ("params", "data", "features", "host")}
    rest: dict[str, Any] = {"seed": 7, "git_commit": None, "patch": None, "pid": 1, "started_at": utc_now()}
    return Run(id=identifier, number=1, **known, **maps, **rest)


def kept(store: Store, frame: pl.DataFrame) -> str:
    table = store.write_table(frame)
    return store.commit(Manifest(table.schema, table.parts, producer="test"))


def drafted(project: ProjectFile, store: Store, tables: TrainingSet) -> Draft:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = load_train(store, tables.train)
    spec = FeatureSpec.from_json(tables.features)
    return Draft(
        model="flight-delay",
        estimator=make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(X, y),
        target=Target("late", "binary", True, classes_of(y, "binary", True)),
        features=FeatureSet.load(spec, project.root),
        requests=flights().drop("late"),
        vectors=X,
        threshold=0.5,
        views={name: store.scan(commit).collect() for name, commit in tables.views.items()},
        sources=project_sources(project.root, [view.function for view in spec.views]),
        lineage={"run": "run-1", "seed": 7},
    )


def coin(store: Store, tables: TrainingSet) -> Any:
    """A model that has learned the wind."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    X, y = load_train(store, tables.train)
    wind = ColumnTransformer([("wind", SimpleImputer(), ["wind"])])
    return make_pipeline(wind, LogisticRegression()).fit(X, y)
