"""What type a column of texts has: the narrowest that all its values fit, and what stands against another one."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

import polars as pl

from penstock.data.contracts.contract import Column
from penstock.data.contracts.dtypes import dtype_of
from penstock.data.contracts.schema import HEAD
from penstock.data.contracts.text import parsed, present
from penstock.data.contracts.yaml_text import settings

NEAR = 0.05  # of the values: when no more than these are of no type, a comment says so
NO_VALUE = ("NA", "N/A", "#N/A", "na", "n/a", "NaN", "nan", "NULL", "null", "None", "none", "-", "?", ".")

# from the narrowest; a column gets the first that all its values fit
CANDIDATES = (
    Column(type="Boolean"),
    Column(type="Int64"),
    Column(type="Float64"),
    *(Column(type=number, decimal=mark) for mark in (".", ",") for number in ("Int64", "Float64")),
    Column(type="Date"),
    Column(type="Datetime[us]"),
    Column(type="Datetime[us, UTC]"),
    *(Column(type="Date", format=form) for form in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d")),
    *(
        Column(type="Datetime[us]", format=f"{day} {clock}")
        for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d")
        for clock in ("%H:%M:%S", "%H:%M")
    ),
)
CODE = r"^[+-]?0\d+$|^[+-]?\d{16,}$"  # 007 and account numbers: as numbers they would lose digits


class Guess(NamedTuple):
    """What a column is taken for, and what somebody should know who knows better."""

    column: Column
    doubt: str = ""


def types_of_text(frame: pl.LazyFrame, names: Sequence[str]) -> dict[str, Guess]:
    """The first rows rule most types out; what is left is tried on all rows."""
    counted = _counted(frame, _likely(frame.head(HEAD), names))
    missing = _missing_words(frame, names)
    return {name: _chosen(counted[name], missing[name]) for name in names}


def _likely(head: pl.LazyFrame, names: Sequence[str]) -> dict[str, list[Column]]:
    """The candidates that the first values of each column fit; where there is none, those that nearly all of them fit.

    All columns are tried as one long one: a thousand small expressions take longer than a few large ones.
    """
    numbered = head.select(pl.col(name).alias(str(position)) for position, name in enumerate(names))
    cells = numbered.collect().unpivot(variable_name="column", value_name="cell").drop_nulls()
    times = cells.group_by("column", "cell").len("times")
    tests = {str(n): _misfits(pl.col("cell"), one) * pl.col("times") for n, one in enumerate(CANDIDATES)}
    counted = times.select("column", "times", **tests).group_by("column").sum()
    wrong = {names[int(position)]: (values, counts) for position, values, *counts in counted.iter_rows()}
    return {name: _plainest(_nearest(*wrong.get(name, (0, repeat(0))))) for name in names}


def _nearest(values: int, wrong: Iterable[int]) -> list[Column]:
    """The candidates that the fewest of so many values do not fit, unless those are many."""
    counted = list(zip(CANDIDATES, wrong, strict=False))
    least = min(count for _, count in counted)
    return [one for one, count in counted if count == least <= NEAR * values]


def _plainest(fitting: list[Column]) -> list[Column]:
    """Without the numbers that people write, where all are as programs write them: those read the same."""
    plain = any(one.type == "Float64" and one.decimal is None for one in fitting)
    return [one for one in fitting if not (plain and one.decimal)] if len(fitting) < len(CANDIDATES) else fitting


def _counted(frame: pl.LazyFrame, candidates: Mapping[str, Sequence[Column]]) -> dict[str, list[tuple[Column, int]]]:
    """The candidates of each column, with how many values of it do not fit them; none that many do not fit."""
    tests = {
        f"{position}:{number}": _misfits(pl.col(name), candidate).sum()
        for position, name in enumerate(candidates)
        for number, candidate in enumerate(candidates[name])
    }
    if not tests:
        return {name: [] for name in candidates}
    values = {f"{position}": pl.col(name).count() for position, name in enumerate(candidates)}
    found = frame.select(**tests, **values).collect().row(0, named=True)
    counted = {
        name: [(one, int(found[f"{position}:{number}"] or 0)) for number, one in enumerate(candidates[name])]
        for position, name in enumerate(candidates)
    }
    most = {name: NEAR * found[f"{position}"] for position, name in enumerate(candidates)}
    return {name: [(one, wrong) for one, wrong in tried if wrong <= most[name]] for name, tried in counted.items()}


def _misfits(raw: pl.Expr, candidate: Column) -> pl.Expr:
    column = candidate.model_copy(update={"missing": NO_VALUE})
    cell = present(raw, column)
    wrong = cell.is_not_null() & parsed(raw, column).is_null()
    if candidate.type == "Boolean":
        wrong |= cell.is_in(["0", "1"])  # numbers until somebody says otherwise
    elif dtype_of(candidate.type).is_numeric():
        wrong |= cell.str.contains(CODE)
    return wrong


def _missing_words(frame: pl.LazyFrame, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Which words for "no value" a column holds; all of its words, when it holds nothing else."""
    tests = {}
    for position, name in enumerate(names):
        cell = pl.col(name).str.strip_chars()
        tests[f"{position}"] = cell.filter(cell.is_in(list(NO_VALUE))).unique().implode()
        tests[f"{position}:values"] = (cell.is_not_null() & ~cell.is_in(["", *NO_VALUE])).any()
    found = frame.select(**tests).collect().row(0, named=True) if tests else {}
    return {
        name: tuple(sorted(found[f"{position}"])) if found[f"{position}:values"] else ()
        for position, name in enumerate(names)
    }


def _chosen(counted: Sequence[tuple[Column, int]], missing: tuple[str, ...]) -> Guess:
    fitting = [one for one, wrong in counted if not wrong]
    first = fitting[0] if fitting else None
    if first is None:
        return Guess(Column(type="String"), _nearly(counted))
    if len(fitting) == len(CANDIDATES):  # there is no value
        return Guess(Column(type="String"))
    if _which_day(first, fitting):
        return Guess(Column(type="String"), "day or month first: say " + _or(fitting, "format"))
    if _which_mark(first, fitting):
        return Guess(Column(type="String"), "numbers by either mark: say " + _or(fitting, "decimal"))
    return Guess(first.model_copy(update={"missing": missing}))


def _nearly(counted: Sequence[tuple[Column, int]]) -> str:
    """The type that all but a few values have."""
    if not counted:
        return ""
    near, wrong = min(counted, key=lambda one: one[1])
    return f"as {{{settings(near, 'type', 'format', 'decimal')}}} only {wrong:,} would be set aside"


def _or(fitting: Sequence[Column], setting: str) -> str:
    """What somebody who knows would write."""
    said = dict.fromkeys(settings(one, setting) for one in fitting)
    return " or ".join(said)


def _which_day(first: Column, fitting: Sequence[Column]) -> bool:
    """Day first or month first: as long as both fit, nobody knows."""
    return first.format is not None and len(fitting) > 1


def _which_mark(first: Column, fitting: Sequence[Column]) -> bool:
    """1,234 is a thousand or a little more than one. A whole number by either mark has none, and is the same."""
    marks = {one.decimal for one in fitting}
    whole = sum(one.type == "Int64" for one in fitting)
    return first.decimal is not None and len(marks) > 1 and whole < len(marks)
