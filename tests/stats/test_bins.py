import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.stats import Profile
from penstock.stats.bins import aligned, fold, ordered


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(0, 5))
def test_the_reference_keeps_its_rows(times, nulls):
    values = [f"l{level}" for level, count in enumerate(times) for _ in range(count)] + [None] * nulls
    profile = Profile.build(pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}))
    before, now = aligned(profile.columns["x"], profile.columns["x"])
    assert before.sum() == pytest.approx(len(values))
    assert now.sum() == len(values)
    assert before.min() >= 0


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
    assert sizes.tolist() == sizes.tolist()[::-1]


@pytest.mark.parametrize(
    ("times", "others"),
    [
        ([1, 5, 5], 11 / 3),  # one rare level, no rarer than the mean level
        ([1] * 3 + [5] + [40] * 4, 3 + 5),  # Good and Turing: as many as were of levels seen 1 to 5 times
        ([5] * 1024 + [4] * 25, 25 * 5),  # those beyond the list are levels too
    ],
)
def test_the_references_share_of_rare_levels_is_good_and_turings(times, others):
    values = [f"l{level}" for level, count in enumerate(times) for _ in range(count)]
    column = Profile.build(pl.DataFrame({"x": values})).columns["x"]
    before, _ = aligned(column, column)
    assert before[-2] == pytest.approx(others)


def test_numbers_are_ordered_from_infinity_to_infinity():
    reference = Profile.build(pl.DataFrame({"x": [1.0, 2.0]}))
    later = Profile.build(pl.DataFrame({"x": [-np.inf, -5.0, -4.0, 1.0, 2.0, 2.0, 9.0, np.inf, np.nan]}), reference)
    assert ordered(later.columns["x"]).tolist() == [1, 2, 1, 2, 1, 1]
