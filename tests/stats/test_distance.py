from math import log

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, ks_2samp, wasserstein_distance

from penstock.stats import chi2_tail, jensen_shannon, kolmogorov_smirnov, psi, wasserstein

COUNTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=30)
PAIRS = COUNTS.flatmap(
    lambda p: st.tuples(st.just(p), st.lists(st.integers(0, 10_000), min_size=len(p), max_size=len(p)))
)
FILLED = PAIRS.filter(lambda pair: sum(pair[0]) > 0 and sum(pair[1]) > 0)
PLACES = st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 1000)), min_size=1, max_size=30)
DISTANCES = [psi, jensen_shannon, kolmogorov_smirnov]


@pytest.mark.parametrize("distance", DISTANCES)
@given(PAIRS)
def test_distances_are_symmetric_and_never_negative(distance, pair):
    p, q = pair
    assert distance(p, q) >= 0
    assert distance(p, q) == pytest.approx(distance(q, p))


@pytest.mark.parametrize("distance", DISTANCES)
@given(COUNTS, st.integers(1, 9))
def test_nothing_is_away_from_itself(distance, counts, times):
    assert distance(counts, counts) == pytest.approx(0, abs=1e-7)
    if distance is not psi:  # whose smoothing weighs less among more rows
        assert distance(counts, [count * times for count in counts]) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("distance", DISTANCES)
@given(PAIRS, st.integers(1, 5))
def test_bins_that_are_empty_on_both_sides_change_nothing(distance, pair, extra):
    p, q = pair
    assert distance([*p, *[0] * extra], [*q, *[0] * extra]) == distance(p, q)


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_side_without_rows_is_no_distance_away_and_other_bins_are_refused(distance):
    assert distance([0, 0], [3, 4]) == distance([3, 4], [0, 0]) == distance([0], [0]) == 0
    with pytest.raises(ValueError, match="different bins: 2 and 3"):
        distance([1, 2], [1, 2, 3])


@pytest.mark.parametrize("distance", [jensen_shannon, kolmogorov_smirnov])
@given(PAIRS)
def test_shares_without_overlap_are_one_away_and_nothing_is_further(distance, pair):
    p, q = pair
    assert distance(p, q) <= 1
    if sum(p) and sum(q):
        assert distance([*p, *[0] * len(q)], [*[0] * len(p), *q]) == pytest.approx(1)


def test_psi_is_the_smoothed_formula():
    p, q = [99, 0], [49, 50]
    a, b = 99.5 / 100, 0.5 / 100
    c, d = 49.5 / 100, 50.5 / 100
    assert psi(p, q) == pytest.approx((c - a) * log(c / a) + (d - b) * log(d / b))


@given(FILLED)
def test_the_jensen_shannon_distance_is_scipys(pair):
    assert jensen_shannon(*pair) == pytest.approx(jensenshannon(*pair, base=2), rel=1e-7, abs=1e-7)


@given(FILLED)
def test_the_kolmogorov_smirnov_statistic_is_scipys(pair):
    a, b = (np.repeat(np.arange(len(counts)), counts) for counts in pair)
    assert kolmogorov_smirnov(*pair) == pytest.approx(ks_2samp(a, b, method="asymp").statistic, abs=1e-12)


@given(PLACES, PLACES)
def test_the_wasserstein_distance_is_scipys(one, other):
    (x, p), (y, q) = zip(*one, strict=True), zip(*other, strict=True)
    expected = wasserstein_distance(x, y, p, q)
    assert wasserstein(x, p, y, q) == pytest.approx(expected, rel=1e-12, abs=1e-9)
    assert wasserstein(x, p, y, q) == pytest.approx(wasserstein(y, q, x, p), abs=1e-9)


@given(PLACES, st.floats(-1e3, 1e3))
def test_moving_everything_is_as_far_as_it_moved(one, by):
    x, p = zip(*one, strict=True)
    assert wasserstein(x, p, [place + by for place in x], p) == pytest.approx(abs(by), abs=1e-6)


def test_without_rows_the_wasserstein_distance_is_nothing():
    assert wasserstein([], [], [1.0], [1]) == wasserstein([1.0], [0], [2.0], [1]) == 0


@given(st.floats(0, 3000), st.integers(1, 1100))
@example(0.0, 3)
def test_the_chi_squared_tail_agrees_with_scipy(x, degrees):
    assert chi2_tail(x, degrees) == pytest.approx(chi2.sf(x, degrees), rel=1e-8, abs=1e-300)
