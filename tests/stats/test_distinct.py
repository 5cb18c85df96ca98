import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.stats.distinct import Distinct, numbers, texts

VALUES = st.lists(st.integers(0, 600), max_size=600).map(lambda values: np.asarray(values, dtype=np.float64))


def words(count):
    return pl.Series([f"word {number}" for number in range(count)], dtype=pl.String)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=200))
def test_few_numbers_are_counted_exactly(values):
    assert numbers(np.asarray(values, dtype=np.float64)).count == len({value + 0.0 for value in values})


@given(st.sets(st.text(max_size=100), max_size=200))
def test_few_texts_are_counted_exactly(values):
    assert texts(pl.Series(sorted(values), dtype=pl.String)).count == len(values)


@pytest.mark.parametrize("count", [257, 1000, 5000, 100_000, 1_000_000])
def test_many_are_estimated_within_four_standard_errors(count):
    error = 4 * 1.04 / np.sqrt(2048)
    assert numbers(np.random.default_rng(1).normal(size=count)).count == pytest.approx(count, rel=error)
    assert texts(words(min(count, 100_000))).count == pytest.approx(min(count, 100_000), rel=error)


def test_estimates_are_not_biased():
    rng = np.random.default_rng(4)
    errors = [numbers(rng.normal(size=3000)).count / 3000 - 1 for _ in range(100)]
    assert abs(np.mean(errors)) < 3 * 0.023 / 10
    assert np.std(errors) < 0.03


def test_how_often_and_in_which_order_values_come_does_not_matter():
    values = np.random.default_rng(2).normal(size=2000)
    assert numbers(values) == numbers(np.concatenate([values[::-1], values[:500]]))


@given(VALUES, VALUES, VALUES)
def test_merging_is_associative_commutative_idempotent_and_of_all_values(a, b, c):
    x, y, z = (numbers(values) for values in (a, b, c))
    assert x.merge(y).merge(z) == x.merge(y.merge(z)) == numbers(np.concatenate([a, b, c]))
    assert x.merge(y) == y.merge(x)
    assert x.merge(x) == x == x.merge(Distinct())


@given(VALUES)
def test_json_gives_the_same_back(values):
    found = numbers(values)
    assert Distinct.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_hashes_do_not_change_from_version_to_version():
    """Profiles that were stored merge with those of today."""
    assert numbers(np.asarray([0.0, -1.5])).to_json() == {"hashes": "5c4ce031a716b337e220a8397b1dcdaf"}
    assert texts(pl.Series(["", "é", "level 7"])).to_json() == {
        "hashes": "45d5068e26b68b4650d23e8195cceee8e220a8397b1dcdaf"
    }


def test_up_to_256_are_kept_one_by_one():
    """A form that depends on nothing but the values: stored profiles of the same rows are the same."""
    most, more = numbers(np.arange(256.0)), numbers(np.arange(257.0))
    assert (len(most.hashes), most.ranks, most.count) == (256, b"", 256)
    assert (more.hashes, len(more.ranks)) == ((), 2048)
    assert numbers(np.arange(200.0)).merge(numbers(np.arange(100.0, 257.0))) == more


def test_nothing_is_no_value():
    assert numbers(np.empty(0)).count == texts(pl.Series([], dtype=pl.String)).count == Distinct().count == 0
