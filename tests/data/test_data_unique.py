from collections import Counter
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.contracts import unique
from penstock.data.contracts.unique import Repeated, repeated, with_hashes

KEYS = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 5)), st.sampled_from(["a", "b", ""])), max_size=40)


@given(KEYS, st.sampled_from([1, 2, 1000]))
def test_it_finds_what_counting_finds(keys: list[tuple[int | None, str]], suspects: int) -> None:
    rows = pl.DataFrame(keys, schema={"id": pl.Int64, "rows": pl.String}, orient="row")
    counts = Counter(key for key in keys if None not in key)
    often = [times for times in counts.values() if times > 1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unique, "SUSPECTS", suspects)  # how many are compared at a time changes nothing
        found = repeated(rows.lazy(), ["id", "rows"])
    assert (found.keys if found else 0) == len(often)
    if found:
        assert found.times == max(often) == counts[found.example]


@given(KEYS, st.sampled_from([1, 3, 1000]))
def test_it_finds_the_same_in_keys_that_are_in_order(keys: list[tuple[int | None, str]], head: int) -> None:
    ordered = sorted(key for key in keys if None not in key)
    often = sum(times > 1 for times in Counter(ordered).values())
    rows = pl.DataFrame(ordered, schema={"id": pl.Int64, "rows": pl.String}, orient="row")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unique, "HEAD", head)
        found = repeated(rows.lazy(), ["id", "rows"])
    assert (found.keys if found else 0) == often


@pytest.mark.parametrize("place", [1, 999, 1_000, 99_999, 100_000, 249_999])
def test_a_single_key_that_does_not_rise_is_found_wherever_it_is(place: int) -> None:
    numbers = pl.Series(range(250_000)).scatter(place, place - 1)
    assert repeated(pl.LazyFrame({"v": numbers}), ["v"]) == Repeated(1, 2, (place - 1,), 2)


@pytest.mark.parametrize(
    ("twice", "others"),
    [
        ([0.0, -0.0], [1.0]),
        ([float("nan")] * 2, [1.0]),
        ([Decimal("1.5")] * 2, [Decimal("1.6")]),
        ([b"x", b"x"], [b"y"]),
        ([[1], [1]], [[2], []]),
        ([{"a": 1}] * 2, [{"a": 2}]),
        ([date(2020, 1, 1)] * 2, [date(2020, 1, 2)]),
        ([True, True], [False]),
    ],
    ids=repr,
)
def test_values_of_every_type(twice: list[object], others: list[object]) -> None:
    found = repeated(pl.LazyFrame({"v": [*others, *twice]}), ["v"])
    assert found is not None
    assert (found.keys, found.times) == (1, 2)
    assert repeated(pl.LazyFrame({"v": [*others, twice[0]]}), ["v"]) is None
    assert repeated(pl.LazyFrame({"v": [twice[0], *others]}), ["v"]) is None


def test_of_several_the_one_that_is_there_most_often_is_shown() -> None:
    assert repeated(pl.LazyFrame({"v": [3, 3, 1, 1, 1, 2, 2]}), ["v"]) == Repeated(3, 7, (1,), 3)


def test_rows_that_share_a_hash_are_not_the_same_for_that() -> None:
    rows = pl.LazyFrame({"v": [1, 2, 3]})
    everything = rows.select(unique.hash_of(["v"])).collect().to_series()
    assert with_hashes(rows, ["v"], everything).collect().height == 3
    assert unique._compared(rows, ["v"], everything) is None
