"""Whether a classifier can tell the rows of now from those before: a shift of columns together.

The area under its ROC curve is out of fold, so 0.5 where nothing shifted; its interval is DeLong's (1988).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from penstock.data.bench.encode import Floats, columns_for_model, matrix
from penstock.data.bench.facts import Facts, sampled
from penstock.data.bench.finding import Finding, Severity
from penstock.data.bench.shift import moves_on
from penstock.stats import delong

ROWS = 10_000  # on either side
FEWEST = 200
FOLDS = 3
ALPHA = 1e-3
NOTABLE, MARKED = 0.55, 0.65  # areas under the curve: worth telling, worth a warning
NAMED = 8

Marks = npt.NDArray[np.bool_]


def multivariate_shift(facts: Facts) -> Iterator[Finding]:
    """How well now can be told from before, and by which columns."""
    names = columns_for_model(facts, [name for name in facts.comparable if not moves_on(facts, name)])
    before, batch = facts.before, facts.batch
    if before is None or not names or min(before.height, batch.height) < FEWEST:
        return
    frames = [sampled(side.rows, side.height, ROWS).select(names) for side in (before, batch)]
    x = matrix(pl.concat(frames), names)
    now = np.repeat([False, True], [frame.height for frame in frames])
    scores, drops = _told_apart(x, now, facts.context.seed)
    area = delong(now.astype(np.float64), scores, ALPHA)
    if not area.known or area.value < NOTABLE or area.low <= 0.5:
        return
    order = [i for i in np.argsort(-drops, kind="stable")[:NAMED] if drops[i] > 0]
    columns = tuple(names[i] for i in order)
    seen = any(facts.context.reaches_model(name) for name in columns)
    severity: Severity = "warn" if area.value >= MARKED and seen else "info"
    yield Finding(
        "multivariate_shift", severity, columns,
        f"a classifier tells the new rows from those before: ROC AUC {area.value:.3f} "
        f"({1 - ALPHA:.1%} interval {area.low:.3f} to {area.high:.3f})" + _by(columns),
        why="columns can move together while each alone looks as it did; a model then answers for rows it never saw",
        do="look at these columns side by side, now and before; retrain if the change will last",
        evidence={"auc": area.value, "low": area.low, "high": area.high, "rows": len(now),
                  "importance": {names[i]: float(drops[i]) for i in order}},
    )  # fmt: skip


def _by(columns: tuple[str, ...]) -> str:
    return f", most of all by {', '.join(columns[:3])}" if columns else ""


def _told_apart(x: Floats, now: Marks, seed: int) -> tuple[Floats, Floats]:
    """Out-of-fold scores, and by how much the area under the curve falls when a column is shuffled."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    scores, drops = np.zeros(len(now)), np.zeros(x.shape[1])
    random = np.random.default_rng(seed)
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed % 2**32).split(x, now):
        model = _classifier(seed).fit(x[train], now[train])
        scores[test] = model.predict_proba(x[test])[:, 1]
        base = roc_auc_score(now[test], scores[test])
        for column in range(x.shape[1]):
            shuffled = x[test].copy()
            shuffled[:, column] = random.permutation(shuffled[:, column])
            drops[column] += (base - roc_auc_score(now[test], model.predict_proba(shuffled)[:, 1])) / FOLDS
    return scores, drops


def _classifier(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, min_samples_leaf=30, random_state=seed % 2**32
    )  # fmt: skip
