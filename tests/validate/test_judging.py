"""Outcomes: the rules in their smallest cases, and how often they are wrong."""

from dataclasses import replace
from datetime import timedelta
from math import isnan
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import FunctionError
from penstock.validate.cases import CaseResult
from penstock.validate.gates import Gate
from penstock.validate.judging import Evidence, Judgement, judge, verdict
from penstock.validate.measuring import Sample, measure
from penstock.validate.metrics import METRICS, custom_metric
from penstock.validate.slices import cut


def gate(kind: str = "bound", metric: str = "accuracy", rule: str = "min", limit: float = 0.5, **more: Any) -> Gate:
    goal = METRICS[metric].goal if metric in METRICS else "none"
    return Gate("a gate", "here", kind, metric, rule, limit, **{"goal": goal, "min_n": 10, **more})  # type: ignore[arg-type]


def right(of: int, rows: int) -> Sample:
    """Decisions of which `of` are right."""
    return Sample("binary", np.ones(rows), np.r_[np.ones(of), np.zeros(rows - of)])


def evidence(candidate: Sample, **more: Any) -> Evidence:
    return Evidence(candidate, METRICS, **more)


def scored(rows: int, signal: float, seed: int, *, noise: float = 0.3) -> Sample:
    """Answers that share most of their luck with every other sample of the same seed."""
    shared, own = np.random.default_rng(seed), np.random.default_rng([seed, int(signal * 100), int(noise * 100)])
    y = (shared.random(rows) < 0.3).astype(float)
    raw = signal * y + shared.normal(size=rows) + noise * own.normal(size=rows)
    return Sample("binary", y, 1 / (1 + np.exp(-raw)))


# --- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "rows", "outcome"),
    [(90, 100, "PASS"), (80, 100, "PASS"), (79, 100, "UNDECIDED"), (50, 100, "FAIL"), (9, 9, "UNDECIDED")],
)
def test_bound(hits: int, rows: int, outcome: str) -> None:
    assert judge(gate(limit=0.8), evidence(right(hits, rows))).outcome == outcome


def test_an_upper_bound_is_the_mirror() -> None:
    def missed(hits: int) -> str:
        return judge(gate(metric="false_negative_rate", rule="max", limit=0.2), evidence(right(hits, 100))).outcome

    assert [missed(hits) for hits in (85, 79, 50)] == ["PASS", "UNDECIDED", "FAIL"]


def test_undecided_says_how_many_rows_would_decide() -> None:
    found = judge(gate(limit=0.8), evidence(right(79, 100)))
    assert "0.79" in found.reason
    assert "still holds 0.8" in found.reason
    assert "more rows would decide it" in found.reason


def test_undefined_is_undecided_not_a_pass() -> None:
    found = judge(gate(metric="roc_auc"), evidence(right(50, 100)))
    assert (found.outcome, isnan(found.estimate.value)) == ("UNDECIDED", True)
    assert "not defined" in found.reason


def test_thirty_rows_are_enough_to_pass() -> None:
    assert judge(gate(limit=0.9, min_n=30), evidence(right(29, 30))).outcome == "PASS"


# --- comparisons ---------------------------------------------------------------------------------


def compared(
    candidate: Sample, champion: Sample | None, rule: str, margin: float, metric: str = "roc_auc"
) -> Judgement:
    return judge(gate("champion", metric, rule, margin), evidence(candidate, champion=champion))


def test_no_champion_passes_and_says_so() -> None:
    found = compared(scored(200, 1, 0), None, "superior", 0)
    assert (found.outcome, found.reason) == ("PASS", "no champion yet")


def test_the_same_model_is_not_inferior_and_not_superior() -> None:
    sample = scored(300, 1, 0)
    assert compared(sample, sample, "non_inferior", 0.0).outcome == "PASS"
    assert compared(sample, sample, "superior", 0.0).outcome == "FAIL"


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "brier", "accuracy", "f1", "pr_auc"])
def test_a_clearly_better_model(metric: str) -> None:
    better, worse = scored(3000, 2, 0), scored(3000, 0.5, 0)
    assert compared(better, worse, "superior", 0.0, metric).outcome == "PASS"
    assert compared(better, worse, "non_inferior", 0.01, metric).outcome == "PASS"
    assert compared(worse, better, "non_inferior", 0.01, metric).outcome == "FAIL"
    assert compared(worse, better, "superior", 0.0, metric).outcome == "FAIL"


