"""Rows that are likely labelled wrong, by confident learning (Northcutt, Jiang and Chuang, JAIR 2021).

A row is off the diagonal of the confident joint when its out-of-fold probability of another class reaches what rows of
that class have on average, and it is then counted for the most probable such class. Where classes overlap by nature,
that counts honest rows too; so nothing is said unless the classes are mostly told apart, and a row only when its own
label is improbable as well.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from penstock.data.bench.encode import Floats, columns_for_model, matrix
from penstock.data.bench.facts import Facts, sampled
from penstock.data.bench.finding import Finding
from penstock.data.bench.isolation import by_key
from penstock.data.bench.labels import features_of

ROWS = 10_000
FEWEST = 300
EACH = 20  # rows of a class
CLASSES = 20
FOLDS = 5
APART = 0.88  # of the rows have a class with a probability of SURE or more: the classes hardly overlap
SURE = 0.8
UNLIKELY = 0.15  # probability of the label that a row has
WORTH = 0.01  # of the rows: near the border of two classes some honest ones look wrong too
SHOWN = 20

Codes = npt.NDArray[np.int64]


def mislabelled(facts: Facts) -> Iterator[Finding]:
    """Rows whose label a model is sure is another one, where it is seldom unsure."""
    target = facts.target
    if target is None or facts.context.task == "regression":
        return
    names = columns_for_model(facts, features_of(facts))
    sample = sampled(facts.now.rows, facts.now.height, ROWS).filter(pl.col(target).is_not_null())
    labels = sample.get_column(target).cast(pl.String)
    classes = labels.value_counts(name="rows")
    if not names or sample.height < FEWEST or not 2 <= classes.height <= CLASSES:
        return
    if int(classes.get_column("rows").min() or 0) < EACH:  # type: ignore[arg-type]
        return
    known = labels.unique().sort().to_list()
    given = np.asarray((labels.rank("dense") - 1).to_numpy(), dtype=np.int64)
    probability = _out_of_fold(matrix(sample, names), given, facts.context.seed)
    wrong, other = wrong_labels(probability, given)
    if len(wrong) >= WORTH * sample.height:
        yield _finding(facts, sample, wrong, [known[i] for i in given[wrong]], [known[i] for i in other], probability)


def wrong_labels(probability: Floats, given: Codes) -> tuple[Codes, Codes]:
    """The rows whose labels are likely wrong, the surest first, and the classes that they likely are of.

    `probability` is (rows, classes), out of fold. None where the classes overlap.
    """
    nothing = np.empty(0, dtype=np.int64)
    if (probability.max(axis=1) >= SURE).mean() < APART:
        return nothing, nothing
    rows = np.arange(len(given))
    usual = np.array([probability[given == j, j].mean() for j in range(probability.shape[1])])
    confident = np.where(probability >= usual, probability, -1.0)
    best = confident.argmax(axis=1)
    mine = probability[rows, given]
    off = (confident.max(axis=1) >= SURE) & (best != given) & (mine <= UNLIKELY)
    found = np.flatnonzero(off)
    found = found[np.argsort(mine[found], kind="stable")]
    return found, best[found]


def _out_of_fold(x: Floats, given: Codes, seed: int) -> Floats:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    return np.asarray(cross_val_predict(_classifier(seed), x, given, cv=folds, method="predict_proba"))


def _classifier(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    # few, small, cautious trees: a model that fits the noise is as sure of the wrong labels as of the right ones
    return HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=8, min_samples_leaf=20, l2_regularization=1.0, random_state=seed % 2**32
    )  # fmt: skip


def _finding(
    facts: Facts, sample: pl.DataFrame, wrong: Codes, given: list[str], other: list[str], probability: Floats
) -> Finding:
    target, rows = str(facts.target), [int(row) for row in wrong]
    some = "" if sample.height == facts.now.height else f" of a sample of {sample.height:,}"
    key = [name for name in facts.context.key if name not in facts.context.private]
    shown = [
        {"key": {name: str(sample.get_column(name)[row])[:40] for name in key}, "label": was, "likely": likely,
         "probability": float(probability[row].max())}
        for row, was, likely in zip(rows[:SHOWN], given, other, strict=False)
    ]  # fmt: skip
    return Finding(
        "mislabelled", "warn", (target,), f"{len(rows):,} rows{some} look labelled wrong",
        why="a model learns wrong labels as if they were right, and a holdout with them judges good models badly",
        do="look at the surest first, by their key; mend the labels at the source",
        count=len(rows), share=len(rows) / sample.height, filter=by_key(facts, sample, rows),
        evidence={"rows": shown},
    )  # fmt: skip
