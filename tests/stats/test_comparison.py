import subprocess
import sys
from math import inf, nan

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, false_discovery_control, ks_2samp, norm, wasserstein_distance

import penstock.stats
from penstock.stats import Profile, drift, psi, shifts
from penstock.stats.comparison import benjamini_hochberg


def profiles(reference, current):
    before = Profile.build(pl.DataFrame(reference))
    return before, Profile.build(pl.DataFrame(current), before)


def compared(reference, current):
    before, after = profiles({"x": reference}, {"x": current})
    return drift(before.columns["x"], after.columns["x"])


def normals(shift, rows=200_000):
    rng = np.random.default_rng(3)
    return rng.normal(size=rows), rng.normal(shift, 1, size=rows)


@pytest.mark.parametrize("shift", [0.1, 0.25, 0.5])
def test_a_shifted_normal_has_the_known_distances(shift):
    found = compared(*normals(shift))

    assert found.psi == pytest.approx(shift**2, rel=0.1)  # a little less: ten bins lose some of it
    assert found.ks == pytest.approx(2 * norm.cdf(shift / 2) - 1, abs=0.006)  # three standard errors
    assert found.wasserstein == pytest.approx(shift, abs=0.012)
    assert found.p_value < 1e-9


def test_fine_bins_have_the_known_psi():
    before, after = profiles(*({"x": values} for values in normals(0.5)))
    assert psi(before.columns["x"].counts, after.columns["x"].counts) == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("draw", ["normal", "lognormal", "exponential", "integers"])
def test_of_values_at_one_place_in_each_bin_the_distances_are_scipys(draw):
    rng = np.random.default_rng(5)
    several = {"integers": lambda size: rng.integers(0, 300, size).astype(float)}
    reference, later = (several.get(draw, lambda size: getattr(rng, draw)(size=size))(3000) for _ in "ab")
    later = later * 1.2 + 0.1
    edges = np.asarray(Profile.build(pl.DataFrame({"x": reference})).columns["x"].edges)
    places = np.concatenate([[edges[0] - 1], (edges[:-1] + edges[1:]) / 2, [edges[-1] + 1]])
    a, b = (places[np.searchsorted(edges, values, side="right")] for values in (reference, later))
    grid = Profile.build(pl.DataFrame({"x": reference}))
    before, after = (Profile.build(pl.DataFrame({"x": values}), grid).columns["x"] for values in (a, b))
    found = drift(before, after)

    quartiles = np.interp([0.25, 0.75], np.cumsum([0, *before.counts]) / len(a), edges)
    assert found.ks == pytest.approx(ks_2samp(a, b).statistic, abs=1e-12)
    assert found.wasserstein * np.diff(quartiles)[0] / 1.349 == pytest.approx(wasserstein_distance(a, b), rel=1e-12)


@pytest.mark.parametrize(("draw", "within"), [("normal", 0.01), ("lognormal", 0.02), ("exponential", 0.02)])
def test_the_grid_loses_little_of_the_wasserstein_distance(draw, within):
    rng = np.random.default_rng(6)
    reference, later = getattr(rng, draw)(size=20_000), getattr(rng, draw)(size=20_000) * 1.2
    exact = wasserstein_distance(reference, later) / (np.subtract(*np.quantile(reference, [0.75, 0.25])) / 1.349)
    assert compared(reference, later).wasserstein == pytest.approx(exact, rel=within)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6) | st.sampled_from([nan, inf, -inf, None]), min_size=1, max_size=40), st.data())
def test_distances_stay_within_their_bounds(reference, data):
    later = data.draw(st.lists(st.sampled_from(reference) | st.floats(-1e6, 1e6), max_size=40))
    found = compared(pl.Series(reference, dtype=pl.Float64), pl.Series(later, dtype=pl.Float64))
    assert found.psi >= 0
    assert 0 <= found.js <= 1
    assert found.ks is None or 0 <= found.ks <= 1
    assert found.wasserstein is None or found.wasserstein >= 0


def test_a_column_that_moves_within_its_bins_has_moved():
    reference = np.repeat([0.0, 100.0], 500)
    assert compared(reference, reference + 1).wasserstein == pytest.approx(1.349 / 100)


def test_without_quartiles_apart_the_standard_deviation_is_the_scale():
    reference = np.repeat([0.0, 10.0], [900, 100])
    assert compared(reference, reference + 6).wasserstein == pytest.approx(6 / 3)


