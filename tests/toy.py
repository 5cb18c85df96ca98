"""A small project for tests: will a parcel arrive late? Real files, a real training, seconds to run."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

START = datetime(2024, 1, 1)

PROJECT = """
name: parcels
objective:
  problem: Customers wait for parcels that come late.
  decision: Send a notice when the risk passes the threshold.
  owner: ops@parcels.example
  target: {column: late, task: binary, positive: true}
  costs: {false_negative: 10, false_positive: 2, unit: EUR}
  kpis: [{name: cost_per_parcel, metric: cost, goal: minimise, target: 3}]
  thresholds: {roc_auc: {min: 0.7}}
data:
  datasets:
    parcels: {source: data/parcels-*.csv, mode: append, key: parcel_id, time: sent, contract: contracts/parcels.yaml}
    depots: {source: "pipeline:depots", key: [depot, day]}
  examples: parcels
  request: [parcel_id, sent, depot, weight, express]
  key: parcel_id
  time: sent
  features:
    parcel: {function: "pipeline:parcel", from: request}
    load: {function: "pipeline:load", from: depots, entity: depot, time: day, available: 1h, ttl: 40d}
train:
  function: pipeline:fit
  params: {C: 1.0}
  holdout: last 25%
validate:
  slices: [depot]
  gates:
    - {metric: roc_auc, against: champion, rule: non_inferior, margin: 0.05}
    - {metric: log_loss, against: baseline, rule: superior}
deliver:
  endpoint: parcels
  promote: when_gates_pass
monitor:
  window: 1d
  alerts:
    - {metric: roc_auc, below: 0.9999, severity: page, min_n: 20}
improve:
  retrain: {on: [{alert: roc_auc}, {new_data: parcels}], cooldown: 1d}
"""

CONTRACT = """
columns:
  parcel_id: {type: String, nullable: false, unique: true}
  sent: {type: "Datetime[us]", nullable: false}
  depot: {type: String, nullable: false, values: [north, south, west]}
  weight: {type: Float64, nullable: true, min: 0, max: 100}
  express: {type: Boolean, nullable: false}
  late: {type: Boolean, nullable: true}
"""

PIPELINE = """
from datetime import datetime, timedelta

import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def depots():
    days = [datetime(2023, 12, 20) + timedelta(days=i) for i in range(60)]
    return pl.DataFrame(
        [
            (depot, day, float((i * 7 + j) % 10))
            for j, depot in enumerate(["north", "south"])
            for i, day in enumerate(days)
        ],
        schema=["depot", "day", "load"],
        orient="row",
    )


def parcel(requests):
    weekday = pl.col("sent").dt.weekday().alias("weekday")
    return requests.select("depot", "weight", pl.col("express").cast(pl.Int8), weekday)


def load(depots):
    return depots.select("depot", "day", "load")


def fit(X, y, *, seed, C):
    numbers = [name for name in X.columns if name != "depot"]
    columns = ColumnTransformer(
        [("depot", OneHotEncoder(handle_unknown="ignore"), ["depot"]), ("numbers", SimpleImputer(), numbers)]
    )
    print("fitting", X.height)
    return make_pipeline(columns, LogisticRegression(C=C, random_state=seed, max_iter=500)).fit(X, y)
"""


def parcels(rows: int, *, seed: int = 1, start: datetime = START, flip: bool = False) -> pl.DataFrame:
    """Parcels, an hour apart from `start`. `flip` turns the world around: what was late comes in time."""
    random = np.random.default_rng(seed)
    weight = random.gamma(2.0, 3.0, rows)
    express = random.random(rows) < 0.3
    depot = random.choice(["north", "south", "west"], rows)
    score = 0.5 * weight - 2.0 * express + (depot == "south") * 1.5 - 3.0 + random.logistic(size=rows) * 0.7
    late = (score > 0) != flip
    return pl.DataFrame(
        {
            "parcel_id": [f"p{seed}-{i}" for i in range(rows)],
            "sent": [start + timedelta(hours=i) for i in range(rows)],
            "depot": depot,
            "weight": [None if i % 31 == 0 else float(w) for i, w in enumerate(weight.round(2))],
            "express": express,
            "late": late,
        }
    )


def make_project(root: Path, *, rows: int = 600, project: str = PROJECT) -> Path:
    """Write the project with its first file of parcels; the directory."""
    for name in ("data", "contracts"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "penstock.yaml").write_text(project)
    (root / "contracts" / "parcels.yaml").write_text(CONTRACT)
    (root / "pipeline.py").write_text(PIPELINE)
    write_parcels(root, "parcels-1.csv", parcels(rows))
    return root


def write_parcels(root: Path, name: str, rows: pl.DataFrame) -> None:
    """A file of parcels arrives."""
    rows.write_csv(root / "data" / name)


def copy_project(source: Path, target: Path) -> Path:
    """A project with all it has made, ready to be changed."""
    shutil.copytree(source, target)
    return target
