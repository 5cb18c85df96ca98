import subprocess
import sys
from math import log

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

import penstock.stats
from penstock.stats import Profile, chi2_tail, drift, psi
from penstock.stats.distance import aligned, fold

COUNTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=30)
PAIRS = COUNTS.flatmap(
    lambda p: st.tuples(st.just(p), st.lists(st.integers(0, 10_000), min_size=len(p), max_size=len(p)))
)


def compared(reference, current):
    before = Profile.build(pl.DataFrame({"x": reference}))
    after = Profile.build(pl.DataFrame({"x": current}), before)
    return drift(before.columns["x"], after.columns["x"])


@given(PAIRS)
def test_psi_is_symmetric_and_never_negative(pair):
    p, q = pair
    assert psi(p, q) >= 0
    assert psi(p, q) == pytest.approx(psi(q, p))


@given(COUNTS)
def test_nothing_is_away_from_itself(counts):
    assert psi(counts, counts) == 0


@given(PAIRS, st.integers(1, 5))
def test_bins_that_are_empty_on_both_sides_change_nothing(pair, extra):
    p, q = pair
    assert psi([*p, *[0] * extra], [*q, *[0] * extra]) == psi(p, q)


def test_psi_is_the_smoothed_formula():
    p, q = [99, 0], [49, 50]
    a, b = 99.5 / 100, 0.5 / 100
    c, d = 49.5 / 100, 50.5 / 100
    assert psi(p, q) == pytest.approx((c - a) * log(c / a) + (d - b) * log(d / b))


@given(st.floats(0, 3000), st.integers(1, 1100))
def test_the_chi_squared_tail_agrees_with_scipy(x, degrees):
    assert chi2_tail(x, degrees) == pytest.approx(chi2.sf(x, degrees), rel=1e-8, abs=1e-300)


@pytest.mark.parametrize("shift", [0.1, 0.25, 0.5])
def test_a_shifted_normal_has_the_known_distances(shift):
    rng = np.random.default_rng(3)
    found = compared(rng.normal(size=200_000), rng.normal(shift, 1, size=200_000))

    assert found.psi == pytest.approx(shift**2, rel=0.1)  # a little less: ten bins lose some of it
    assert found.p_value < 1e-9


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: np.where(rng.random(n) < 0.4, 0.0, rng.exponential(size=n)),
        lambda rng, n: rng.integers(0, 12, n).astype(str),
        lambda rng, n: np.minimum(rng.zipf(1.5, n), 1000).astype(str),
        lambda rng, n: rng.integers(0, 200, n).astype(str),
    ],
    ids=["normal", "zero-inflated", "12 levels", "long-tailed levels", "200 levels"],
)
@pytest.mark.parametrize("before", [1000, 4000])
def test_without_drift_the_p_value_and_the_debiased_psi_raise_no_alarm(draw, before):
    rng = np.random.default_rng(11)
    found = [compared(draw(rng, before), draw(rng, 1000)) for _ in range(150)]

    assert np.mean([each.p_value < 0.05 for each in found]) < 0.11  # nominal .05, three standard errors
    assert np.mean([each.debiased for each in found]) < 0.005
    assert min(each.psi for each in found) >= 0


def test_many_levels_and_few_rows_do_not_look_like_drift():
    rng = np.random.default_rng(2)
    found = compared(rng.integers(0, 200, 1000).astype(str), rng.integers(0, 200, 1000).astype(str))
    assert found.psi > 0.1  # the usual threshold would fire
    assert found.debiased < 0.05
    assert found.p_value > 0.01


def test_rare_and_new_levels_count_together():
    reference = ["a"] * 90 + ["b", "c"] * 3 + ["d"] * 4
    same = ["a"] * 90 + ["new"] * 10
    assert compared(reference, same).psi == 0


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(0, 5))
def test_the_reference_keeps_its_rows(times, nulls):
    values = [f"l{level}" for level, count in enumerate(times) for _ in range(count)] + [None] * nulls
    profile = Profile.build(pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}))
    before, now = aligned(profile.columns["x"], profile.columns["x"])
    assert before.sum() == pytest.approx(len(values))
    assert now.sum() == len(values)
    assert before.min() >= 0


@pytest.mark.parametrize("times", range(1, 12))
@pytest.mark.parametrize("odd", [0, 1])
def test_levels_seen_equally_often_do_not_alarm(times, odd):
    """200 levels, each seen 5 times, had a psi of 3.5 against rows of the same distribution."""
    rng = np.random.default_rng(times)
    reference = np.repeat(np.arange(200), times)[odd:].astype(str)
    assert compared(reference, rng.integers(0, 200, 1000).astype(str)).debiased < 0.05


def test_new_levels_nulls_and_values_out_of_range_are_drift():
    reference = [0.0, 1.0, 2.0, 3.0] * 250
    assert compared(reference, [9.0] * 1000).psi > 1
    assert compared(reference, [None] * 500 + reference[:500]).psi > 1
    assert compared(["a", "b"] * 500, ["c"] * 1000).psi > 1


def test_a_side_without_rows_shows_nothing():
    for reference, current in (([1.0, 2.0], []), ([], [1.0]), ([], [])):
        found = compared(pl.Series(reference, dtype=pl.Float64), pl.Series(current, dtype=pl.Float64))
        assert (found.psi, found.debiased, found.p_value) == (0, 0, 1)


def test_columns_of_different_references_are_not_compared():
    one, other = (Profile.build(pl.DataFrame({"x": values})).columns["x"] for values in ([1.0, 2.0], [1.0, 3.0]))
    with pytest.raises(ValueError, match="same reference"):
        drift(one, other)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=130))
def test_folding_keeps_neighbours_together_in_at_most_ten_groups(counts):
    groups = fold(counts).tolist()
    assert groups == sorted(groups)
    assert set(groups) == set(range(max(groups) + 1))
    assert max(groups) < 10


def test_even_bins_fold_to_even_groups():
    sizes = np.bincount(fold([1] * 64))
    assert len(sizes) == 10
    assert set(sizes.tolist()) <= {6, 7}


def test_the_debiased_psi_subtracts_what_chance_adds():
    found = compared(["a", "b"] * 100, ["a"] * 60 + ["b"] * 40)
    assert found.psi - found.debiased == pytest.approx(1 / 200 + 1 / 100)
    assert found.p_value == pytest.approx(chi2.sf(found.psi * 200 * 100 / 300, 1))


def test_the_door_is_sorted_resolvable_and_light():
    assert penstock.stats.__all__ == sorted(penstock.stats.__all__, key=lambda name: (not name.isupper(), name))
    assert all(getattr(penstock.stats, name) is not None for name in penstock.stats.__all__)
    code = "import sys, penstock.stats; sys.exit('numpy' in sys.modules or 'polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0


def test_the_door_refuses_what_it_does_not_have():
    with pytest.raises(AttributeError, match="nothing"):
        penstock.stats.nothing  # noqa: B018
