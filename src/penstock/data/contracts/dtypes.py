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
