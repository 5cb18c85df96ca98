import json
import sys
from datetime import UTC, date, datetime, time, timedelta
from math import inf, nan

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.digest import canonical_json
from penstock.errors import UsageError
from penstock.stats import PROFILE_FORMAT, LevelColumn, NumericColumn, Profile, missing_rate

NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([nan, inf, -inf, 0.0, -0.0]))
TEXTS = st.one_of(st.none(), st.sampled_from(["a", "b", "new"]), st.text(max_size=3))
TRUTHS = st.one_of(st.none(), st.booleans())
TIMES = st.one_of(st.none(), st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)))
ROWS = st.lists(st.tuples(NUMBERS, TEXTS, TRUTHS, TIMES), max_size=40)
SCHEMA = {"number": pl.Float64, "text": pl.String, "truth": pl.Boolean, "time": pl.Datetime("us")}


def frame(rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def counted(profile: Profile) -> dict:
    """A profile without its moments and sums, which add only to rounding."""
    columns = profile.to_json()["columns"]
    return {each["name"]: {key: each[key] for key in each if key not in ("moments", "sums")} for each in columns}


def assert_same(a: Profile, b: Profile) -> None:
    assert a.rows == b.rows
    assert counted(a) == counted(b)
    for name in ("number", "time"):
        one, other = a.columns[name].moments, b.columns[name].moments
        assert one.count == other.count
        assert one.mean == pytest.approx(other.mean, rel=1e-9, abs=1e-6)
        assert one.deviation == pytest.approx(other.deviation, rel=1e-6, abs=1e-3)
        assert a.columns[name].sums == pytest.approx(b.columns[name].sums, rel=1e-9, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, ROWS, ROWS)
def test_merging_is_associative_and_equals_the_profile_of_all_rows(first, a, b, c):
    reference = Profile.build(frame(first))
    x, y, z = (Profile.build(frame(rows), reference) for rows in (a, b, c))
    whole = Profile.build(frame([*a, *b, *c]), reference)

    assert_same(x.merge(y).merge(z), whole)
    assert_same(x.merge(y.merge(z)), whole)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, ROWS)
def test_the_order_of_merging_does_not_matter(first, a, b):
    reference = Profile.build(frame(first))
    x, y = (Profile.build(frame(rows), reference) for rows in (a, b))

    assert_same(x.merge(y), y.merge(x))


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_no_rows_are_the_identity_of_merging(first, rows):
    reference = Profile.build(frame(first))
    profile = Profile.build(frame(rows), reference)
    nothing = Profile.build(frame([]), reference)

    assert nothing.merge(profile) == profile == profile.merge(nothing)


def batches(rows, sizes):
    """The rows in batches of these sizes, and what is left."""
    whole = frame(rows)
    starts = [min(sum(sizes[:number]), whole.height) for number in range(len(sizes) + 1)]
    return [whole[start:end] for start, end in zip(starts, [*starts[1:], whole.height], strict=True)]


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, st.lists(st.integers(0, 20), max_size=5))
def test_rows_in_any_batches_have_the_same_profile(first, rows, sizes):
    reference = Profile.build(frame(first))
    whole = Profile.build(frame(rows), reference)

    assert_same(Profile.build(frame(rows).lazy(), reference), whole)
    assert_same(Profile.build(batches(rows, sizes), reference), whole)
    assert_same(Profile.build(iter(batches(rows, sizes)), reference), whole)
    assert_same(Profile.build(batches(rows, sizes)), Profile.build(frame(rows)))
    assert_same(Profile.build(frame(rows).lazy()), Profile.build(frame(rows)))


def test_a_large_table_has_the_same_profile_from_memory_and_from_a_file(tmp_path):
    rng = np.random.default_rng(3)
    n = 600_000
    table = pl.DataFrame({"number": rng.normal(size=n), "time": rng.integers(0, 10**9, n), "s": rng.integers(0, 9, n)})
    table = table.with_columns(pl.col("s").cast(pl.String))
    table.write_parquet(tmp_path / "table.parquet", row_group_size=70_001)
    lazy = pl.scan_parquet(tmp_path / "table.parquet")

    assert_same(Profile.build(lazy), Profile.build(table))
    halves = [Profile.build(table[:250_000], Profile.build(lazy)), Profile.build(table[250_000:], Profile.build(lazy))]
    assert_same(halves[0].merge(halves[1]), Profile.build(lazy))


