"""What each column of a file can be for a model: what it is asked with, what it learns from, what it leaves out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from penstock.errors import UsageError, did_you_mean

NO_VALUE = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", "?", ".")
UNKNOWN = ("NA", "N/A", "#N/A", "na", "n/a", "NaN", "nan", "NULL", "null", "?")
MOSTLY = 0.8  # of a text column's values are numbers: then the others count as missing
SEVERAL = 20  # rows from which on "a different text in each row" says something
IDENTIFIES = re.compile(
    r"(^|[_\s.-])(id|key|uuid|guid|nr|no|number|code|index)$|[a-z](Id|ID|Key|Code|Number)$|^(id|uuid)", re.IGNORECASE
)


@dataclass(frozen=True)
class Columns:
    """The parts that the columns play.

    key       names an example; feedback joins on it
    time      when the prediction is asked for
    left_out  a column and why the model does not see it
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    dates: tuple[str, ...]
    moments: tuple[str, ...]
    key: str | None
    time: str | None
    left_out: Mapping[str, str]

    @property
    def features(self) -> tuple[str, ...]:
        """What the model learns from."""
        return (*self.numbers, *self.texts, *self.dates, *self.moments)


@dataclass(frozen=True)
class Repairs:
    """What has to be put right in the file's rows.

    mixed     columns of numbers with some texts between them, which count as missing
    decimals  columns of exact decimals, which become ordinary numbers
    unknown   texts by which a target of text says that it is not known
    """

    target: str = ""
    mixed: tuple[str, ...] = ()
    decimals: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.mixed or self.decimals or self.unknown)

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` put right."""
        return frame.with_columns(
            *(pl.col(name).str.strip_chars().cast(pl.Float64, strict=False) for name in self.mixed),
            *(pl.col(name).cast(pl.Float64) for name in self.decimals),
            *([pl.col(self.target).replace(dict.fromkeys(self.unknown))] if self.unknown else []),
        )


def find_repairs(frame: pl.DataFrame, target: str) -> Repairs:
    """The columns that are numbers in disguise, and what stands for "not known" in the target."""
    kinds = {name: _disguise(frame[name]) for name in frame.columns}
    named = {kind: tuple(name for name, one in kinds.items() if one == kind) for kind in ("mixed", "decimals")}
    goal = frame[target]
    hidden = goal.dtype == pl.String and target not in named["mixed"]
    unknown = goal.unique().drop_nulls().sort().to_list() if hidden else []
    return Repairs(target, **named, unknown=tuple(text for text in unknown if text.strip() in UNKNOWN))


def _disguise(column: pl.Series) -> str | None:
    if column.dtype.is_decimal():
        return "decimals"
    if column.dtype != pl.String:
        return None
    cells = column.drop_nulls().str.strip_chars()
    cells = cells.filter(~cells.str.to_lowercase().is_in(list(NO_VALUE)))
    if not len(cells):
        return None
    # 007 and account numbers are names: as numbers they would lose digits
    numbers = cells.cast(pl.Float64, strict=False).is_not_null() & ~cells.str.contains(r"^[+-]?(0\d|\d{16})")
    share = numbers.sum() / len(cells)
    return "mixed" if MOSTLY <= share < 1 and cells.filter(numbers).n_unique() > 2 else None


def sort_columns(frame: pl.DataFrame, *, target: str, time: str | None, entity: str | None) -> Columns:
    """Give each column its part. UsageError when a named one cannot play it, or when no feature is left."""
    for option, name in (("--time", time), ("--entity", entity)):
        if name is not None and name not in frame.columns:
            raise UsageError(f"there is no column {name!r}{did_you_mean(name, frame.columns)}", where=option)
        if name == target:
            raise UsageError(f"{name!r} is the target: it is not known when a prediction is asked for", where=option)
    if time is not None:
        _check_time(frame[time])
    key = entity or next(_keys(frame, {target, time}), None)
    left_out: dict[str, str] = {}
    parts: dict[str, list[str]] = {"numbers": [], "texts": [], "dates": [], "moments": []}
    for name in frame.columns:
        if name in (target, key, time):
            continue
        reason = _useless(frame[name])
        if reason:
            left_out[name] = reason
        else:
            parts[_part(frame.schema[name])].append(name)
    columns = Columns(**{part: tuple(names) for part, names in parts.items()}, key=key, time=time, left_out=left_out)
    if not columns.features and time is None:
        why = "; ".join(f"{name!r} {reason}" for name, reason in left_out.items()) or "the file has no other column"
        raise UsageError(f"no column is left to predict {target!r} from: {why}")
    return columns


def _check_time(column: pl.Series) -> None:
    if column.dtype != pl.Date and not isinstance(column.dtype, pl.Datetime):
        known = column.drop_nulls()
        example = f" such as {known[0]!r}" if len(known) else ""
        raise UsageError(
            f"{column.name!r} holds {column.dtype}{example}, not dates",
            where="--time",
            expected="dates or times such as 2013-07-01 or 2013-07-01T17:45:00",
        )
    if column.null_count():
        raise UsageError(
            f"{column.name!r} has no value in {column.null_count()} rows",
            where="--time",
            expected="the time at which each prediction would have been asked for",
            hint="remove those rows, or leave --time out",
        )


def _keys(frame: pl.DataFrame, taken: set[str | None]) -> Iterator[str]:
    """Columns that name the examples: called like it, never missing, never twice."""
    for name in frame.columns:
        column = frame[name]
        whole_or_text = column.dtype.is_integer() or column.dtype == pl.String
        if (
            name not in taken
            and whole_or_text
            and IDENTIFIES.search(name)
            and not column.null_count()
            and column.is_unique().all()
        ):
            yield name


def _useless(column: pl.Series) -> str | None:
    """Why a model cannot learn from a column; None if it can."""
    known = column.drop_nulls()
    dtype = column.dtype
    if not len(known):
        return "has no value in any row"
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object, pl.Duration, pl.Time):
        return f"is of type {dtype}, which a request cannot hold as it is"
    different = known.n_unique()
    if different == 1 and not column.null_count():
        return f"is {_shown(known[0])} in every row"
    if dtype == pl.String and len(known) >= SEVERAL and different > 0.9 * len(known):
        return "has another text in nearly every row: it names or describes the row"
    if dtype.is_integer() and len(known) == len(column) >= SEVERAL and different == len(column) and _counts(known):
        return "counts the rows"
    return None


def _counts(known: pl.Series) -> bool:
    steps = known.cast(pl.Int64, strict=False).diff().drop_nulls()
    return len(steps) == len(known) - 1 and bool((steps == 1).all())


def _part(dtype: pl.DataType) -> str:
    if dtype == pl.Date:
        return "dates"
    if isinstance(dtype, pl.Datetime):
        return "moments"
    return "texts" if dtype in (pl.String, pl.Categorical, pl.Enum) else "numbers"


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
