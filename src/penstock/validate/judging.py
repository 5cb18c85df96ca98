"""Judging a gate: PASS, FAIL or UNDECIDED, and why.

Two rules, each in one sentence:

    a bound (also a gap, latency, freshness)
        PASS       the estimate keeps the bound
        FAIL       the estimate and its whole confidence interval break it
        UNDECIDED  between: the estimate breaks it, but chance could explain that
    a comparison, of the paired advantage over the champion or the baseline
        PASS       the whole interval is above -margin (non_inferior), above +margin (superior)
        FAIL       the whole interval is below
        UNDECIDED  between

Fewer than `min_n` rows, or a metric that is not defined on them, decide nothing. With slices the worst one
speaks for the gate; its intervals are simultaneous over the k slices (Bonferroni, alpha / k), so many
slices do not raise false alarms.
An UNDECIDED gate says how many more rows would decide it, were the estimate to stay.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import combinations
from math import isfinite, isnan
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from penstock.project import format_duration
from penstock.report import agreed, measured
from penstock.stats import UNKNOWN, Interval, difference, more_rows, quantile
from penstock.validate.cases import CaseResult
from penstock.validate.gates import Gate, Kind
from penstock.validate.measuring import Array, Metric, Sample, interval, magnitude, measure, paired_difference
from penstock.validate.slices import Groups

Outcome = Literal["PASS", "FAIL", "UNDECIDED"]
WORST_FIRST: Mapping[Outcome, int] = {"FAIL": 0, "UNDECIDED": 1, "PASS": 2}


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a judgement looks at. What is None was not there to be had; `absent` says why.

    unrivalled  why there is no champion to beat; not said when one is there but cannot answer
    baseline    the answers of always saying the training data's prior or mean
    latencies   seconds of single requests
    age         of the newest training row
    """

    candidate: Sample
    metrics: Mapping[str, Metric]
    champion: Sample | None = None
    unrivalled: str = "no champion yet"
    baseline: Sample | None = None
    groups: Mapping[str, Groups] = field(default_factory=dict)
    latencies: Array | None = None
    age: timedelta | None = None
    cases: tuple[CaseResult, ...] = ()
    absent: Mapping[Kind, str] = field(default_factory=dict)

    def take(self, rows: npt.NDArray[np.intp]) -> "Evidence":
        """The evidence of some of the rows."""
        return replace(
            self,
            candidate=self.candidate.take(rows),
            champion=self.champion.take(rows) if self.champion else None,
            baseline=self.baseline.take(rows) if self.baseline else None,
            groups={name: groups.take(rows) for name, groups in self.groups.items()},
        )


@dataclass(frozen=True)
class Judgement:
    """What became of a gate.

    estimate    the candidate's value; its interval, or for a comparison that of the paired difference added
                to the reference
    reference   the champion's or the baseline's value
    threshold   what the estimate is held against
    slice       the slice that decided, "" for all rows
    table       one row per slice or group, also those too small to judge
    """

    gate: Gate
    outcome: Outcome
    reason: str
    n: int
    estimate: Interval = UNKNOWN
    threshold: float | None = None
    reference: float | None = None
    slice: str = ""
    table: tuple[Mapping[str, Any], ...] = ()

    @property
    def slack(self) -> float:
        """How far the estimate is on the right side of the threshold; orders equal outcomes."""
        if self.threshold is None or isnan(self.estimate.value):
            return 0.0
        room = self.estimate.value - self.threshold
        return room if _more_is_better(self.gate) else -room


def judge(gate: Gate, evidence: Evidence) -> Judgement:
    """The outcome of one gate."""
    if gate.slices and not _unrivalled(gate, evidence):
        return _in_slices(gate, evidence)
    return _JUDGES[gate.kind](gate, evidence)


def verdict(judgements: Iterable[Judgement]) -> Outcome:
    """FAIL if a blocking gate fails, else UNDECIDED if one is undecided, else PASS."""
    blocking = (judgement.outcome for judgement in judgements if judgement.gate.severity == "block")
    return min(blocking, key=WORST_FIRST.__getitem__, default="PASS")


# --- one kind each -------------------------------------------------------------------------------


def _bound(gate: Gate, evidence: Evidence) -> Judgement:
    sample = evidence.candidate
    if sample.rows < gate.min_n:
        return _too_few(gate, sample.rows)
    estimate = interval(evidence.metrics[gate.metric], sample, gate.alpha)
    return _held_against(gate, estimate, gate.limit, sample.rows)


def _comparison(gate: Gate, evidence: Evidence) -> Judgement:
    rival = evidence.champion if gate.kind == "champion" else evidence.baseline
    sample, metric = evidence.candidate, evidence.metrics[gate.metric]
    if _unrivalled(gate, evidence):
        return Judgement(gate, "PASS", evidence.unrivalled, sample.rows)
    if rival is None:
        return Judgement(gate, "UNDECIDED", evidence.absent.get(gate.kind, f"there is no {gate.kind}"), sample.rows)
    if sample.rows < gate.min_n:
        return _too_few(gate, sample.rows)
    metric = magnitude(metric) if gate.goal == "zero" else metric
    raised = paired_difference(metric, sample, rival, gate.alpha)
    reference = measure(metric, rival)
    if isnan(raised.value):
        return _undefined(gate, sample.rows)
    return _advantage(gate, raised, reference, sample.rows)


