"""Column types by name. Any type a Parquet file may hold has one; how text is stored is not a type of its own."""

from functools import cache

import polars as pl

from penstock import bundle
from penstock.errors import UsageError
from penstock.store import tables

KNOWN = (
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64",
    "String", "Boolean", "Date", "Time", "Datetime[us]", "Datetime[us, UTC]", "Duration[us]",
)  # fmt: skip
FINER = ("ms", "us")  # time units, each as exact as the one before and as far-reaching for any date


def type_name(dtype: pl.DataType) -> str:
    """`Int64`, `Datetime[us, UTC]`, `List(Int64)`."""
    try:
        return bundle.dtype_name(logical(dtype))
    except UsageError:
        return str(dtype)


@cache
def dtype_of(name: str) -> pl.DataType:
    """The type that `type_name` wrote. UsageError for any other text."""
    try:
        return bundle.dtype_of(name)
    except UsageError:
        return tables.dtype_of(name)


def logical(dtype: pl.DataType) -> pl.DataType:
    """Dictionary-encoded text is text."""
    return pl.String() if isinstance(dtype, pl.Categorical | pl.Enum) else dtype


def relation(before: str, after: str) -> str:
    """widened, narrowed or type changed."""
    old, new = dtype_of(before), dtype_of(after)
    return "widened" if _holds(new, old) else "narrowed" if _holds(old, new) else "type changed"


def _holds(wide: pl.DataType, narrow: pl.DataType) -> bool:
    """Whether every value of the narrow type is one of the wide type."""
    if narrow.is_integer() and wide.is_integer():
        low, high = (pl.select(bound).item() for bound in (narrow.min(), narrow.max()))  # type: ignore[attr-defined]
        least, most = (pl.select(bound).item() for bound in (wide.min(), wide.max()))  # type: ignore[attr-defined]
        return bool(least <= low and high <= most and wide != narrow)
    if narrow.is_integer() and wide.is_float():
        greatest = pl.select(narrow.max()).item()  # type: ignore[attr-defined]
        return bool(greatest <= 2 ** (24 if isinstance(wide, pl.Float32) else 53))  # bits of a float's fraction
    if isinstance(narrow, pl.Date):
        return isinstance(wide, pl.Datetime) and wide.time_zone is None and wide.time_unit in FINER
    if isinstance(narrow, pl.Datetime) and isinstance(wide, pl.Datetime):
        return (narrow.time_unit, wide.time_unit) == FINER and narrow.time_zone == wide.time_zone
    return isinstance(narrow, pl.Float32) and isinstance(wide, pl.Float64)
