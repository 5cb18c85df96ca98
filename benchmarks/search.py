"""Claim: a trial costs little more CPU time than in a bare Optuna loop of one process, although each fold is a process.

Both try the same number of choices of the same fit on the same three folds of the same rows, imports and all; ours also
records each trial as a run, and is what `penstock train search` runs. The fit is one that takes a tenth of a second, as
short as fits get.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from harness import Claim, report

TRIALS, FOLDS, TURNS = 20, 3, 1
LIMIT = 0.5  # CPU seconds more for a trial: a Python that imports scikit-learn for each fold would take five

FIT = """
from sklearn.ensemble import HistGradientBoostingClassifier


def fit(X, y, *, seed, learning_rate, max_leaf_nodes):
    trees = HistGradientBoostingClassifier(
        max_iter=10, learning_rate=learning_rate, max_leaf_nodes=max_leaf_nodes, random_state=seed
    )
    return trees.fit(X.to_numpy(), y.to_numpy())
"""
BARE = """
import sys
import numpy as np
import optuna
import polars as pl
from sklearn.metrics import roc_auc_score
sys.path.insert(0, sys.argv[1])
from pipeline import fit
optuna.logging.set_verbosity(optuna.logging.ERROR)
rows = pl.read_csv(f"{sys.argv[1]}/rows.csv")
X, y = rows.drop("late"), rows["late"]
home = np.random.RandomState(7).permutation(rows.height) % int(sys.argv[3])


def objective(trial):
    params = {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 4, 63),
    }
    values = []
    for fold in range(int(sys.argv[3])):
        asked = home == fold
        model = fit(X.filter(~asked), y.filter(~asked), seed=7, **params)
        values.append(roc_auc_score(y.filter(asked).to_numpy(), model.predict_proba(X.filter(asked).to_numpy())[:, 1]))
    return float(np.mean(values))


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=7))
study.optimize(objective, n_trials=int(sys.argv[2]))
"""
PROJECT = """
name: bench
objective:
  problem: p
  decision: d
  owner: o
  target: {{column: late, task: binary, positive: true}}
data:
  datasets: {{rows: {{source: rows.csv}}}}
  examples: rows
  request: [a, b, c]
train:
  function: pipeline:fit
  threads: 1
  search:
    metric: roc_auc
    space:
      learning_rate: {{min: 0.01, max: 0.3, log: true}}
      max_leaf_nodes: {{min: 4, max: 63}}
    trials: {trials}
    pruner: none
    folds: {{kind: random, n: {folds}}}
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        ours, bare = [], []
        for turn in range(TURNS):
            root = project(Path(directory) / str(turn))
            # the first command makes the ledger and the training set, which the other trials then share
            spent([sys.executable, "-m", "penstock", "train", "search", "--set", "train.search.trials=1"], root)
            ours.append(spent([sys.executable, "-m", "penstock", "train", "search"], root))
            bare.append(spent([sys.executable, "-c", BARE, str(root), str(TRIALS), str(FOLDS)], root))
            print(f"  turn {turn + 1}: ours {ours[-1]:.1f}, bare {bare[-1]:.1f} CPU s", file=sys.stderr)
    mine, theirs = (sorted(values)[TURNS // 2] for values in (ours, bare))
    more = (mine - theirs) / TRIALS
    print(f"  a trial: {mine / TRIALS:.2f} CPU s, in the bare loop {theirs / TRIALS:.2f}", file=sys.stderr)
    name = f"what a trial of {FOLDS} folds costs beyond its fits"
    return report([Claim(name, more, LIMIT, "limit", "ratio < 1", more < LIMIT, "CPU s")])


def project(root: Path) -> Path:
    import numpy as np
    import polars as pl

    root.mkdir()
    (root / "penstock.yaml").write_text(PROJECT.format(trials=TRIALS, folds=FOLDS))
    (root / "pipeline.py").write_text(FIT)
    random = np.random.default_rng(1)
    columns = {name: random.normal(size=5_000) for name in "abc"}
    late = columns["a"] + columns["b"] ** 2 + random.normal(size=5_000) > 1
    pl.DataFrame({**columns, "late": late}).write_csv(root / "rows.csv")
    return root


def spent(command: list[str], root: Path) -> float:
    """CPU seconds of a command and everything that it started."""
    before = getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=root, env=environment(), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def environment() -> dict[str, str]:
    """One thread, in both."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    return {**os.environ, **counts}


if __name__ == "__main__":
    raise SystemExit(main())
