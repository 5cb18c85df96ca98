"""What is measured in one window: volume, latency, missing values, drift, and quality where labels have come.

volume         predictions
latency_p50    milliseconds; also latency_p95
labelled       share of the predictions whose truth is known
missing_rate   share of null values, per feature
psi            per feature against the model's training profile: the population stability index less
what chance adds (`stats.drift`), never below 0; 0.1 is a small, 0.2 a marked change
roc_auc ...    every metric of the task, of the labelled predictions
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from penstock.monitor.labels import plain
from penstock.stats import Profile, drift, missing_rate

if TYPE_CHECKING:
    from penstock.project import Costs
    from penstock.validate import Sample


@dataclass(frozen=True)
class Measure:
    """A number; `subject` is a feature, or "" for the whole window."""

    metric: str
    subject: str
    value: float
    n: int


@dataclass(frozen=True)
class Judge:
    """How a model's answers are read: its task, its classes in order, its threshold, what mistakes cost."""

    task: str
    classes: Sequence[Any]
    positive: Any
    threshold: float
    costs: "Costs | None"


def service(predictions: pl.DataFrame) -> Iterator[Measure]:
    """Volume, latency and how much is labelled."""
    n = predictions.height
    yield Measure("volume", "", float(n), n)
    milliseconds = predictions["latency_us"] / 1000
    for share in (50, 95):
        value = milliseconds.quantile(share / 100, interpolation="linear")
        if value is not None:
            yield Measure(f"latency_p{share}", "", float(value), n)
    yield Measure("labelled", "", predictions["truth"].count() / max(n, 1), n)


def drifts(vectors: pl.DataFrame, reference: Profile) -> Iterator[Measure]:
    """PSI and missing values of each feature of a model, against its training profile."""
    current = Profile.build(vectors, reference)
    for name, column in current.columns.items():
        moved = drift(reference.columns[name], column)
        yield Measure("psi", name, max(0.0, moved.debiased), vectors.height)
        yield Measure("missing_rate", name, missing_rate(column), vectors.height)


def quality(labelled: pl.DataFrame, judge: Judge) -> Iterator[Measure]:
    """Every metric of the task, of predictions that have a `truth`; undefined ones are left out."""
    from penstock.validate import measure, metrics_for

    sample = sample_of(labelled, judge)
    for metric in metrics_for(sample.task, costs=judge.costs is not None):
        value = measure(metric, sample)
        if np.isfinite(value):
            yield Measure(metric.name, "", value, sample.rows)


def sample_of(labelled: pl.DataFrame, judge: Judge) -> "Sample":
    """Logged answers beside their truth, as the metrics take them."""
    from penstock.validate import Sample

    truths = labelled["truth"].to_list()
    if judge.task == "multiclass":
        codes = {plain(name): float(code) for code, name in enumerate(judge.classes)}
        y = np.array([codes.get(plain(truth), -1.0) for truth in truths])
        scores = np.array([_row(text, judge.classes) for text in labelled["probabilities"]])
        return Sample("multiclass", y, scores)
    scores = labelled["score"].to_numpy()
    if judge.task == "regression":
        return Sample("regression", np.array([float(truth) for truth in truths]), scores)
    event = _events(judge.positive)
    y = np.array([1.0 if plain(truth) in event else 0.0 for truth in truths])
    return Sample("binary", y, scores, judge.threshold, judge.costs)


def merged(measures: Sequence[tuple[int, Measure]]) -> Iterator[Measure]:
    """The same measure of several models as one, weighted by their rows."""
    groups: dict[tuple[str, str], list[tuple[int, Measure]]] = {}
    for rows, one in measures:
        groups.setdefault((one.metric, one.subject), []).append((rows, one))
    for (metric, subject), parts in groups.items():
        total = sum(rows for rows, _ in parts)
        yield Measure(metric, subject, sum(rows * one.value for rows, one in parts) / total, total)


def _events(positive: Any) -> set[str | None]:
    """The texts that mean the event; a true/false target may be reported as 1 and 0."""
    return {plain(positive), *([plain(int(positive))] if isinstance(positive, bool) else [])}


def _row(text: str | None, classes: Sequence[Any]) -> list[float]:
    import json

    given: Mapping[str, float] = json.loads(text or "{}")
    return [float(given.get(str(name), 0.0)) for name in classes]
