"""What kind of prediction a target column asks for, and why."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from penstock.errors import UsageError

MAX_CLASSES = 50
MAX_WHOLE_CLASSES = 20  # more different whole numbers than that are an amount, not names of classes
LEAST_ROWS = 10  # with a target: fewer can neither teach nor judge
YES = (
    "yes",
    "y",
    "true",
    "t",
    "positive",
    "pos",
    "1",
    "ja",
    "si",
    "oui",
    "bad",
    "churn",
    "churned",
    "default",
    "fraud",
)


@dataclass(frozen=True)
class Goal:
    """The target, read off its column.

    task      binary, multiclass, regression
    positive  the value that counts as the event, for a binary target
    why       how the column led to the task
    classes   how many there are; 0 for a number
    common    the share of the most frequent class; 0 for a number
    spread    the standard deviation of a number; 0 for classes
    rare      classes with fewer than LEAST_ROWS rows
    """

    column: str
    task: Literal["binary", "multiclass", "regression"]
    why: str
    positive: bool | int | str | None = None
    classes: int = 0
    common: float = 0.0
    spread: float = 0.0
    rare: tuple[str, ...] = ()


def read_goal(column: pl.Series) -> Goal:
    """The goal that a target column sets. UsageError when nothing can be learnt from it."""
    known = column.drop_nulls()
    known = known.drop_nans() if known.dtype.is_float() else known
    _refuse_hopeless(column, known)
    if known.dtype == pl.Boolean:
        return _binary(known, True, "it is true or false")
    if known.dtype == pl.String:
        return _from_texts(known)
    if known.dtype.is_float() and not (known == known.round()).all():
        return _number(known, "it is a number with decimals")
    return _from_whole_numbers(known)


def _refuse_hopeless(column: pl.Series, known: pl.Series) -> None:
    name = column.name
    if not len(known):
        raise UsageError(f"the target {name!r} has no value in any row", hint="choose another --target")
    if not (known.dtype.is_numeric() or known.dtype in (pl.Boolean, pl.String)):
        raise UsageError(
            f"the target {name!r} is of type {known.dtype}",
            expected="classes (text, true or false, whole numbers) or a number",
            hint="derive what is to be predicted from it, such as a number of days, in a column of its own",
        )
    if known.dtype.is_float() and known.is_infinite().any():
        raise UsageError(f"the target {name!r} holds infinity", hint="correct or remove those rows")
    if known.n_unique() == 1:
        raise UsageError(
            f"the target {name!r} is {known[0]!r} in every row: there is nothing to learn",
            hint="choose another --target",
        )
    if len(known) < LEAST_ROWS:
        raise UsageError(
            f"{len(known)} rows have a value of {name!r}",
            expected=f"at least {LEAST_ROWS}, to learn from and to judge by",
        )


def _from_texts(known: pl.Series) -> Goal:
    values = known.unique().sort().to_list()
    if len(values) == 2:
        counts = {value: int((known == value).sum()) for value in values}
        events = [value for value in values if value.strip().lower() in YES]
        rarer = min(values, key=lambda value: (counts[value], value))
        event = events[0] if len(events) == 1 else rarer
        reason = "it reads like a yes" if event in events else "it is the rarer one"
        return _binary(known, event, f"it has two values; {event!r} counts as the event because {reason}")
    if len(values) > len(known) / 2:
        raise UsageError(
            f"the target {known.name!r} has {len(values)} different texts in {len(known)} rows",
            expected="classes, not identifiers or free text",
            hint="choose another --target",
        )
    if len(values) > MAX_CLASSES:
        raise UsageError(
            f"the target {known.name!r} has {len(values)} classes",
            expected=f"at most {MAX_CLASSES}",
            hint="group the rare ones in a column of its own",
        )
    return _multiclass(known, f"it has {len(values)} different values")


def _from_whole_numbers(known: pl.Series) -> Goal:
    values = known.unique().sort().to_list()
    if len(values) == 2:
        event = int(values[1])
        return _binary(known, event, f"it has two values; {event} counts as the event because it is the larger one")
    if len(values) <= MAX_WHOLE_CLASSES and len(known) >= 5 * len(values):
        return _multiclass(
            known, f"it has {len(values)} different whole numbers, each often enough to be the name of a class"
        )
    return _number(known, f"it has {len(values)} different numbers")


def _binary(known: pl.Series, positive: bool | int | str, why: str) -> Goal:
    return Goal(str(known.name), "binary", why, positive, 2, _common(known), rare=_rare(known))


def _multiclass(known: pl.Series, why: str) -> Goal:
    return Goal(str(known.name), "multiclass", why, None, known.n_unique(), _common(known), rare=_rare(known))


def _number(known: pl.Series, why: str) -> Goal:
    deviation = known.cast(pl.Float64).std()
    return Goal(str(known.name), "regression", why, spread=deviation if isinstance(deviation, float) else 0.0)


def _common(known: pl.Series) -> float:
    most = known.value_counts(name="rows")["rows"].max()
    return most / len(known) if isinstance(most, int) else 0.0


def _rare(known: pl.Series) -> tuple[str, ...]:
    counts = known.value_counts(sort=True, name="rows").filter(pl.col("rows") < LEAST_ROWS)
    return tuple(str(value) for value in counts[:, 0])
