"""What is measured in a window: volume, latency, missing values, drift, and quality where labels have come.

    volume         predictions
    latency_p50    milliseconds; also latency_p95
    labelled       share of the predictions whose truth is known
    missing_rate   share of null values, per feature
    psi            per feature against the model's training profile: the population stability index less what
                   chance adds (`stats.drift`), and 0 where chance explains it (p >= CHANCE), so that a rule on it
                   asks for size and significance; 0.1 is a small, 0.2 a marked change
    score_psi      the same of the model's scores; of several classes the largest
    roc_auc ...    every metric of the task, of the predictions whose truth is known

What is not defined (an AUC without events) is not measured.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from penstock.monitor.labels import code_of
from penstock.stats import Column, Profile, drift, missing_rate

if TYPE_CHECKING:
    from penstock.bundle import Target
    from penstock.project import Costs
    from penstock.validate import Metric, Sample

VOLUME = "volume"
CHANCE = 0.01
DRIFT = ("missing_rate", "psi", "score_psi")


@dataclass(frozen=True)
class Measure:
    """A number of `n` rows; `subject` is a feature, or "" for the whole window."""

    metric: str
    subject: str
    value: float
    n: int


@dataclass(frozen=True)
class Judge:
    """How a model's answers are read: what it predicts, from which score on, and what mistakes cost."""

    target: "Target"
    threshold: float | None
    costs: "Costs | None"


def service(answered: pl.DataFrame) -> Iterator[Measure]:
    """Volume, latency and how much is labelled. `answered` has latency_us and truth."""
    n = answered.height
    yield Measure(VOLUME, "", float(n), n)
    for share in (50, 95):
        microseconds = answered["latency_us"].quantile(share / 100, interpolation="linear")
        if microseconds is not None:
            yield Measure(f"latency_p{share}", "", microseconds / 1000, n)
    yield Measure("labelled", "", answered["truth"].count() / n if n else 0.0, n)


def feature_drift(reference: Profile, current: Profile) -> Iterator[Measure]:
    """How far each feature moved from training, and how often it is missing."""
    for name, column in current.columns.items():
        yield Measure("psi", name, _beyond_chance(reference.columns[name], column), current.rows)
        yield Measure("missing_rate", name, missing_rate(column), current.rows)


def score_drift(reference: Profile, scores: pl.DataFrame) -> Iterator[Measure]:
    """How far the scores moved from those of the training examples. `scores` has the profile's columns."""
    current = Profile.build(scores, reference)
    moved = [_beyond_chance(reference.columns[name], column) for name, column in current.columns.items()]
    yield Measure("score_psi", "", max(moved), scores.height)


def _beyond_chance(reference: Column, current: Column) -> float:
    found = drift(reference, current)
    return max(0.0, found.debiased) if found.p_value < CHANCE else 0.0


def quality(metric: "Metric", sample: "Sample") -> Iterator[Measure]:
    """The metric of the predictions whose truth is known; nothing where it is not defined."""
    from penstock.validate import measure

    value = measure(metric, sample)
    if np.isfinite(value):
        yield Measure(metric.name, "", value, sample.rows)


def sample_of(answered: pl.DataFrame, judge: Judge) -> "Sample":
    """Logged answers beside their truth, as the metrics take them. Rows without a truth that can be are left out."""
    from penstock.validate import Sample

    task = judge.target.task
    rows = answered.with_columns(y=truths(answered["truth"], judge.target)).drop_nulls("y")
    scores = score_table(rows, judge.target).to_numpy()
    threshold = 0.5 if judge.threshold is None else judge.threshold
    flat = scores if task == "multiclass" else scores.reshape(-1)
    return Sample(task, rows["y"].to_numpy(), flat, threshold, judge.costs)


def truths(labels: pl.Series, target: "Target") -> pl.Series:
    """Label texts as `Sample.y`; null where the truth is not known, or cannot be the truth."""
    if target.task == "regression":
        return labels.cast(pl.Float64, strict=False)
    codes = {text: code_of(text, target) for text in labels.drop_nulls().unique()}
    if target.task == "multiclass":
        codes = {text: -1.0 if code is None else code for text, code in codes.items()}
    return labels.replace_strict(codes, default=None, return_dtype=pl.Float64)


def score_table(answered: pl.DataFrame, target: "Target") -> pl.DataFrame:
    """Logged scores, a column `score_0` ... for each class, or the one score of a binary task or a regression."""
    if target.task != "multiclass":
        return answered.select(score_0="score")
    decode = msgspec.json.Decoder(dict[str, float]).decode
    given = [decode(text) if text else {} for text in answered["probabilities"]]
    columns = [[row.get(str(label), 0.0) for row in given] for label in target.classes]
    return pl.DataFrame({f"score_{code}": pl.Series(of, dtype=pl.Float64) for code, of in enumerate(columns)})


def vectors_of(texts: Iterable[str], outputs: Sequence[tuple[str, pl.DataType]]) -> pl.DataFrame:
    """Logged feature vectors as columns again, in the types that the model was trained on."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    rows = [decode(text) for text in texts]
    return pl.DataFrame([_column([row.get(name) for row in rows], name, dtype) for name, dtype in outputs])


def merged(measures: Iterable[Measure]) -> Iterator[Measure]:
    """The same measure of several models as one, weighted by their rows."""
    groups: dict[tuple[str, str], list[Measure]] = {}
    for one in measures:
        groups.setdefault((one.metric, one.subject), []).append(one)
    for (metric, subject), parts in groups.items():
        total = sum(one.n for one in parts)
        yield Measure(metric, subject, sum(one.n * one.value for one in parts) / total, total)


def _column(values: list[Any], name: str, dtype: pl.DataType) -> pl.Series:
    if dtype.is_float():
        values = [float(value) if isinstance(value, str) else value for value in values]  # "nan", "inf"
    elif dtype.is_temporal():
        values = msgspec.convert(values, list[dtype.to_python() | None])  # type: ignore[misc]
    return pl.Series(name, values, dtype=dtype)
