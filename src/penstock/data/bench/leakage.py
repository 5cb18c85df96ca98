"""Columns that know what they should not: the target, or what comes after the time of asking."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.facts import Facts, is_plain, is_text
from penstock.data.bench.finding import Finding, Severity

BINS = 64
ENOUGH = 200  # rows with an outcome
EACH = 10  # rows of each class, in either half
# how well a column alone may foretell the target: from the first on a warning, from the second on an error
LIMITS = {"binary": (0.95, 0.99), "multiclass": (0.9, 0.97), "regression": (0.97, 0.99)}
NUMBERS = {
    "binary": "ROC AUC",
    "multiclass": "share of the errors of always answering the commonest class that it avoids",
    "regression": "R²",
}
UNLABELLED = 20  # rows without an outcome, to see what they have
LATER = 0.5  # of the rows

Codes = npt.NDArray[np.int64]


def proxies(facts: Facts) -> Iterator[Finding]:
    """Columns that foretell the target alone: learned on one half of the rows, judged on the other."""
    if facts.target is None:
        return
    task, sample = facts.context.task or "regression", _labelled(facts)
    if sample.height < ENOUGH or (task == "regression" and is_text(facts.now.schema[facts.target])):
        return
    target = _target(sample.get_column(facts.target), task)
    half = np.random.default_rng(facts.context.seed).random(sample.height) < 0.5
    if not _judgeable(target, half, task):
        return
    warn, error = LIMITS[task]
    harmless: dict[str, float] = {}
    for name in _candidates(facts):
        score = foretold(bins(sample.get_column(name), half), target, half, task)
        if score < warn:
            continue
        if not facts.context.reaches_model(name):
            harmless[name] = score
        else:
            yield _proxy(facts, name, score, "error" if score >= error else "warn", NUMBERS[task])
    if harmless:
        yield _outside(harmless, facts.target)


def _proxy(facts: Facts, name: str, score: float, severity: Severity, number: str) -> Finding:
    return Finding(
        "leakage", severity, (name,), f"{name!r} alone foretells {facts.context.target!r} ({number} {score:.4f})",
        why="what knows the answer is mostly made from it: the model looks perfect until it is asked in earnest",
        do=f"find out when {name!r} becomes known; if that is after the prediction, take it out of data.request",
        evidence={"score": score, "number": number},
    )  # fmt: skip


def _outside(harmless: dict[str, float], target: str) -> Finding:
    names = tuple(sorted(harmless, key=lambda name: -harmless[name]))
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
    return Finding(
        "leakage", "info", names, f"not in data.request, but enough to foretell {target!r} alone: {shown}",
        why="a model never sees what no request holds, so nothing leaks",
        do="nothing, as long as they stay out of data.request",
        evidence={"scores": harmless},
    )  # fmt: skip


def foretold(codes: Codes, target: npt.NDArray[np.float64], half: npt.NDArray[np.bool_], task: str) -> float:
    """How well the mean target of each bin, learned on one half, foretells the other half.

    binary: the area under the ROC curve; multiclass: 1 - errors / errors of the commonest class; regression: R².
    """
    size = int(codes.max()) + 1
    if task == "multiclass":
        return _multiclass(codes, target.astype(np.int64), half, size)
    mean = float(target[half].mean())
    counts = np.bincount(codes[half], minlength=size)
    sums = np.bincount(codes[half], weights=target[half], minlength=size)
    answer = ((sums + mean) / (counts + 1))[codes[~half]]
    truth = target[~half]
    if task == "binary":
        return _auc(answer, truth > 0.5)
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((truth - answer) ** 2).sum()) / spread if spread else 0.0


def _multiclass(codes: Codes, target: Codes, half: npt.NDArray[np.bool_], size: int) -> float:
    classes = int(target.max()) + 1
    table = np.bincount(codes[half] * classes + target[half], minlength=size * classes).reshape(size, classes)
    prior = np.bincount(target[half], minlength=classes) / half.sum()
    answer = (table + prior).argmax(axis=1)[codes[~half]]
    truth = target[~half]
    base = float((truth != prior.argmax()).mean())
    return 1 - float((truth != answer).mean()) / base if base else 0.0


def _auc(scores: npt.NDArray[np.float64], events: npt.NDArray[np.bool_]) -> float:
    """Mann and Whitney's share of pairs in the right order; ties count half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n, m = int(events.sum()), int((~events).sum())
    return float((ranks[events].sum() - n * (n + 1) / 2) / (n * m)) if n and m else 0.5


