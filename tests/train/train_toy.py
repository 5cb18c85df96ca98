"""A small project with a training set, and nothing before it."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from penstock.bundle import FeatureSpec
from penstock.data import training_set
from penstock.ledger import Ledger
from penstock.project import ProjectFile, load_project
from penstock.store import Manifest, Store
from penstock.train import RunResult, Tables, train

YAML = """
name: toy
objective:
  problem: p
  decision: d
  owner: o@example.org
  target: {column: late, task: binary, positive: true}
data:
  datasets: {rows: {source: rows.csv}}
  examples: rows
  request: [distance, wind, carrier]
train: {function: "pipeline:fit", params: {depth: 4}, seed: 3, threads: 1}
"""
MODEL = """
import steps
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline


def fit(X, y, *, seed, depth=3):
    forest = RandomForestClassifier(10, max_depth=depth, random_state=seed)
    return make_pipeline(steps.columns(), forest).fit(X, y)
"""
STEPS = """
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def columns():
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["distance", "wind"]),
        (OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
    )
"""


@dataclass(frozen=True)
class Toy:
    """A project with a training set."""

    project: ProjectFile
    ledger: Ledger
    store: Store
    tables: Tables
    features: FeatureSpec
    commit: str

    @property
    def root(self) -> Path:
        return self.project.root

    def train(self, *, sets: tuple[str, ...] = (), key: str = "k" * 64, **options: object) -> RunResult:
        return train(
            load_project(self.root, sets=sets),
            self.ledger,
            self.store,
            key=key,
            tables=self.tables,
            data={"rows": self.commit},
            features=self.features,
            **options,  # type: ignore[arg-type]
        )


def toy(root: Path, code: str = MODEL, *, rows: int = 400, more: str = "") -> Toy:
    """The project at `root`, made there, with `code` as its pipeline.py and `more` in its penstock.yaml."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "penstock.yaml").write_text(YAML + more)
    (root / "pipeline.py").write_text(code)
    (root / "steps.py").write_text(STEPS)
    return opened(root, rows)


def opened(root: Path, rows: int = 400) -> Toy:
    """The same, of a project that is there."""
    project = load_project(root)
    store = Store.open(project.store_path)
    ledger = Ledger.open(project.ledger_url, signing_key=project.home / "keys" / "signing")
    table = store.write_table(examples(rows))
    commit = store.commit(Manifest(table.schema, table.parts, producer="test"))
    made = training_set(project, store, {"rows": commit}, examples="rows")
    tables = Tables(made.train, made.holdout, made.views)
    return Toy(project, ledger, store, tables, FeatureSpec.from_json(made.features), commit)


def examples(rows: int) -> pl.DataFrame:
    """Rows that are the same every time."""
    number = pl.int_range(rows, eager=True)
    frame = pl.DataFrame(
        {
            "distance": (number * 7919 % 997).cast(pl.Float64),
            "wind": (number * 104729 % 31).cast(pl.Float64),
            "carrier": pl.Series(["AA", "UA", "DL"]).gather(number % 3),
        }
    )
    score = frame["distance"] / 997 + frame["wind"] / 31 + (number * 15485863 % 13) / 26
    wind = pl.when(number % 50 > 0).then(pl.col("wind"))  # now and then unknown
    return frame.with_columns(wind, late=score > 1.2)