def test_what_is_not_defined_is_not_measured():
    levels = compared(["a", "b"], ["a", "c"])
    constant = compared([5.0, 5.0], [7.0, 7.0])
    nothing = compared([1.0, 2.0], pl.Series([None, None], dtype=pl.Float64))
    infinite = compared([1.0, 2.0], [inf, inf])
    assert (levels.ks, levels.wasserstein) == (None, None)
    assert (constant.ks, constant.wasserstein) == (1.0, None)
    assert (nothing.ks, nothing.wasserstein) == (None, None)
    assert (infinite.ks, infinite.wasserstein) == (1.0, None)


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
        assert (found.psi, found.debiased, found.p_value, found.js) == (0, 0, 1, 0)


def test_columns_of_different_references_are_not_compared():
    one, other = (Profile.build(pl.DataFrame({"x": values})) for values in ([1.0, 2.0], [1.0, 3.0]))
    with pytest.raises(ValueError, match="same reference"):
        drift(one.columns["x"], other.columns["x"])
    with pytest.raises(ValueError, match="same reference"):
        shifts(one, other)
    with pytest.raises(ValueError, match="same reference"):
        shifts(one, Profile.build(pl.DataFrame({"y": [1.0]})))


def test_the_debiased_psi_subtracts_what_chance_adds():
    found = compared(["a", "b"] * 100, ["a"] * 60 + ["b"] * 40)
    assert found.psi - found.debiased == pytest.approx(1 / 200 + 1 / 100)
    assert found.p_value == pytest.approx(chi2.sf(found.psi * 200 * 100 / 300, 1))


def test_a_table_shifts_where_a_column_moved_by_size_and_significance():
    rng = np.random.default_rng(7)
    n = 20_000
    before = {name: rng.normal(size=n) for name in ("same", "little", "moved")}
    later = {"same": rng.normal(size=n), "little": rng.normal(0.06, 1, n), "moved": rng.normal(0.25, 1, n)}
    found = {each.column: each for each in shifts(*profiles(before, later))}

    assert list(found) == ["same", "little", "moved"]
    assert {name: each.shifted for name, each in found.items()} == {"same": False, "little": False, "moved": True}
    assert found["little"].adjusted < 0.0002  # certain, and too small to matter
    few = {name: values[:40] for name, values in later.items()}
    assert not any(each.shifted for each in shifts(*profiles(before, few)))  # large enough, and not certain


def test_bounds_of_a_shift_can_be_chosen():
    before, later = profiles(*({"x": values} for values in normals(0.1, 20_000)))
    assert not shifts(before, later)[0].shifted
    assert shifts(before, later, floor=0.005)[0].shifted
    assert not shifts(before, later, floor=0.005, alpha=0.0)[0].shifted


@pytest.mark.filterwarnings("error")
def test_numbers_as_large_as_there_are_have_no_wasserstein_distance():
    assert compared([-1.7e308, 1.7e308], [-1.7e308, 1.7e308]).wasserstein is None
    assert compared([-1e308, 0.0, 1e308], [1e308, 1e308, -1e308]).wasserstein is None


def test_new_and_vanished_levels_are_named_and_missing_values_compared():
    before = ["a"] * 50 + ["b"] * 48 + ["rare", None]
    later = ["a"] * 40 + ["d"] * 5 + ["c"] * 20 + ["e"] * 5 + [None] * 30
    [found] = shifts(*profiles({"x": before}, {"x": later}))
    assert found.new == ("c", "d", "e")
    assert found.vanished == ("b",)  # that one `rare` does not come is chance
    assert found.missing_change == pytest.approx(0.29)


def test_where_a_reference_has_more_levels_than_it_lists_none_is_called_new():
    before = [f"t{number}" for number in range(2000)]
    [found] = shifts(*profiles({"x": before}, {"x": ["never"] * 10}))
    assert found.new == ()


def test_a_table_without_columns_or_rows_has_no_shifts():
    nothing = Profile.build(pl.DataFrame())
    assert shifts(nothing, nothing) == ()
    [found] = shifts(*profiles({"x": ["a", "b"]}, pl.DataFrame({"x": []}, schema={"x": pl.String})))
    assert (found.shifted, found.vanished, found.missing_change) == (False, (), 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_p_values_are_scipys(p_values):
    assert benjamini_hochberg(p_values) == pytest.approx(false_discovery_control(p_values, method="bh"))


def test_the_door_is_sorted_resolvable_and_light():
    assert penstock.stats.__all__ == sorted(penstock.stats.__all__, key=lambda name: (not name.isupper(), name))
    assert all(getattr(penstock.stats, name) is not None for name in penstock.stats.__all__)
    code = "import sys, penstock.stats; sys.exit('numpy' in sys.modules or 'polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0


def test_the_door_refuses_what_it_does_not_have():
    with pytest.raises(AttributeError, match="nothing"):
        penstock.stats.nothing  # noqa: B018
