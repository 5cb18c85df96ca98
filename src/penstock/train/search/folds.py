"""Folds: which rows a model is fitted on, and which it is then asked about. Pure.

    time        n + 1 blocks of the rows in the order of time; fold k learns from the first k and answers the next one
                (Bergmeir & Benítez 2012: an expanding window); rows of one time are never parted
    group       the rows of a group are in one fold; the largest groups are dealt first, each to the smallest fold
    stratified  every fold has its share of each class
    random      any rows

The same rows, rule and seed give the same folds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from penstock.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["time", "group", "stratified", "random"]
Rows = npt.NDArray[np.int64]  # positions in the training table, ascending


@dataclass(frozen=True, eq=False)
class Fold:
    """Positions of the rows that a model learns from, and of those that it is judged by."""

    train: Rows
    valid: Rows


@dataclass(frozen=True)
class Rule:
    """How rows are cut into folds, with the columns that decide.

    time, group  names of the columns; None where the kind needs none
    strata       the target's column, of a classification
    """

    kind: Kind
    n: int
    seed: int
    time: str | None = None
    group: str | None = None
    gap: timedelta = timedelta(0)
    strata: str | None = None

    @property
    def columns(self) -> list[str]:
        """The columns of the examples that decide."""
        return list(dict.fromkeys(name for name in (self.time, self.group, self.strata) if name))


def make_folds(rule: Rule, rows: "pl.DataFrame") -> tuple[Fold, ...]:
    """The folds of a table that has the rule's columns.

    UsageError when one would have nothing to learn from or nothing to judge by, or only one class of either.
    """
    folds = tuple(_MAKERS[rule.kind](rule, rows))
    for number, fold in enumerate(folds, 1):
        _refuse_hopeless(rule, rows, number, fold)
    return folds


def _by_time(rule: Rule, rows: "pl.DataFrame") -> Iterator[Fold]:
    times = _microseconds(rule, rows)
    ordered = np.sort(times)
    starts = [ordered[rows.height * block // (rule.n + 1)] for block in range(1, rule.n + 1)]
    ends = [*starts[1:], ordered[-1] + 1]
    for start, end in zip(starts, ends, strict=True):
        known = times < start - rule.gap // timedelta(microseconds=1)
        asked = (times >= start) & (times < end)
        if rule.group:
            known &= ~_shared(rows.get_column(rule.group), asked)
        yield Fold(np.flatnonzero(known), np.flatnonzero(asked))


def _microseconds(rule: Rule, rows: "pl.DataFrame") -> Rows:
    """Times as numbers. UsageError for what is no time, and for rows without one."""
    import polars as pl

    assert rule.time is not None
    column = rows.get_column(rule.time)
    if not isinstance(column.dtype, pl.Date | pl.Datetime):
        raise UsageError(f"the time {rule.time!r} of the folds is {column.dtype}", expected="a Date or a Datetime")
    if column.null_count():
        raise UsageError(
            f"{column.null_count():,} examples have no {rule.time!r}, so they belong to no fold",
            hint="leave them out in a transform, or cut the folds by another column",
        )
    if getattr(column.dtype, "time_zone", None):
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us")).to_physical().to_numpy()


def _shared(groups: "pl.Series", asked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Rows of the groups that are asked about."""
    return groups.is_in(groups.filter(asked).unique().implode(), nulls_equal=True).to_numpy()


def _codes(column: "pl.Series") -> Rows:
    """A number for each value, in the order of their texts; 0 for none."""
    import polars as pl

    return column.cast(pl.String).rank("dense").fill_null(0).to_numpy().astype(np.int64)


def _by_group(rule: Rule, rows: "pl.DataFrame") -> Iterator[Fold]:
    assert rule.group is not None
    codes = _codes(rows.get_column(rule.group))
    groups, sizes = np.unique(codes, return_counts=True)
    if len(groups) < rule.n:
        raise UsageError(
            f"the training rows have {len(groups):,} values of {rule.group!r}, fewer than {rule.n} folds",
            where="train.search.folds",
            hint="fewer folds, or another column",
        )
    # A shuffle before the sort, so that the seed decides among groups of one size.
    order = np.random.RandomState(rule.seed % 2**32).permutation(len(groups))
    order = order[np.argsort(-sizes[order], kind="stable")]
    loads, home = np.zeros(rule.n, dtype=np.int64), np.empty(codes.max() + 1, dtype=np.int64)
    for group in order:
        fold = int(loads.argmin())
        home[groups[group]] = fold
        loads[fold] += sizes[group]
    yield from _dealt(home[codes], rule.n)


def _stratified(rule: Rule, rows: "pl.DataFrame") -> Iterator[Fold]:
    assert rule.strata is not None
    codes = _codes(rows.get_column(rule.strata))
    random = np.random.RandomState(rule.seed % 2**32)
    # Dealing goes on from class to class, so that the remainders do not all fall to the first fold.
    shuffled = np.concatenate([random.permutation(np.flatnonzero(codes == code)) for code in np.unique(codes)])
    home = np.empty(rows.height, dtype=np.int64)
    home[shuffled] = np.arange(rows.height) % rule.n
    yield from _dealt(home, rule.n)


def _random(rule: Rule, rows: "pl.DataFrame") -> Iterator[Fold]:
    home = np.empty(rows.height, dtype=np.int64)
    home[np.random.RandomState(rule.seed % 2**32).permutation(rows.height)] = np.arange(rows.height) % rule.n
    yield from _dealt(home, rule.n)


def _dealt(home: Rows, n: int) -> Iterator[Fold]:
    """Each fold is asked about the rows that are at home in it."""
    for fold in range(n):
        yield Fold(np.flatnonzero(home != fold), np.flatnonzero(home == fold))


def _refuse_hopeless(rule: Rule, rows: "pl.DataFrame", number: int, fold: Fold) -> None:
    for positions, purpose in ((fold.train, "to learn from"), (fold.valid, "to judge by")):
        lacking = ""
        if not len(positions):
            lacking = "no row"
        elif rule.strata and rows.get_column(rule.strata)[positions].n_unique() < 2:
            lacking = "only one class of rows"
        if lacking:
            raise UsageError(
                f"fold {number} of {rule.n} has {lacking} {purpose}",
                where="train.search.folds",
                hint="fewer folds, or another kind of them",
            )


_MAKERS = {"time": _by_time, "group": _by_group, "stratified": _stratified, "random": _random}
