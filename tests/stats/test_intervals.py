"""Intervals against SciPy, against the definitions written out, and by how often they hold the truth."""

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle
from sklearn.metrics import roc_auc_score

from penstock.stats.intervals import (
    Interval,
    bootstrap,
    delong,
    delong_paired,
    difference,
    midranks,
    more_rows,
    normal,
    poisson_draws,
    quantile,
    wilson,
    z_of,
)

scores_with_ties = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=4, max_size=40)


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 200), st.sampled_from([0.01, 0.05, 0.2]))
def test_wilson_is_scipys(successes: int, extra: int, alpha: float) -> None:
    n = successes + extra
    theirs = oracle.binomtest(successes, n).proportion_ci(1 - alpha, method="wilson")
    ours = wilson(successes, n, alpha)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_of_nothing_is_unknown() -> None:
    assert isnan(wilson(0, 0).value)
    assert wilson(0, 0).low == -inf


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=50))
def test_midranks_are_scipys(values: list[int]) -> None:
    assert midranks(np.array(values, float)).tolist() == oracle.rankdata(values).tolist()


@settings(deadline=None)
@given(scores_with_ties)
def test_delong_is_about_sklearns_area_with_ties(rows: list[tuple[bool, int]]) -> None:
    y, scores = (np.array(column, float) for column in zip(*rows, strict=True))
    if 0 < y.sum() < len(y):
        assert delong(y, scores).value == pytest.approx(roc_auc_score(y, scores), abs=1e-12)
    else:
        assert isnan(delong(y, scores).value)


@settings(deadline=None)
@given(scores_with_ties)
def test_delong_is_its_definition(rows: list[tuple[bool, int]]) -> None:
    y, scores = (np.array(column, float) for column in zip(*rows, strict=True))
    events, others = scores[y == 1], scores[y == 0]
    if min(len(events), len(others)) < 2:
        return
    kernel = (events[:, None] > others) + 0.5 * (events[:, None] == others)
    variance = kernel.mean(1).var(ddof=1) / len(events) + kernel.mean(0).var(ddof=1) / len(others)
    interval = delong(y, scores)
    assert interval.high - interval.value == pytest.approx(1.959963985 * variance**0.5, abs=1e-9)


def test_delong_paired_of_a_model_with_itself_is_zero() -> None:
    y, scores = np.array([0, 1, 0, 1, 1.0]), np.array([0.1, 0.4, 0.4, 0.8, 0.3])
    assert delong_paired(y, scores, scores) == Interval(0.0, 0.0, 0.0)


def test_delong_paired_agrees_with_the_bootstrap() -> None:
    random = np.random.default_rng(5)
    y = (random.random(1500) < 0.3).astype(float)
    common = random.normal(size=1500)
    a, b = y + common + 0.5 * random.normal(size=1500), 0.8 * y + common + 0.5 * random.normal(size=1500)
    drawn = [
        roc_auc_score(y[rows], a[rows]) - roc_auc_score(y[rows], b[rows])
        for rows in (random.integers(0, 1500, 1500) for _ in range(300))
    ]
    interval = delong_paired(y, a, b)
    assert (interval.high - interval.low) / 2 / 1.96 == pytest.approx(np.std(drawn), rel=0.15)