def test_a_reference_is_not_built_of_an_iterator():
    with pytest.raises(UsageError, match="gone after the first"):
        Profile.build(iter([pl.DataFrame({"x": [1]})]))


def test_columns_that_the_reference_lacks_are_not_read():
    broken = pl.LazyFrame({"x": [1.0], "s": ["no number"]}).with_columns(pl.col("s").cast(pl.Int64))
    reference = Profile.build(pl.DataFrame({"x": [1.0, 2.0]}))
    assert Profile.build(broken, reference).rows == 1
    with pytest.raises(UsageError, match="lack columns of the reference profile: x"):
        Profile.build(broken.select("s"), reference)


def test_no_batches_have_no_rows():
    reference = Profile.build(pl.DataFrame({"x": [1.0], "s": ["a"]}))
    assert Profile.build([], reference).rows == 0
    assert Profile.build([]) == Profile(0, {})


def test_different_values_are_counted():
    rows = pl.DataFrame({"x": [1.0, 1.0, -0.0, 0.0, None, nan, inf], "s": ["a", "b", "a", None, None, "c", "c"]})
    columns = Profile.build(rows).columns
    assert (columns["x"].distinct.count, columns["s"].distinct.count) == (2, 3)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_every_row_is_counted_once(first, rows):
    reference = Profile.build(frame(first))
    profile = Profile.build(frame(rows), reference)

    for column in profile.columns.values():
        if isinstance(column, NumericColumn):
            infinite = column.low_infinities + column.high_infinities
            assert column.missing + infinite + column.below + sum(column.counts) + column.above == len(rows)
        else:
            assert column.nulls + sum(column.counts) + column.others == len(rows)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_json_gives_the_same_profile_back(first, rows):
    reference = Profile.build(frame(first))
    for profile in (reference, Profile.build(frame(rows), reference)):
        text = canonical_json(profile.to_json())
        assert Profile.from_json(json.loads(text)) == profile


def test_a_reference_counted_on_itself_is_itself():
    rows = frame([(1.5, "a", True, datetime(2020, 1, 1)), (None, "b", None, None), (nan, None, False, None)] * 30)
    reference = Profile.build(rows)
    assert Profile.build(rows, reference) == reference


def test_numbers_have_64_bins_of_equal_share_and_moments():
    values = np.random.default_rng(0).normal(10, 2, 6400)
    column = Profile.build(pl.DataFrame({"x": values})).columns["x"]

    assert len(column.counts) == 64
    assert set(column.counts) == {100}
    assert (column.below, column.above) == (0, 0)
    assert column.minimum == values.min()
    assert column.maximum == values.max()
    assert column.moments.mean == pytest.approx(values.mean())
    assert column.moments.deviation == pytest.approx(values.std())


def test_a_heavy_value_has_an_exact_bin():
    values = np.concatenate([np.zeros(500), np.random.default_rng(0).exponential(size=500)])
    column = Profile.build(pl.DataFrame({"x": values})).columns["x"]

    assert column.edges[0] == 0.0
    assert column.edges[1] == np.nextafter(0.0, 1.0)
    assert column.counts[0] == 500


@given(st.integers(64, 800), st.floats(1.01, 3), st.data())
def test_whatever_takes_more_than_one_bins_share_has_an_exact_bin(others, shares, data):
    """Of those with one to two shares nearly half had none: whether a second quantile fell on them was chance."""
    heavy = data.draw(st.integers(0, others)) + 0.5
    times = int(shares * others / (64 - shares)) + 1
    column = Profile.build(pl.DataFrame({"x": [float(i) for i in range(others)] + [heavy] * times})).columns["x"]

    at = column.edges.index(heavy)
    assert column.edges[at + 1] == np.nextafter(heavy, inf)
    assert column.counts[at] == times


def test_few_whole_numbers_have_a_bin_each():
    column = Profile.build(pl.DataFrame({"x": [1, 1, 1, 2, 2, 5]})).columns["x"]
    assert [count for count in column.counts if count] == [3, 2, 1]