def _unrivalled(gate: Gate, evidence: Evidence) -> bool:
    return gate.kind == "champion" and evidence.champion is None and "champion" not in evidence.absent


def _advantage(gate: Gate, raised: Interval, reference: float, rows: int) -> Judgement:
    """`raised` is the candidate's metric minus the rival's; an advantage where more is better."""
    upwards = _more_is_better(gate)
    advantage = raised if upwards else raised.flip()
    bound = -gate.limit if gate.rule == "non_inferior" else gate.limit
    if advantage.low > bound or (gate.rule == "non_inferior" and advantage.low == bound):
        outcome: Outcome = "PASS"
    else:
        outcome = "FAIL" if advantage.high <= bound else "UNDECIDED"
    reason = (
        f"{'better' if advantage.value >= 0 else 'worse'} by {measured(abs(advantage.value))} than the {gate.kind}'s "
        f"{measured(reference)}; {_confidence(gate)} interval of the advantage {_span(advantage)}"
    )
    if outcome == "UNDECIDED":
        reason += _more(advantage, bound, rows)
    threshold = reference + (bound if upwards else -bound)
    return Judgement(gate, outcome, reason, rows, raised.shift(reference), threshold, reference)


def _gap(gate: Gate, evidence: Evidence) -> Judgement:
    groups, metric = evidence.groups[gate.by], evidence.metrics[gate.metric]
    sizes = {code: len(groups.rows(code)) for code in range(len(groups.names))}
    large = [code for code, n in sizes.items() if n >= gate.min_n]
    alpha = gate.alpha / max(1, len(large) * (len(large) - 1) // 2)
    estimates = {code: interval(metric, evidence.candidate.take(groups.rows(code)), alpha) for code in large}
    judged = {code: estimate for code, estimate in estimates.items() if not isnan(estimate.value)}
    table = tuple(_row(groups.label(code), n, estimates.get(code), code in judged) for code, n in sizes.items())
    rows = sum(sizes[code] for code in judged)
    if len(judged) < 2:
        reason = f"{len(judged)} of {len(sizes)} groups have {gate.min_n} rows and a {gate.metric}; a gap needs two"
        return Judgement(gate, "UNDECIDED", reason, rows, threshold=gate.limit, table=table)
    return replace(_widest(gate, groups, judged, rows), table=table)


def _widest(gate: Gate, groups: Groups, estimates: Mapping[int, Interval], rows: int) -> Judgement:
    """The pair that fails most surely, else the one furthest apart, speaks for the gate."""

    def apart(a: int, b: int) -> tuple[Interval, str]:
        high, low = (a, b) if estimates[a].value >= estimates[b].value else (b, a)
        words = ", ".join(f"{groups.names[code]} {measured(estimates[code].value)}" for code in (high, low))
        return difference(estimates[high], estimates[low]), words

    pairs = [apart(a, b) for a, b in combinations(estimates, 2)]
    proven = [pair for pair in pairs if pair[0].low > gate.limit]
    gap, words = max(proven or pairs, key=lambda pair: pair[0].value)
    found = _held_against(gate, gap, gate.limit, rows)
    return replace(found, reason=f"{words}: gap {found.reason}")


def _latency(gate: Gate, evidence: Evidence) -> Judgement:
    if evidence.latencies is None:
        return Judgement(gate, "UNDECIDED", evidence.absent.get("latency", "not measured"), 0, threshold=gate.limit)
    estimate = quantile(evidence.latencies, 0.95, gate.alpha)
    found = _held_against(gate, estimate, gate.limit, len(evidence.latencies))
    median = float(np.median(evidence.latencies))
    return replace(found, reason=f"95 of 100 requests within {_ms(estimate.value)}, half within {_ms(median)}")


def _freshness(gate: Gate, evidence: Evidence) -> Judgement:
    if evidence.age is None:
        reason = evidence.absent.get("freshness", "the age of the newest training row is not known")
        return Judgement(gate, "UNDECIDED", reason, 0, threshold=gate.limit)
    age = evidence.age.total_seconds()
    outcome: Outcome = "PASS" if age <= gate.limit else "FAIL"
    reason = f"the newest training row is {_age(evidence.age)} old"
    return Judgement(gate, outcome, reason, 1, Interval(age, age, age), gate.limit)


def _cases(gate: Gate, evidence: Evidence) -> Judgement:
    held = [case for case in evidence.cases if case.holds]
    broken = [case for case in evidence.cases if not case.holds]
    blocking = [case for case in broken if case.severity == "block"]
    n = len(evidence.cases)
    reason = f"{len(held)} of {n} hold" if n else "no known cases yet"
    reason += "".join(f"; {case.name}: {case.found}" for case in broken)
    share = len(held) / n if n else 1.0
    estimate = Interval(share, share, share)
    return Judgement(gate, "FAIL" if blocking else "PASS", reason, n, estimate, gate.limit)


_JUDGES: Mapping[Kind, Callable[[Gate, Evidence], Judgement]] = {
    "bound": _bound,
    "champion": _comparison,
    "baseline": _comparison,
    "gap": _gap,
    "latency": _latency,
    "freshness": _freshness,
    "cases": _cases,
}


# --- slices --------------------------------------------------------------------------------------


def _in_slices(gate: Gate, evidence: Evidence) -> Judgement:
    """Judge the gate in each slice that is large enough; the worst speaks for all."""
    cuts = [
        (groups.label(code), groups.rows(code)) for groups in _cuts(gate, evidence) for code in range(len(groups.names))
    ]
    large = [(label, rows) for label, rows in cuts if len(rows) >= gate.min_n]
    strict = replace(gate, alpha=gate.alpha / max(1, len(large)))
    judged = {label: _JUDGES[gate.kind](strict, evidence.take(rows)) for label, rows in large}
    table = tuple(_slice_row(label, len(rows), judged.get(label)) for label, rows in cuts)
    if not judged:
        reason = f"none of {len(cuts)} slices has {gate.min_n} rows"
        return Judgement(gate, "UNDECIDED", reason, evidence.candidate.rows, threshold=gate.limit, table=table)
    label = min(judged, key=lambda name: (WORST_FIRST[judged[name].outcome], judged[name].slack))
    small = f", {len(cuts) - len(large)} too small to judge" if len(cuts) > len(large) else ""
    reason = f"{label}, the worst of {len(judged)} slices{small}: {judged[label].reason}"
    return replace(judged[label], gate=gate, slice=label, reason=reason, table=table)


def _cuts(gate: Gate, evidence: Evidence) -> list[Groups]:
    return [evidence.groups[column] for column in gate.slices]


def _slice_row(label: str, n: int, judged: Judgement | None) -> Mapping[str, Any]:
    if judged is None:
        return _row(label, n, None, False)
    return {**_row(label, n, judged.estimate, True), "threshold": judged.threshold, "outcome": judged.outcome}


def _row(label: str, n: int, estimate: Interval | None, judged: bool) -> Mapping[str, Any]:
    found = estimate or UNKNOWN
    return {"slice": label, "n": n, "value": found.value, "low": found.low, "high": found.high, "judged": judged}


# --- shared --------------------------------------------------------------------------------------


def _held_against(gate: Gate, estimate: Interval, bound: float, rows: int) -> Judgement:
    if isnan(estimate.value):
        return _undefined(gate, rows)
    upwards = _more_is_better(gate)
    oriented, limit = (estimate, bound) if upwards else (estimate.flip(), -bound)
    if oriented.value >= limit:
        outcome: Outcome = "PASS"
    else:
        outcome = "FAIL" if oriented.high < limit else "UNDECIDED"
    reason = f"{measured(estimate.value)}, {_confidence(gate)} interval {_span(estimate)}"
    if outcome == "UNDECIDED":
        reason += f", which still holds {agreed(bound)}{_more(estimate, bound, rows)}"
    return Judgement(gate, outcome, reason, rows, estimate, bound)


def _more_is_better(gate: Gate) -> bool:
    if gate.kind in ("champion", "baseline"):
        return gate.goal == "maximise"
    return gate.rule in ("min", "all")


def _too_few(gate: Gate, rows: int) -> Judgement:
    threshold = gate.limit if gate.kind == "bound" else None
    return Judgement(gate, "UNDECIDED", f"{rows} rows; the gate asks for {gate.min_n}", rows, threshold=threshold)


def _undefined(gate: Gate, rows: int) -> Judgement:
    reason = f"{gate.metric} is not defined on these {rows} rows: an outcome it divides by does not occur"
    return Judgement(gate, "UNDECIDED", reason, rows, threshold=gate.limit)


def _more(estimate: Interval, bound: float, rows: int) -> str:
    needed = more_rows(estimate, bound, rows)
    if needed is None or needed > 1000 * rows:
        return "; no realistic number of rows would decide it at this estimate"
    return f"; about {max(1, needed):,} more rows would decide it if the estimate stays"


def _confidence(gate: Gate) -> str:
    return f"{100 * (1 - gate.alpha):.4g}%"


def _span(estimate: Interval) -> str:
    if not isfinite(estimate.low) and not isfinite(estimate.high):
        return "unknown"
    return f"{measured(estimate.low)} to {measured(estimate.high)}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"


def _age(age: timedelta) -> str:
    units = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1))
    unit = next((unit for unit in units if age >= 2 * unit), units[-1])
    return format_duration(round(age / unit) * unit) if age >= timedelta(minutes=1) else "less than a minute"
