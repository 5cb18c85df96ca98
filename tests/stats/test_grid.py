import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.stats.grid import FEW, places

FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 5e-324, -5e-324])
EDGES = st.lists(FLOATS, min_size=1, max_size=70)


@settings(max_examples=60, deadline=None)
@given(EDGES, st.lists(FLOATS, min_size=1, max_size=50))
def test_the_table_finds_what_searching_finds(points, others):
    edges = np.unique(np.asarray([*points, *np.nextafter(points[:9], np.inf)]))
    edges = edges[np.isfinite(edges)]
    some = np.asarray([*others, *edges, *np.nextafter(edges, -np.inf)])
    values = np.tile(some, FEW // len(some) + 1)
    assert (places(values, edges) == np.searchsorted(edges, values, side="right")).all()


@pytest.mark.parametrize("draw", ["normal", "lognormal", "standard_cauchy"])
def test_quantile_bins_of_many_numbers(draw):
    values = getattr(np.random.default_rng(1), draw)(size=FEW * 3 + 17)
    edges = np.quantile(values, np.linspace(0, 1, 65))
    assert (places(values, edges) == np.searchsorted(edges, values, side="right")).all()


def test_more_edges_than_the_table_holds_are_searched():
    values, edges = np.arange(FEW, dtype=np.float64), np.arange(0.0, 600.0)
    assert places(values, edges).tolist() == np.minimum(np.arange(FEW) + 1, 600).tolist()
