from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.train.search.folds import Fold, Rule, make_folds

HOURS = st.lists(st.integers(0, 40), min_size=30, max_size=120)


def table(hours: list[int], **columns: Any) -> pl.DataFrame:
    start = datetime(2024, 1, 1)
    return pl.DataFrame({"at": [start + timedelta(hours=hour) for hour in hours], **columns})


def rule(kind: Any, n: int = 3, **fields: Any) -> Rule:
    return Rule(kind, n, 7, **fields)


def pairs(folds: tuple[Fold, ...]) -> list[tuple[list[int], list[int]]]:
    return [(fold.train.tolist(), fold.valid.tolist()) for fold in folds]


@given(HOURS, st.integers(0, 5))
def test_time_folds_learn_from_nothing_that_happened_later_or_within_the_gap(hours: list[int], gap: int) -> None:
    rows = table(hours)
    try:
        folds = make_folds(rule("time", time="at", gap=timedelta(hours=gap)), rows)
    except UsageError:
        return  # too few different times
    at = np.array(hours)
    for fold in folds:
        assert at[fold.train].max() < at[fold.valid].min() - gap + (gap > 0) * 1
        assert at[fold.train].max() < at[fold.valid].min()
    assert sorted(np.concatenate([fold.valid for fold in folds])) == sorted(
        set(np.flatnonzero(at >= at[folds[0].valid].min()))
    )


def test_time_folds_expand_over_blocks_of_one_size() -> None:
    folds = make_folds(rule("time", time="at"), table(list(range(8))))
    assert pairs(folds) == [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5]), ([0, 1, 2, 3, 4, 5], [6, 7])]


def test_rows_of_one_time_are_never_parted() -> None:
    folds = make_folds(rule("time", n=2, time="at"), table([0, 1, 1, 1, 1, 2, 2, 3, 3]))
    assert pairs(folds) == [([0], [1, 2, 3, 4]), ([0, 1, 2, 3, 4], [5, 6, 7, 8])]


def test_days_and_zones_are_times() -> None:
    days = pl.DataFrame({"at": [date(2024, 1, day) for day in range(1, 9)]})
    aware = table(list(range(8))).with_columns(pl.col("at").dt.replace_time_zone("Europe/Berlin"))
    assert pairs(make_folds(rule("time", time="at"), days)) == pairs(make_folds(rule("time", time="at"), aware))


def test_a_group_that_is_asked_about_is_not_learned_from() -> None:
    groups = ["a", "b", "a", "c", "a", "d", "e", "b", None, None]
    rows = table(list(range(10)), who=groups)
    for fold in make_folds(rule("time", n=2, time="at", group="who"), rows):
        learned, asked = ({groups[row] for row in part} for part in (fold.train, fold.valid))
        assert not learned & asked


@given(st.lists(st.sampled_from("abcdefgh"), min_size=20, max_size=60), st.integers(0, 9))
def test_groups_are_whole_and_every_row_is_asked_about_once(groups: list[str], seed: int) -> None:
    if len(set(groups)) < 3:
        return
    folds = make_folds(Rule("group", 3, seed, group="who"), pl.DataFrame({"who": groups}))
    assert sorted(np.concatenate([fold.valid for fold in folds])) == list(range(len(groups)))
    for fold in folds:
        assert not {groups[row] for row in fold.train} & {groups[row] for row in fold.valid}
        assert len(fold.train) + len(fold.valid) == len(groups)


@given(st.lists(st.booleans(), min_size=20, max_size=80), st.integers(0, 9))
def test_stratified_folds_have_their_share_of_each_class(labels: list[bool], seed: int) -> None:
    if min(sum(labels), len(labels) - sum(labels)) < 4:
        return
    folds = make_folds(Rule("stratified", 4, seed, strata="late"), pl.DataFrame({"late": labels}))
    counts = [sum(labels[row] for row in fold.valid) for fold in folds]
    sizes = [len(fold.valid) for fold in folds]
    assert max(counts) - min(counts) <= 1
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_decides_and_the_same_one_decides_the_same() -> None:
    rows = pl.DataFrame({"x": range(30)})
    one, same, other = (make_folds(Rule("random", 3, seed), rows) for seed in (1, 1, 2))
    assert pairs(one) == pairs(same)
    assert pairs(one) != pairs(other)


def test_random_folds_are_those_of_scikit_learn_in_size() -> None:
    from sklearn.model_selection import KFold

    rows = pl.DataFrame({"x": range(31)})
    ours = sorted(len(fold.valid) for fold in make_folds(rule("random", n=4), rows))
    theirs = sorted(len(asked) for _, asked in KFold(4).split(rows.to_numpy()))
    assert ours == theirs


def test_time_folds_are_those_of_scikit_learn_on_different_times() -> None:
    from sklearn.model_selection import TimeSeriesSplit

    ours = pairs(make_folds(rule("time", n=4, time="at"), table(list(range(50)))))
    theirs = [(train.tolist(), asked.tolist()) for train, asked in TimeSeriesSplit(4).split(np.zeros(50))]
    assert ours == theirs


@pytest.mark.parametrize(
    ("chosen", "columns", "what"),
    [
        (rule("time", time="at"), {"at": [1, 2, 3]}, "the time 'at' of the folds is Int64"),
        (rule("time", time="at"), {"at": [datetime(2024, 1, 1), None]}, "1 examples have no 'at'"),
        (rule("time", time="at"), {"at": [datetime(2024, 1, 1)] * 9}, "fold 1 of 3 has no row to learn from"),
        (rule("group", group="who"), {"who": ["a", "b", "b"]}, "2 values of 'who', fewer than 3 folds"),
        (rule("stratified", strata="late"), {"late": [True] + [False] * 8}, "only one class of rows to"),
    ],
)
def test_folds_that_cannot_judge_are_refused(chosen: Rule, columns: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        make_folds(chosen, pl.DataFrame(columns))
