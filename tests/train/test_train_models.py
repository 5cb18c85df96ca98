"""A run of each kind of model is reproduced to the byte, five times, by a fresh process each.

With XGBoost and PyTorch in `make test-frameworks`, with the others in `make test-slow`.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from train.train_toy import Toy, opened, toy

FIT = """
{imports}


def fit(X, y, *, seed, depth=3):
    rows, wanted = X.to_numpy(), y.to_numpy()
    return {model}.fit(rows, wanted)
"""
MODELS = {
    "linear": ("from sklearn.linear_model import LogisticRegression", "LogisticRegression()"),
    "unseeded forest": ("from sklearn.ensemble import RandomForestClassifier", "RandomForestClassifier(20, n_jobs=2)"),
    "boosting": (
        "from sklearn.ensemble import HistGradientBoostingClassifier",
        "HistGradientBoostingClassifier(max_iter=20, early_stopping=True)",
    ),
    "lightgbm": (
        "from lightgbm import LGBMClassifier",
        "LGBMClassifier(n_estimators=20, subsample=0.7, subsample_freq=1, verbosity=-1)",
    ),
    "xgboost": (
        "from xgboost import XGBClassifier",
        "XGBClassifier(n_estimators=20, subsample=0.7, colsample_bynode=0.7, n_jobs=2)",
    ),
}
PYTORCH = """
import polars as pl
import torch
from torch import nn


def fit(X, y, *, seed, depth=3):
    rows = torch.from_numpy(X.cast(pl.Float32).to_numpy()) / 100
    wanted = torch.from_numpy(y.cast(pl.Float32).to_numpy())
    network = nn.Sequential(nn.Linear(X.width, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 1), nn.Flatten(0))
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows, wanted), 32, shuffle=True)
    steps = torch.optim.Adam(network.parameters())
    for _ in range(3):
        for some, late in batches:
            steps.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(some), late).backward()
            steps.step()
    return nn.Sequential(network, nn.Sigmoid())
"""
CODE = {**{name: FIT.format(imports=one, model=two) for name, (one, two) in MODELS.items()}, "torch": PYTORCH}


def only_distance(root: Path, code: str) -> Toy:
    """A toy whose model takes one number, which is always known."""
    made = toy(root / "made", code)
    file = made.root / "penstock.yaml"
    file.write_text(file.read_text().replace("[distance, wind, carrier]", "[distance]"))
    return opened(made.root)


@pytest.mark.slow
@pytest.mark.parametrize("name", CODE)
def test_five_fresh_processes_make_the_same_bytes(tmp_path: Path, name: str) -> None:
    if name in ("xgboost", "torch") and find_spec(name) is None:
        pytest.skip("runs in make test-frameworks")
    project = only_distance(tmp_path, CODE[name])
    run = project.train(sets=("train.threads=2",)).run
    again = [reproduced(project.root) for _ in range(5)]
    assert [each["grade"] for each in again] == ["bytes"] * 5
    assert {each["content_hash"] for each in again} == {run.content_hash}
    assert {each["probe_hash"] for each in again} == {run.probe_hash}
    assert [each["differences"] for each in again] == [[]] * 5


def reproduced(root: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "penstock", "reproduce", "1", "-C", str(root), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    found: dict[str, object] = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    return found