def test_values_are_shown_beside_the_champions() -> None:
    better, worse = scored(3000, 2, 0), scored(3000, 0.5, 0)
    found = compared(better, worse, "non_inferior", 0.01, "log_loss")
    assert found.estimate.value == pytest.approx(measure(METRICS["log_loss"], better))
    assert found.reference == pytest.approx(measure(METRICS["log_loss"], worse))
    assert found.threshold == pytest.approx(found.reference + 0.01)
    assert found.estimate.high < found.threshold


def test_bias_is_better_the_closer_to_zero() -> None:
    y = np.random.default_rng(0).normal(size=500)
    noise = np.random.default_rng(1).normal(size=500)
    under, over = Sample("regression", y, y - 1 + noise), Sample("regression", y, y + 0.1 + noise)
    assert compared(over, under, "superior", 0.0, "bias").outcome == "PASS"
    assert compared(under, over, "non_inferior", 0.1, "bias").outcome == "FAIL"


def test_the_baseline_is_beaten_by_a_model_that_knows_something() -> None:
    sample = scored(2000, 1.5, 0)
    calibrated = Sample("binary", sample.y, np.where(sample.y > 0.5, 0.5, 0.2))
    prior = Sample("binary", sample.y, np.full(2000, 0.3))
    asked = gate("baseline", "log_loss", "superior", 0.0)
    assert judge(asked, evidence(calibrated, baseline=prior)).outcome == "PASS"
    assert judge(asked, evidence(prior, baseline=prior)).outcome == "FAIL"
    assert judge(asked, evidence(prior)).outcome == "UNDECIDED"


def test_equal_models_are_rarely_called_inferior_and_a_planted_loss_is_caught() -> None:
    """Interval of 95 %: an equal model is called inferior in at most 2.5 % of tries, here by any metric tried."""
    asked = {name: gate("champion", name, "non_inferior", 0.0) for name in ("roc_auc", "brier")}
    wrong, caught = dict.fromkeys(asked, 0), dict.fromkeys(asked, 0)
    for seed in range(120):
        equal = evidence(scored(600, 1, seed, noise=0.31), champion=scored(600, 1, seed, noise=0.3))
        worse = evidence(scored(600, 0.5, seed), champion=scored(600, 1, seed))
        for name, each in asked.items():
            wrong[name] += judge(each, equal).outcome == "FAIL"
            caught[name] += judge(each, worse).outcome == "FAIL"
    assert max(wrong.values()) <= 9
    assert min(caught.values()) >= 110


# --- gaps and slices -----------------------------------------------------------------------------


def grouped(hits: dict[str, tuple[int, int]], asked: Gate) -> Judgement:
    """Groups with `hits` of `rows` right."""
    samples = [right(*counts) for counts in hits.values()]
    together = Sample("binary", np.concatenate([s.y for s in samples]), np.concatenate([s.scores for s in samples]))
    column = pl.Series("group", [name for name, (_, rows) in hits.items() for _ in range(rows)])
    return judge(asked, evidence(together, groups={"group": cut(column)}))


GAP = gate("gap", "recall", "max_gap", 0.2, by="group", min_n=50)


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [((80, 100), (75, 100), "PASS"), ((80, 100), (58, 100), "UNDECIDED"), ((900, 1000), (400, 1000), "FAIL")],
)
def test_gap(a: tuple[int, int], b: tuple[int, int], outcome: str) -> None:
    assert grouped({"a": a, "b": b}, GAP).outcome == outcome


