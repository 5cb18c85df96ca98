from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.split import holdout_mask
from penstock.errors import UsageError


def cut(
    rows: pl.DataFrame,
    rule: str,
    *,
    time: str | None = None,
    key: tuple[str, ...] = (),
    strata: str | None = None,
    seed: int = 7,
) -> list[bool]:
    return holdout_mask(rows, rule, time=time, key=key, strata=strata, seed=seed).to_list()


def days(count: int) -> pl.DataFrame:
    return pl.DataFrame({"t": [datetime(2013, 1, 1) + timedelta(days=n) for n in range(count)]})


def test_the_last_share() -> None:
    assert cut(days(10), "last 20%", time="t") == [False] * 8 + [True] * 2
    assert cut(days(10).reverse(), "last 20%", time="t") == [True] * 2 + [False] * 8


def test_rows_of_one_time_stay_together() -> None:
    rows = pl.DataFrame({"t": [date(2013, 1, 1)] * 3 + [date(2013, 1, 2)] * 3})
    assert cut(rows, "last 20%", time="t") == [False] * 3 + [True] * 3


@pytest.mark.parametrize(("rule", "held"), [("last 2d", 3), ("last 36h", 2), ("last 1w", 8)])
def test_the_last_days(rule: str, held: int) -> None:
    assert sum(cut(days(10), rule, time="t")) == held


@pytest.mark.parametrize("day", [date(2024, 3, 31), date(2024, 10, 27)])
def test_a_day_has_24_hours_when_the_clocks_change(day: date) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    times = pl.Series([noon - timedelta(minutes=30 * n) for n in range(100)]).dt.convert_time_zone("Europe/Berlin")
    assert sum(cut(pl.DataFrame({"t": times}), "last 1d", time="t")) == 49


def test_a_time_is_needed() -> None:
    with pytest.raises(UsageError, match="needs a time"):
        cut(days(3), "last 20%")
    with pytest.raises(UsageError, match="1 examples have no 't'"):
        cut(pl.DataFrame({"t": [datetime(2013, 1, 1), None]}), "last 20%", time="t")


def held_ids(rows: pl.DataFrame, **how: str) -> set[int]:
    return set(rows.filter(pl.Series(cut(rows, "random 20%", key=("id",), **how)))["id"])


def test_a_random_share_is_about_that_share_and_depends_on_the_seed() -> None:
    rows = pl.DataFrame({"id": range(1000)})
    assert 160 < sum(cut(rows, "random 20%")) < 240
    assert cut(rows, "random 20%") == cut(rows, "random 20%")
    assert cut(rows, "random 20%") != cut(rows, "random 20%", seed=8)


def test_the_cut_is_the_same_in_every_version() -> None:
    rows = pl.DataFrame({"id": range(10), "x": ["a", None] * 5})
    assert [n for n, held in enumerate(cut(rows, "random 20%")) if held] == [0, 1, 6]


def test_order_and_other_rows_do_not_move_a_row() -> None:
    rows = pl.DataFrame({"id": range(1000)})
    held = held_ids(rows)
    assert held_ids(rows.sample(fraction=1, shuffle=True, seed=1)) == held
    assert held_ids(pl.DataFrame({"id": range(1200)})) & set(range(1000)) == held
    classes = pl.DataFrame({"id": range(1200), "y": ["a", "a", "b"] * 400})
    assert held_ids(classes, strata="y") & set(range(1000)) == held


def test_each_class_is_on_both_sides_and_a_lonely_one_is_learned_from() -> None:
    for start in range(0, 2000, 20):
        rows = pl.DataFrame({"id": range(start, start + 9), "y": ["a"] * 5 + ["b"] * 3 + ["c"]})
        held = rows.filter(pl.Series(cut(rows, "random 20%", key=("id",), strata="y")))["y"].value_counts()
        counts = dict(held.iter_rows())
        assert 0 < counts["a"] < 5
        assert 0 < counts["b"] < 3
        assert "c" not in counts


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab")), max_size=40), st.integers(1, 99), st.integers(0, 9)
)
def test_equal_rows_are_never_parted(values: list[tuple[int, str]], share: int, seed: int) -> None:
    rows = pl.DataFrame(values, schema={"x": pl.Int64, "y": pl.String}, orient="row")
    sides = rows.with_columns(held=pl.Series(cut(rows, f"random {share}%", strata="y", seed=seed), dtype=pl.Boolean))
    assert sides.unique().height == rows.unique().height


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(1, 99))
def test_nothing_held_out_is_older_than_what_is_learned_from(times: list[int], share: int) -> None:
    rows = pl.DataFrame({"t": [date(2013, 1, 1) + timedelta(days=n) for n in times]})
    mask = pl.Series(cut(rows, f"last {share}%", time="t"))
    train, held = rows.filter(~mask)["t"], rows.filter(mask)["t"]
    assert train.is_empty() or held.is_empty() or train.max() < held.min()
    assert held.len() >= round(len(times) * share / 100)