def test_what_the_reference_never_had_is_counted_by_name():
    reference = Profile.build(pl.DataFrame({"x": [0.0, 1.0, 2.0], "s": ["a", "a", "b"]}))
    later = pl.DataFrame({"x": [-5.0, 1.0, 9.0, None, nan, inf, -inf, 2.0], "s": ["a", "c", "d", None, "b", *"aaa"]})
    profile = Profile.build(later, reference)

    x, s = profile.columns["x"], profile.columns["s"]
    assert (x.below, x.above, x.nulls, x.nans, x.low_infinities, x.high_infinities) == (1, 1, 1, 1, 1, 1)
    assert (s.levels, s.counts, s.others, s.nulls) == (("a", "b"), (4, 1), 2, 1)


def test_sums_are_of_the_values_in_each_bin_and_outside():
    reference = Profile.build(pl.DataFrame({"x": [0.0, 1.0, 2.0]}))
    later = Profile.build(pl.DataFrame({"x": [-5.0, -2.0, 0.5, 0.25, 1.5, 7.0, None, nan, inf]}), reference)
    assert later.columns["x"].edges[:3] == (0.0, 1.0, 2.0)
    assert later.columns["x"].sums == (-7.0, 0.75, 1.5, 0.0, 7.0)


def test_unseen_levels_are_named_as_long_as_they_are_few():
    reference = Profile.build(pl.DataFrame({"s": ["a"]}))
    texts = [f"n{number:03}" for number in range(100)]
    halves = [Profile.build(pl.DataFrame({"s": half}), reference) for half in ([*texts[::2], "n001"], texts[1::2])]
    whole = halves[0].merge(halves[1]).columns["s"]
    assert whole.others == 101
    assert whole.unseen == tuple((text, 2 if text == "n001" else 1) for text in texts[:64])


def test_missing_rate_counts_nulls_and_nans():
    columns = Profile.build(pl.DataFrame({"x": [1.0, None, nan, 2.0], "s": [None, "a", "b", "c"]})).columns
    assert missing_rate(columns["x"]) == 0.5
    assert missing_rate(columns["s"]) == 0.25


def test_missing_rate_of_no_rows_is_zero():
    assert missing_rate(Profile.build(pl.DataFrame({"x": []}, schema={"x": pl.Int8})).columns["x"]) == 0.0


def test_only_the_most_frequent_levels_are_kept():
    texts = [f"t{i}" for i in range(3000)] + ["often"] * 10
    column = Profile.build(pl.DataFrame({"s": texts})).columns["s"]

    assert len(column.levels) == 1024
    assert "often" in column.levels
    assert column.others == 3010 - sum(column.counts)


def test_truth_values_have_both_levels_even_when_one_was_never_seen():
    column = Profile.build(pl.DataFrame({"b": [True, True, None]})).columns["b"]
    assert (column.levels, column.counts, column.nulls) == (("false", "true"), (0, 2), 1)


def test_long_texts_are_cut():
    column = Profile.build(pl.DataFrame({"s": ["x" * 5000, "x" * 4000]})).columns["s"]
    assert column.levels == ("x" * 100,)
    assert column.counts == (2,)


@pytest.mark.parametrize(
    ("values", "dtype", "seconds"),
    [
        ([date(1970, 1, 2)], pl.Date, 86400.0),
        ([2**31 - 1], pl.Date, (2**31 - 1) * 86400.0),  # no calendar has it, a file may
        ([datetime(1970, 1, 1, 0, 0, 1, 500000)], pl.Datetime("ns"), 1.5),
        ([datetime(1970, 1, 1, 0, 1, tzinfo=UTC)], pl.Datetime("ms", "UTC"), 60.0),
        ([time(1, 0)], pl.Time, 3600.0),
        ([timedelta(minutes=2)], pl.Duration("us"), 120.0),
    ],
)
def test_times_are_numbers_in_seconds(values, dtype, seconds):
    column = Profile.build(pl.DataFrame({"t": values}, schema={"t": dtype})).columns["t"]
    assert isinstance(column, NumericColumn)
    assert column.temporal
    assert column.minimum == seconds


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(10, 2)])
def test_all_kinds_of_number_count(dtype):
    column = Profile.build(pl.DataFrame({"x": [1, 2, None]}).cast(dtype)).columns["x"]
    assert (column.nulls, column.minimum, column.maximum) == (1, 1.0, 2.0)


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["a", "b"])])
def test_categories_are_levels(dtype):
    column = Profile.build(pl.DataFrame({"c": ["b", "a", None, "b"]}).cast(dtype)).columns["c"]
    assert (column.levels, column.counts, column.nulls) == (("a", "b"), (1, 2), 1)