def bins(values: pl.Series, half: npt.NDArray[np.bool_]) -> Codes:
    """A bin for each value: quantiles of the learning half, or each text and truth value by itself; 0 where missing."""
    if values.dtype.is_numeric() or values.dtype.is_temporal():
        numbers = values.to_physical().cast(pl.Float64).fill_null(np.nan).to_numpy()
        known = np.isfinite(numbers)
        learned = numbers[half & known]
        if not len(learned):
            return np.asarray(known, dtype=np.int64)
        edges = np.unique(np.quantile(learned, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
        # a value of its own on either side of an edge: zero among many zeros is not the same as nearly zero
        codes = np.searchsorted(edges, numbers, side="left") + np.searchsorted(edges, numbers, side="right") + 1
        return np.asarray(np.where(known, codes, 0), dtype=np.int64)
    texts = values.cast(pl.String)
    return np.asarray(texts.rank("dense").fill_null(0).to_numpy(), dtype=np.int64)


def _candidates(facts: Facts) -> Iterator[str]:
    """Columns that could be a target's double: neither the row's name nor texts that differ in each row."""
    context, rows = facts.context, facts.now.height
    for name, dtype in facts.now.schema.items():
        if name == context.target or name in context.identifying or not is_plain(dtype):
            continue
        if is_text(dtype) and (facts.now.columns[name].distinct or 0) > rows / 2:
            continue
        yield name


def _labelled(facts: Facts) -> pl.DataFrame:
    name = str(facts.target)
    target = pl.col(name)
    known = target.is_not_null() & (target.is_finite() if facts.now.schema[name].is_float() else pl.lit(True))
    return facts.now.sample.filter(known)


def _target(values: pl.Series, task: str) -> npt.NDArray[np.float64]:
    """Numbers; classes as 0, 1, ... in the order of their names."""
    if task == "regression":
        return values.cast(pl.Float64).to_numpy()
    return (values.cast(pl.String).rank("dense") - 1).to_numpy().astype(np.float64)


def _judgeable(target: npt.NDArray[np.float64], half: npt.NDArray[np.bool_], task: str) -> bool:
    if task == "regression":
        return bool(target.std() > 0)
    counts = [np.unique(target[side], return_counts=True)[1] for side in (half, ~half)]
    return all(len(one) > 1 and sorted(one)[-2] >= EACH for one in counts)


# --- known only later ----------------------------------------------------------------------------


def later(facts: Facts) -> Iterator[Finding]:
    """Columns of a request that tell of a time after it, or that only rows with an outcome have."""
    context = facts.context
    if facts.target is None or not facts.now.height:
        return
    for name in context.request:
        if name in facts.now.schema and name not in context.identifying:
            yield from _after(facts, name)
            yield from _with_outcome(facts, name)


def _after(facts: Facts, name: str) -> Iterator[Finding]:
    time = facts.context.time
    if time is None or time not in facts.now.schema or facts.now.schema[name] != facts.now.schema[time]:
        return
    condition = f"{sql.column(name)} > {sql.column(time)}"
    count = facts.now.counted({"rows": condition})["rows"]
    if count >= LATER * facts.now.height:
        yield Finding(
            "leakage", "warn", (name,),
            f"{name!r} is later than {time!r} in {count / facts.now.height:.0%} of the rows",
            why="what happens after the prediction is asked for is not known then, unless it is a plan",
            do=f"if {name!r} is planned beforehand, all is well; otherwise take it out of data.request",
            count=count, share=count / facts.now.height, filter=condition,
        )  # fmt: skip


def _with_outcome(facts: Facts, name: str) -> Iterator[Finding]:
    target = str(facts.context.target)
    gaps = pl.col(target).is_null()
    wanted: dict[str, Any] = {
        "open": gaps.sum(),
        "open_known": (gaps & pl.col(name).is_not_null()).sum(),
        "closed": (~gaps).sum(),
        "closed_known": (~gaps & pl.col(name).is_not_null()).sum(),
    }
    found = facts.now.rows.select(**wanted).collect(engine="streaming").row(0, named=True)
    if found["open"] < UNLABELLED or found["open_known"] > 0.01 * found["open"]:
        return
    if found["closed_known"] >= 0.9 * found["closed"] > 0:
        yield Finding(
            "leakage", "error", (name,), f"{name!r} is known exactly where {target!r} is",
            why="it comes with the outcome: when a prediction is asked for, nobody knows it",
            do=f"take {name!r} out of data.request",
            count=found["closed_known"], share=found["closed_known"] / facts.now.height,
            filter=f"{sql.column(name)} IS NOT NULL AND {sql.column(target)} IS NOT NULL", evidence=found,
        )  # fmt: skip