def test_small_groups_are_shown_and_not_judged() -> None:
    found = grouped({"a": (80, 100), "b": (75, 100), "tiny": (0, 20)}, GAP)
    assert found.outcome == "PASS"
    assert [(row["slice"], row["n"], row["judged"]) for row in found.table] == [
        ("group=a", 100, True),
        ("group=b", 100, True),
        ("group=tiny", 20, False),
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), min_size=20, max_size=80))
def test_groups_are_counted_as_a_loop_would(rows: list[tuple[str, bool, bool]]) -> None:
    names, true, decided = zip(*rows, strict=True)
    sample = Sample("binary", np.array(true, float), np.array(decided, float))
    found = judge(replace(GAP, min_n=1), evidence(sample, groups={"group": cut(pl.Series("group", names))}))
    for row in found.table:
        events = [d for n, t, d in rows if t and f"group={n}" == row["slice"]]
        assert row["judged"] == bool(events)
        assert not events or row["value"] == pytest.approx(sum(events) / len(events))
    judged = [row["value"] for row in found.table if row["judged"]]
    assert len(judged) < 2 or found.estimate.value == pytest.approx(max(judged) - min(judged))


def test_a_gap_needs_two_groups() -> None:
    found = grouped({"a": (80, 100), "tiny": (0, 20)}, GAP)
    assert found.outcome == "UNDECIDED"
    assert "a gap needs two" in found.reason


def test_the_worst_pair_is_named() -> None:
    found = grouped({"a": (900, 1000), "b": (850, 1000), "c": (300, 1000)}, GAP)
    assert found.reason.startswith("a 0.9, c 0.3: gap 0.6")


def test_many_equal_groups_are_rarely_called_apart() -> None:
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(60):
        hits = {f"g{k:02}": (int(random.binomial(100, 0.7)), 100) for k in range(12)}
        wrong += grouped(hits, gate("gap", "recall", "max_gap", 0.0, by="group", min_n=50)).outcome == "FAIL"
    assert wrong <= 6


SLICED = gate(limit=0.7, slices=("group",), min_n=50)


def test_the_worst_slice_speaks() -> None:
    found = grouped({"a": (90, 100), "b": (30, 100), "c": (40, 100), "tiny": (0, 5)}, SLICED)
    assert (found.outcome, found.slice, found.n) == ("FAIL", "group=b", 100)
    assert "worst of 3 slices, 1 too small to judge" in found.reason
    assert [row.get("outcome") for row in found.table] == ["PASS", "FAIL", "FAIL", None]


def test_slices_that_are_all_too_small_decide_nothing() -> None:
    assert grouped({"a": (9, 10), "b": (9, 10)}, SLICED).outcome == "UNDECIDED"


def test_the_first_model_passes_a_comparison_on_slices_however_small() -> None:
    asked = gate("champion", "roc_auc", "non_inferior", 0.02, slices=("half",), min_n=10_000)
    groups = {"half": cut(pl.Series("half", [True, False] * 50))}
    found = judge(asked, evidence(scored(100, 1, 0), groups=groups))
    assert (found.outcome, found.reason) == ("PASS", "no champion yet")


def test_champion_on_every_slice() -> None:
    better, worse = scored(2000, 2, 0), scored(2000, 0.5, 0)
    half = np.arange(2000) < 1000
    mixed = Sample("binary", better.y, np.where(half, better.scores, worse.scores))
    asked = gate("champion", "roc_auc", "non_inferior", 0.02, slices=("half",))
    groups = {"half": cut(pl.Series("half", half))}
    found = judge(asked, evidence(mixed, champion=better, groups=groups))
    assert (found.outcome, found.slice) == ("FAIL", "half=false")


# --- latency, freshness, cases -------------------------------------------------------------------


def test_latency_is_of_95_in_100() -> None:
    asked = gate("latency", "latency_p95", "max", 0.02)
    quick = np.r_[np.full(190, 0.001), np.full(10, 0.5)]
    slow = np.r_[np.full(150, 0.001), np.full(50, 0.5)]
    assert judge(asked, evidence(right(1, 1), latencies=quick)).outcome == "PASS"
    assert judge(asked, evidence(right(1, 1), latencies=slow)).outcome == "FAIL"
    assert judge(asked, evidence(right(1, 1))).outcome == "UNDECIDED"


@pytest.mark.parametrize(("days", "outcome"), [(31, "PASS"), (32, "FAIL"), (None, "UNDECIDED")])
def test_freshness(days: int | None, outcome: str) -> None:
    age = None if days is None else timedelta(days=days)
    found = judge(gate("freshness", "freshness", "max", 31 * 86400.0), evidence(right(1, 1), age=age))
    assert found.outcome == outcome