def test_of_lists_structs_and_bytes_only_presence_is_counted():
    profile = Profile.build(pl.DataFrame({"l": [[1], None], "s": [{"a": 1}, None], "b": [b"x", None]}))
    for column in profile.columns.values():
        assert isinstance(column, LevelColumn)
        assert (column.nulls, column.others, column.levels) == (1, 1, ())


def test_integers_and_floats_are_counted_alike_and_all_null_columns_fit_anything():
    reference = Profile.build(pl.DataFrame({"x": [1.0, 2.0], "s": ["a", "b"], "t": [date(2020, 1, 1)] * 2}))
    whole = Profile.build(pl.DataFrame({"x": [1, 2], "s": [None, None], "t": [None, None]}), reference)
    assert sum(whole.columns["x"].counts) == 2
    assert whole.columns["s"].nulls == whole.columns["t"].nulls == 2
    assert whole.merge(whole).rows == 4


@pytest.mark.parametrize("later", [["1", "2"], [True, False], [date(2020, 1, 1)] * 2])
def test_a_column_of_another_kind_is_refused(later):
    reference = Profile.build(pl.DataFrame({"x": [1, 2]}))
    with pytest.raises(UsageError, match=r"'x'.*\n.*expected: numbers"):
        Profile.build(pl.DataFrame({"x": later}), reference)


def test_missing_columns_are_named_and_new_ones_left_out():
    reference = Profile.build(pl.DataFrame({"x": [1], "y": [2]}))
    with pytest.raises(UsageError, match="y"):
        Profile.build(pl.DataFrame({"x": [1]}), reference)
    assert set(Profile.build(pl.DataFrame({"x": [1], "y": [1], "z": [1]}), reference).columns) == {"x", "y"}


def test_profiles_of_different_references_do_not_add():
    a, b = (Profile.build(pl.DataFrame({"x": [low, 2.0], "s": [text, "b"]})) for low, text in ((0.0, "a"), (1.0, "c")))
    for columns in (["x"], ["s"]):
        one, other = (Profile(2, {name: profile.columns[name] for name in columns}) for profile in (a, b))
        with pytest.raises(ValueError, match="different references"):
            one.merge(other)


def test_columns_of_different_kinds_do_not_add():
    profiles = [Profile.build(pl.DataFrame({"x": values})) for values in ([1.0], ["a"])]
    for one, other in (profiles, profiles[::-1]):
        with pytest.raises(ValueError, match="different kinds of column"):
            one.merge(other)
    with pytest.raises(ValueError, match="different columns"):
        profiles[0].merge(Profile(0, {}))


def test_nothing_does_not_deviate():
    assert Profile.build(pl.DataFrame({"x": []}, schema={"x": pl.Float64})).columns["x"].moments.deviation == 0


def test_moments_that_overflow_survive_json():
    profile = Profile.build(pl.DataFrame({"x": [1e308, -1e308, sys.float_info.max]}))
    again = Profile.from_json(json.loads(canonical_json(profile.to_json())))
    assert again.columns["x"].counts == profile.columns["x"].counts


def column(**fields) -> dict:
    """A profile of one numeric column as JSON, but for `fields`."""
    [written] = Profile.build(pl.DataFrame({"x": [1.0]})).to_json()["columns"]
    return {"format": PROFILE_FORMAT, "rows": 1, "columns": [{**written, **fields}]}


@pytest.mark.parametrize(
    "value",
    [
        {"rows": 3},
        {"format": "penstock.profile/2", "rows": 0, "columns": []},
        {"format": PROFILE_FORMAT},
        {"format": PROFILE_FORMAT, "rows": 1, "columns": [{"name": "x", "kind": "levels"}]},
        {"format": PROFILE_FORMAT, "rows": 1, "columns": ["x"]},
        column(kind="levels"),
        column(more=1),
        column(distinct={}),
        column(moments=None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_a_profile_is_refused(value):
    with pytest.raises(ValueError, match="not a profile"):
        Profile.from_json(value)