def test_same_seed_same_draws_another_seed_others() -> None:
    values = np.arange(100.0)

    def mean(weights: np.ndarray) -> np.ndarray:
        return weights @ values / weights.sum(1)

    first, again = (poisson_draws(mean, 100, draws=50, seed=3) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != poisson_draws(mean, 100, draws=50, seed=4).tolist()


def test_weights_have_the_poisson_distribution() -> None:
    shares = [poisson_draws(lambda w, k=k: (w == k).mean(axis=1), 20_000, draws=10).mean() for k in range(5)]
    assert shares == pytest.approx(oracle.poisson.pmf(range(5), 1), abs=0.004)


def test_bootstrap_of_a_mean_has_the_textbook_error() -> None:
    values = np.random.default_rng(1).exponential(size=4000)
    drawn = poisson_draws(lambda weights: weights @ values / weights.sum(1), 4000, draws=500)
    interval = bootstrap(values.mean(), drawn)
    assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(values.std() / 4000**0.5, rel=0.12)


def test_bootstrap_without_enough_numbers_is_unbounded() -> None:
    interval = bootstrap(0.4, np.array([np.nan] * 80 + [0.4] * 20))
    assert (interval.value, interval.low, interval.high, interval.known) == (0.4, -inf, inf, False)


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(50.0)
    whole = poisson_draws(lambda w: w @ values, 50, draws=20)
    monkeypatch.setattr("penstock.stats.intervals.CHUNK_CELLS", 150)
    assert poisson_draws(lambda w: w @ values, 50, draws=20).tolist() == whole.tolist()


def test_quantile_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    truth = oracle.norm.ppf(0.95)
    held = [found.low <= truth <= found.high for found in (quantile(random.normal(size=200), 0.95) for _ in range(400))]
    assert 0.93 <= np.mean(held) <= 0.99


@given(st.integers(1, 300), st.floats(0.01, 0.99), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_quantile_lies_between_the_closest_order_statistics(n: int, q: float, alpha: float) -> None:
    found = quantile(np.arange(1.0, n + 1), q, alpha)
    low, high = (max(found.low, 0), min(found.high, n + 1))  # places in the order; 0 and n + 1 are open ends
    below = oracle.binom(n, q).cdf
    assert below(low - 1) <= alpha / 2 + 1e-12
    assert below(low) > alpha / 2 - 1e-12
    assert below(high - 1) >= 1 - alpha / 2 - 1e-12
    assert below(high - 2) < 1 - alpha / 2 + 1e-12


def test_intervals_move_turn_and_are_cut() -> None:
    found = Interval(0.5, 0.25, 1.5)
    assert found.shift(-0.25) == Interval(0.25, 0.0, 1.25)
    assert found.flip() == Interval(-0.5, -1.5, -0.25)
    assert found.within(0, 1) == Interval(0.5, 0.25, 1)
    assert found.within(0.3, 2) == Interval(0.5, 0.3, 1.5)
    assert Interval(0.5, -inf, inf).within(0, 1) == Interval(0.5, -inf, inf)


def test_quantile_of_few_values_is_open_above() -> None:
    found = quantile(np.array([1.0, 2.0, 3.0]), 0.95)
    assert (found.value, found.high) == (3.0, inf)


def test_difference_of_proportions_is_newcombes() -> None:
    # Newcombe 1998, table II, example (a): 56/70 against 48/80, method 10.
    found = difference(wilson(56, 70), wilson(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_difference_of_what_is_not_known_is_not_known() -> None:
    found = difference(wilson(0, 0), wilson(48, 80))
    assert isnan(found.value)
    assert (found.low, found.high) == (-inf, inf)


@pytest.mark.parametrize("alpha", [0.5, 0.05, 1e-9, 1e-17, 1e-300])
def test_the_normal_quantile_is_scipys_for_the_smallest_alpha_too(alpha: float) -> None:
    assert z_of(alpha) == pytest.approx(oracle.norm.isf(alpha / 2), rel=1e-14)


def test_more_rows_shrink_the_interval_to_the_bound() -> None:
    interval = normal(0.62, 0.02)
    more = more_rows(interval, 0.64, 100)
    assert more is not None
    assert normal(0.62, 0.02 * (100 / (100 + more)) ** 0.5).high == pytest.approx(0.64, abs=1e-3)
    assert more_rows(interval, 0.62, 100) is None
    assert more_rows(normal(0.62, 0.001), 0.64, 100) == 0


def test_planted_loss_is_found_and_none_is_not() -> None:
    """At alpha 0.05 the two-sided interval calls equal models worse in at most 2.5 % of tries."""
    random = np.random.default_rng(11)
    worse_when_equal = worse_when_worse = 0
    for _ in range(200):
        y = (random.random(800) < 0.3).astype(float)
        common = 1.0 * y + random.normal(size=800)
        a, b = (common + 0.3 * random.normal(size=800) for _ in range(2))
        poor = common + 1.5 * random.normal(size=800)
        worse_when_equal += delong_paired(y, a, b).high < 0
        worse_when_worse += delong_paired(y, poor, b).high < 0
    assert worse_when_equal <= 12
    assert worse_when_worse >= 190
