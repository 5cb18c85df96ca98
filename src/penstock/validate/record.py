"""The record of an evaluation: every number of it as one JSON value. The card is made from nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np

from penstock.stats import Interval, wilson
from penstock.validate.cases import CaseResult
from penstock.validate.judging import Evidence, Judgement
from penstock.validate.measuring import Array, Metric, Sample, intervals, measure
from penstock.validate.metrics import BINS, calibration_bin, confidence
from penstock.validate.slices import Groups

FORMAT = "penstock.evaluation/1"


def measured(evidence: Evidence, shown: Iterable[Metric]) -> list[dict[str, Any]]:
    """One row per metric: the candidate with its interval, the champion, the baseline."""
    metrics = list(shown)
    found = intervals(metrics, evidence.candidate)
    return [{"metric": m.name, "goal": m.goal, **_numbers(found[m.name]), **_rivals(m, evidence)} for m in metrics]


def _rivals(metric: Metric, evidence: Evidence) -> dict[str, Any]:
    champion, baseline = evidence.champion, evidence.baseline
    return {
        "champion": finite(measure(metric, champion)) if champion else None,
        "baseline": finite(measure(metric, baseline)) if baseline else None,
    }


def disagreement(evidence: Evidence) -> dict[str, Any] | None:
    """How often candidate and champion decide differently."""
    if evidence.champion is None or evidence.candidate.task != "binary":
        return None
    ours, theirs = evidence.candidate.decided, evidence.champion.decided
    apart = ours != theirs
    right = (ours == evidence.candidate.y)[apart]
    return {"n": int(apart.sum()), "share": finite(float(apart.mean())), "candidate_right": int(right.sum())}


def sliced(sample: Sample, groups: Groups, shown: Iterable[Metric]) -> dict[str, Any]:
    """Each group of a column with its size and metrics; the metrics carry intervals."""
    metrics = list(shown)

    def row(code: int) -> dict[str, Any]:
        part = sample.take(groups.rows(code))
        found = intervals(metrics, part)
        values = {name: _numbers(estimate) for name, estimate in found.items()}
        return {"name": groups.names[code], "n": part.rows, "metrics": values}

    return {"column": groups.column, "groups": [row(code) for code in range(len(groups.names))]}


def calibration(sample: Sample) -> list[dict[str, Any]]:
    """What was claimed beside what came true, in bins of equal width; for values, in tenths of equal size."""
    if sample.task == "regression":
        return _value_bins(sample)
    claimed, came_true = confidence(sample)
    bins = calibration_bin(claimed)
    rows = []
    for index in range(BINS):
        inside = bins == index
        n = int(inside.sum())
        if n:
            share = wilson(float(came_true[inside].sum()), n)
            rows.append({"claimed": float(claimed[inside].mean()), "n": n, **_numbers(share)})
    return rows


def _value_bins(sample: Sample) -> list[dict[str, Any]]:
    tenths = np.array_split(np.argsort(sample.scores, kind="stable"), BINS)
    return [_mean_bin(sample.scores[rows], sample.y[rows]) for rows in tenths if len(rows)]


def _mean_bin(claimed: Array, true: Array) -> dict[str, Any]:
    half = 1.96 * float(true.std(ddof=1)) / len(true) ** 0.5 if len(true) > 1 else float("nan")
    mean = float(true.mean())
    return {"claimed": float(claimed.mean()), "n": len(true), **_numbers(Interval(mean, mean - half, mean + half))}


def confusion(sample: Sample) -> dict[str, int] | None:
    """Counts of the four ways a decision can end."""
    if sample.task != "binary":
        return None
    y, decided = sample.y > 0.5, sample.decided > 0.5
    return {
        "true_positive": int((y & decided).sum()),
        "false_positive": int((~y & decided).sum()),
        "false_negative": int((y & ~decided).sum()),
        "true_negative": int((~y & ~decided).sum()),
    }


def latency(seconds: Array | None) -> dict[str, Any] | None:
    """Percentiles of the measured requests, in seconds."""
    if seconds is None:
        return None
    p50, p95, p99 = np.percentile(seconds, [50, 95, 99])
    return {"calls": len(seconds), "p50": float(p50), "p95": float(p95), "p99": float(p99)}


def judged(judgement: Judgement) -> dict[str, Any]:
    """A gate with what became of it."""
    return {
        **asdict(judgement.gate),
        "outcome": judgement.outcome,
        "reason": judgement.reason,
        "n": judgement.n,
        **_numbers(judgement.estimate),
        "threshold": finite(judgement.threshold),
        "reference": finite(judgement.reference),
        "slice": judgement.slice,
        "table": [{key: finite(value) for key, value in row.items()} for row in judgement.table],
    }


def case_row(case: CaseResult) -> dict[str, Any]:
    """A known case with what was answered."""
    return asdict(case)


def _numbers(estimate: Interval) -> Mapping[str, float | None]:
    return {"value": finite(estimate.value), "low": finite(estimate.low), "high": finite(estimate.high)}


def finite(value: Any) -> Any:
    """JSON has no nan and no infinity."""
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and not isfinite(value) else value