def test_known_cases() -> None:
    asked = gate("cases", "cases", "all", 1.0)
    good, bad = CaseResult("fog", True, "answered True"), CaseResult("snow", False, "answered False, expected True")
    mild = CaseResult("rain", False, "answered False, expected True", "warn")

    def found(*cases: CaseResult) -> tuple[str, str]:
        result = judge(asked, evidence(right(1, 1), cases=cases))
        return result.outcome, result.reason

    assert found() == ("PASS", "no known cases yet")
    assert found(good) == ("PASS", "1 of 1 hold")
    assert found(good, mild)[0] == "PASS"
    assert found(good, bad) == ("FAIL", "1 of 2 hold; snow: answered False, expected True")


# --- verdict -------------------------------------------------------------------------------------


def outcomes(*each: tuple[str, str]) -> str:
    return verdict(Judgement(gate(severity=severity), outcome, "", 1) for outcome, severity in each)  # type: ignore[arg-type]


def test_verdict() -> None:
    assert outcomes() == "PASS"
    assert outcomes(("PASS", "block"), ("FAIL", "warn")) == "PASS"
    assert outcomes(("PASS", "block"), ("UNDECIDED", "block")) == "UNDECIDED"
    assert outcomes(("UNDECIDED", "block"), ("FAIL", "block"), ("PASS", "block")) == "FAIL"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["PASS", "FAIL", "UNDECIDED"])))
def test_warnings_never_block(each: list[str]) -> None:
    assert outcomes(*((outcome, "warn") for outcome in each)) == "PASS"


# --- custom metrics ------------------------------------------------------------------------------


def test_a_users_function_is_a_metric_with_an_interval(tmp_path: Any) -> None:
    from penstock.project import load_function

    source = "def hit_rate(y, scores):\n    return float(((scores >= 0.5) == (y > 0.5)).mean())\n"
    (tmp_path / "mine.py").write_text(source)
    metric = custom_metric(load_function(tmp_path, "mine:hit_rate", parameters=["y", "scores"]))
    asked = gate(metric="mine:hit_rate", limit=0.8)

    def ours(hits: int) -> Judgement:
        return judge(asked, Evidence(right(hits, 100), {"mine:hit_rate": metric}))

    assert [ours(hits).outcome for hits in (90, 79, 50)] == ["PASS", "UNDECIDED", "FAIL"]
    assert ours(90).estimate.value == pytest.approx(0.9)
    assert ours(90).estimate.low == pytest.approx(0.84, abs=0.03)


@pytest.mark.parametrize("result", ["None", "'high'", "scores"])
def test_a_metric_that_gives_no_number_names_the_users_line(tmp_path: Any, result: str) -> None:
    from penstock.project import load_function

    (tmp_path / "mine.py").write_text(f"\ndef mine(y, scores):\n    return {result}\n")
    metric = custom_metric(load_function(tmp_path, "mine:mine", parameters=["y", "scores"]))
    with pytest.raises(FunctionError, match=r"mine.py:2: mine:mine gave .*\n  expected: a number"):
        measure(metric, right(50, 100))


@pytest.mark.parametrize("otherwise", ["None", "1 / 0"])
def test_a_draw_that_a_metric_has_no_number_for_is_left_out(tmp_path: Any, otherwise: str) -> None:
    from penstock.project import load_function

    (tmp_path / "mine.py").write_text(f"def mine(y, scores):\n    return y.mean() if y.sum() > 1 else {otherwise}\n")
    metric = custom_metric(load_function(tmp_path, "mine:mine", parameters=["y", "scores"]))
    sample = Sample("binary", np.r_[1.0, 1.0, np.zeros(18)], np.zeros(20))
    found = judge(gate(metric="mine:mine", limit=0.01), Evidence(sample, {"mine:mine": metric}))
    assert found.estimate.value == pytest.approx(0.1)
    assert 0 < found.estimate.high - found.estimate.low < 0.4  # finite, from the draws that have one
