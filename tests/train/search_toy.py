"""A search that takes a moment: a model without a library, on rows that are the same every time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from penstock.engine import open_pool
from penstock.ledger import Ledger
from penstock.project import Engine, Train
from penstock.store import Manifest, Store
from penstock.train import Recipe, Tables
from penstock.train.code import keep
from penstock.train.search import Aim, Fold, Found, Limit, Plan, Rule, Space, make_folds, run_search

FIT = """
import os
import numpy as np


class Slope:
    classes_ = [False, True]

    def __init__(self, weight, noise):
        self.weight, self.noise = weight, noise

    def get_params(self, deep=True):
        return {}

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        up = 1 / (1 + np.exp(-self.weight * X["x"].to_numpy()))
        up = np.clip(up + self.noise, 0, 1)
        return np.column_stack([1 - up, up])


def fit(X, y, *, seed, weight=1.0, crash=False, kind="a"):
    print("fitting", X.height, weight)
    if crash:
        raise ValueError("as it was told to")
    if kind == "killed":
        os.kill(os.getpid(), 9)
    return Slope(weight, 0.01 * np.random.random()).fit(X, y)
"""
AIM = Aim("squared", "minimise", (Limit("bias at most 0.2", "bias", "max", 0.2),))
WEIGHT: dict[str, Any] = {"space": {"weight": {"min": 0.01, "max": 100.0, "log": True}}, "trials": 6, "pruner": "none"}


@dataclass(frozen=True)
class Desk:
    """What a search works with."""

    root: Path
    ledger: Ledger
    store: Store
    rows: pl.DataFrame
    commit: str
    code: str

    @property
    def home(self) -> Path:
        return self.root / ".penstock"

    def plan(self, search: Mapping[str, Any], *, aim: Aim = AIM, code: str | None = None, **train: Any) -> Plan:
        section = Train.model_validate({"function": "pipeline:fit", "threads": 1, "search": search, **train})
        assert section.search
        space = Space.of(section)
        recipe = Recipe(
            model="toy",
            function=section.function,
            params=section.params,
            seed=section.seed,
            threads=1,
            target={"column": "up", "task": "binary", "positive": True},
            threshold=0.5,
            features={"views": []},
            tables=Tables(self.commit, self.commit),
            data={"rows": self.commit},
            code=code or self.code,
        )
        folds = make_folds(Rule("random", 3, 7), self.rows)
        recipes = dict.fromkeys(space.feature_sets, recipe)
        return Plan(
            space, section.search, aim, folds, recipes, (False, True), space.present(section), {"code": recipe.code}
        )

    def judge(self, fold: Fold, scores: Any) -> dict[str, float]:
        truth = self.rows["up"].to_numpy()[fold.valid].astype(float)
        return {"squared": float(((scores - truth) ** 2).mean()), "bias": float(abs((scores - truth).mean()))}

    def search(self, plan: Plan, on_trial: Callable[..., None] | None = None) -> Found:
        with open_pool(Engine(workers=plan.settings.workers)) as pool:
            return run_search(plan, self.ledger, self.store, pool, self.judge, home=self.home, on_trial=on_trial)

    def with_fit(self, text: str) -> str:
        """The code of another fit."""
        (self.root / "pipeline.py").write_text(text)
        return keep({"pipeline.py": self.root / "pipeline.py"}, self.store)


def desk(root: Path) -> Desk:
    """A project with rows, and nothing before them."""
    root.mkdir(parents=True, exist_ok=True)
    store, ledger = Store.open(root / "store"), Ledger.open(f"sqlite:///{root / 'ledger.db'}")
    number = np.arange(240)
    x = (number * 7919 % 241) / 120 - 1
    rows = pl.DataFrame({"x": x, "up": x + ((number * 104729 % 31) / 31 - 0.5) * 0.3 > 0})
    table = store.write_table(rows)
    commit = store.commit(Manifest(table.schema, table.parts, producer="test"))
    made = Desk(root, ledger, store, rows, commit, "")
    return replace(made, code=made.with_fit(FIT))
