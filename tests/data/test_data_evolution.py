from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.contracts.evolution import (
    Field,
    Reader,
    candidates,
    common_share,
    effects,
    evolution,
    likeness,
    relation,
)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Int32", "Int64", "widened"),
        ("Int64", "Int32", "narrowed"),
        ("UInt8", "Int16", "widened"),
        ("UInt8", "Int8", "type changed"),
        ("Int32", "Float64", "widened"),
        ("Int64", "Float64", "type changed"),
        ("Int16", "Float32", "widened"),
        ("Int32", "Float32", "type changed"),
        ("Float32", "Float64", "widened"),
        ("Float64", "Float32", "narrowed"),
        ("Date", "Datetime[us]", "widened"),
        ("Datetime[ms]", "Datetime[us]", "widened"),
        ("Datetime[us]", "Datetime[ns]", "type changed"),
        ("Datetime[us]", "Datetime[us, UTC]", "type changed"),
        ("Int64", "String", "type changed"),
    ],
)
def test_types_are_wider_when_they_hold_every_value(before: str, after: str, expected: str) -> None:
    assert relation(before, after) == expected


INTEGERS = [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]


@given(st.sampled_from(INTEGERS), st.sampled_from([*INTEGERS, "Float32", "Float64"]))
def test_a_wider_type_keeps_the_extremes(narrow: str, wide: str) -> None:
    dtype, other = getattr(pl, narrow), getattr(pl, wide)
    extremes = pl.select(dtype.min()).to_series().append(pl.select(dtype.max()).to_series()).cast(dtype)
    kept = extremes.cast(other, strict=False).cast(dtype, strict=False).equals(extremes, null_equal=True)
    assert kept or relation(narrow, wide) != "widened"


def changes(before: dict[str, Field], after: dict[str, Field], **alike: float) -> list[tuple[str, str, str, str]]:
    pairs = {tuple(pair.split("_to_")): share for pair, share in alike.items()}
    return [(one.column, one.change, one.before, one.after) for one in evolution(before, after, pairs)]


def test_each_change_of_a_column() -> None:
    before = {"a": Field("Int32", nullable=False), "b": Field("Float64", unit="min"), "c": Field("String")}
    after = {"a": Field("Int64", nullable=True), "b": Field("Float64", unit="s", meaning="late"), "d": Field("String")}
    assert changes(before, after) == [
        ("a", "widened", "Int32", "Int64"),
        ("a", "may be missing", "never missing", "may be missing"),
        ("b", "unit", "min", "s"),
        ("b", "meaning", "", "late"),
        ("c", "removed", "String", ""),
        ("d", "added", "", "String"),
    ]
    assert changes(before, before) == []
    assert changes(after, {**after, "a": Field("Int64", nullable=False)}) == []


def test_a_column_is_renamed_to_the_one_that_is_most_like_it() -> None:
    before = {"a": Field("Int64"), "b": Field("Int64")}
    after = {"x": Field("Int64"), "y": Field("Int64")}
    alike = {"a_to_x": 0.9, "b_to_x": 0.99, "a_to_y": 0.85, "b_to_y": 0.2}
    assert changes(before, after, **alike) == [("a", "renamed", "a", "y"), ("b", "renamed", "b", "x")]
    assert [one[1] for one in changes(before, after, a_to_x=0.79)] == ["removed", "removed", "added", "added"]
    (first, _) = evolution(before, after, {("a", "x"): 0.9, ("b", "y"): 1.0})
    assert first.row["after"] == "x (90% of the values in common)"


def test_only_columns_of_one_type_are_compared() -> None:
    before = {"same": Field("Int64"), "a": Field("Int64"), "b": Field("String")}
    after = {"same": Field("Int64"), "x": Field("String"), "y": Field("Int64")}
    assert candidates(before, after) == [("a", "y"), ("b", "x")]


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (["a", "b", None], ["a", "b", None], 1.0),
        (["a", "a", "b", "b"], ["a", "b", "b", "b"], 0.75),
        (["a", "b"], ["c", "d"], 0.0),
        (["a", "a"], ["a", "a"], 0.0),
        ([1, 2], [], 0.0),
        ([date(2013, 1, 1), date(2013, 1, 2)], [date(2013, 1, 1), date(2013, 1, 2)], 1.0),
    ],
)
def test_what_two_columns_have_in_common(before: list[object], after: list[object], share: float) -> None:
    assert common_share(pl.Series(before), pl.Series(after)) == pytest.approx(share)


def test_numbers_are_compared_by_where_they_lie() -> None:
    low = pl.select(pl.int_range(1_000)).to_series().cast(pl.Float64)
    assert common_share(low, low.reverse() + 0.25) > 0.95
    assert common_share(low, low * 1000) < 0.2


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_a_share_is_a_share_and_of_itself_the_whole(left: list[int], right: list[int]) -> None:
    one, other = pl.Series(left), pl.Series(right)
    assert 0 <= common_share(one, other) <= 1 + 1e-12
    assert common_share(one, one) == (pytest.approx(1) if one.n_unique() > 1 else 0)


def test_likeness_of_pairs() -> None:
    frame = pl.LazyFrame({"a": ["x", "y"], "b": ["z", "z"]})
    assert likeness(frame, frame, [("a", "a"), ("a", "b")]) == {("a", "a"): 1.0, ("a", "b"): 0.0}
    assert likeness(frame, frame, []) == {}


def test_effects_name_the_reader_and_what_it_means() -> None:
    readers = [Reader("rule", "rule 'sane'", frozenset("a")), Reader("model", "model m@1", frozenset("ab"))]
    found = effects([("a", "removed"), ("b", "widened"), ("b", "unit"), ("c", "removed"), ("a", "added")], readers)
    assert [(one["column"], one["change"], one["read by"]) for one in found] == [
        ("a", "removed", "rule 'sane'"),
        ("a", "removed", "model m@1"),
        ("b", "widened", "model m@1"),
        ("b", "unit", "model m@1"),
    ]
    assert found[0]["means"] == "it cannot be computed"
