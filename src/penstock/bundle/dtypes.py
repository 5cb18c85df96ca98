"""Column types as text: what a signature, a feature specification and a lock file write down.

    Int64  Float64  String  Boolean  Date  Datetime[us]  Datetime[us, UTC]  Duration[ms]  Enum["a","b"]

`conform` gives a frame the columns and types that were declared; it makes no cast that loses anything.
"""

import json
import re
from functools import cache

import polars as pl

from penstock.errors import FunctionError, UsageError

Schema = tuple[tuple[str, str], ...]  # column names and types

_SIMPLE: dict[str, pl.DataType] = {
    str(dtype): dtype
    for dtype in (
        pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64(),
        pl.Float32(), pl.Float64(), pl.String(), pl.Boolean(), pl.Date(), pl.Time(), pl.Null(),
    )
}  # fmt: skip
_TIMED = re.compile(r"(Datetime|Duration)\[(ns|us|ms)(?:, ([\w/+:-]+))?\]")


def dtype_name(dtype: pl.DataType) -> str:
    """The text of a column type. UsageError for one that a feature or a request cannot have."""
    match dtype:
        case pl.Datetime():
            zone = f", {dtype.time_zone}" if dtype.time_zone else ""
            return f"Datetime[{dtype.time_unit}{zone}]"
        case pl.Duration():
            return f"Duration[{dtype.time_unit}]"
        case pl.Enum():
            return "Enum" + json.dumps(dtype.categories.to_list(), ensure_ascii=False, separators=(",", ":"))
        case pl.Categorical():
            return "Categorical"
    if (name := str(dtype)) in _SIMPLE:
        return name
    raise UsageError(
        f"a column of type {dtype} cannot be a feature or a request field",
        expected="numbers, text, booleans, dates, times or enums",
        hint="cast it, or split it into plain columns",
    )


def dtype_of(name: str) -> pl.DataType:
    """The column type that `dtype_name` wrote."""
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name == "Categorical":
        return pl.Categorical()
    if name.startswith("Enum["):
        return pl.Enum(json.loads(name.removeprefix("Enum")))
    if match := _TIMED.fullmatch(name):
        kind, unit, zone = match.groups()
        return pl.Datetime(unit, zone) if kind == "Datetime" else pl.Duration(unit)  # type: ignore[arg-type]
    raise UsageError(f"unknown column type {name!r}")


def schema_of(frame: pl.DataFrame | pl.LazyFrame) -> Schema:
    """Names and types of a frame's columns, as text."""
    return tuple((name, dtype_name(dtype)) for name, dtype in frame.collect_schema().items())


def same_kind(left: pl.DataType, right: pl.DataType) -> bool:
    """Whether values of both types can be equal: integers of any width, text in any form, alike times."""
    return left == right or _kind(left) == _kind(right)


def conform(frame: pl.DataFrame, schema: Schema, subject: str, *, exact: bool = False) -> pl.DataFrame:
    """`frame` with just the columns of `schema`, in its order and types. Only casts that lose nothing are made.

    `exact`: columns beyond the schema are an error, not left out.
    """
    names, dtypes = _parsed(schema)
    if frame.columns == names and frame.dtypes == dtypes:
        return frame
    _refuse_names(frame.columns, names, subject, exact)
    types = zip(names, dtypes, strict=True)
    return pl.DataFrame({name: _cast(frame.get_column(name), dtype, subject) for name, dtype in types})


@cache
def _parsed(schema: Schema) -> tuple[list[str], list[pl.DataType]]:
    return [name for name, _ in schema], [dtype_of(dtype) for _, dtype in schema]


def _refuse_names(given: list[str], expected: list[str], subject: str, exact: bool) -> None:
    lacking = [name for name in expected if name not in given]
    beyond = [name for name in given if name not in expected] if exact else []
    if lacking or beyond:
        parts = [f"lacks {', '.join(map(repr, lacking))}"] if lacking else []
        parts += [f"has {', '.join(map(repr, beyond))} beyond what the model was trained on"] if beyond else []
        hint = "a feature function gives the same columns whatever the rows hold; leave one-hot encoding to the model"
        raise FunctionError(
            f"{subject} {' and '.join(parts)}",
            expected=f"the columns {', '.join(expected[:20])}",
            hint=hint if exact else None,
        )


def _cast(column: pl.Series, dtype: pl.DataType, subject: str) -> pl.Series:
    if column.dtype == dtype:
        return column
    if column.dtype != pl.Null and not _loses_nothing(column.dtype, dtype):
        raise FunctionError(f"column {column.name!r} of {subject} is {column.dtype}", expected=str(dtype))
    try:
        return column.cast(dtype)
    except pl.exceptions.InvalidOperationError as error:
        why = str(error).splitlines()[0]
        raise FunctionError(f"column {column.name!r} of {subject} does not fit into {dtype}: {why}") from error


def _loses_nothing(given: pl.DataType, wanted: pl.DataType) -> bool:
    return _kind(given) == _kind(wanted) or (given.is_integer() and wanted.is_float())


def _kind(dtype: pl.DataType) -> object:
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "float"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    if isinstance(dtype, pl.Datetime):
        return "aware time" if dtype.time_zone else "naive time"
    return dtype.base_type()
