"""What a contract writes down of a column's values (`min`, `max`, `values`), in the type of the column.

YAML has its own idea of what a thing is: `true` is not 1 of an Int64, `1.50` and `007` are no texts. What the type
cannot hold exactly is refused, and never becomes a neighbour; only a bound may lie between two values of the type.
"""

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import inf, isfinite
from typing import Literal

import polars as pl

from penstock.data.contracts.contract import Column, Scalar
from penstock.data.contracts.dtypes import dtype_of, logical
from penstock.data.contracts.text import parsed, readable

Side = Literal["min", "max"]

SURE = 15  # digits of a decimal number that a float keeps, whatever they are (IEEE 754)
_WIDE = Context(prec=400)  # digits: more than the largest float has


# --- values --------------------------------------------------------------------------------------


def allowed(column: Column) -> pl.Series:
    """The only values that a column may hold, typed. What cannot be of its type is null: see `strangers`."""
    dtype = dtype_of(column.type)
    given = column.values or ()
    known = readable(column.type) or isinstance(dtype, pl.Categorical | pl.Enum | pl.Duration)
    texts = pl.Series("value", [_text(one, dtype) if known else None for one in given], dtype=pl.String)
    if isinstance(logical(dtype), pl.String):
        return texts
    if isinstance(dtype, pl.Duration):
        return texts.cast(pl.Int64, strict=False).cast(dtype)
    typed = texts.to_frame().select(parsed(pl.col("value"), Column(type=column.type))).to_series()
    if not dtype.is_numeric():
        return typed
    kept = [found if _is_the_same(found, one) else None for found, one in zip(typed, given, strict=True)]
    return pl.Series("value", kept, dtype=dtype)


def strangers(column: Column) -> Iterator[tuple[int, Scalar]]:
    """The values that a column cannot hold, and their places in the list."""
    typed = allowed(column).is_null()
    return ((place, one) for place, one in enumerate(column.values or ()) if typed[place])


def expected_of(column: Column) -> str:
    """How a value of a column is written in a contract."""
    dtype = dtype_of(column.type)
    if isinstance(dtype, pl.Enum):
        return f"one of {', '.join(dtype.categories)}"
    if isinstance(logical(dtype), pl.String):
        return "a text: put quotes around it"
    if isinstance(dtype, pl.Decimal):
        return f"a number with {dtype.scale} digits behind the point at most; one of more than {SURE} in quotes"
    if dtype.is_integer():
        low, high = _range(dtype)
        return f"a whole number from {low} to {high}"
    if dtype.is_float():
        return "a number that it can hold"
    if isinstance(dtype, pl.Boolean):
        return "true or false"
    if isinstance(dtype, pl.Duration):
        return f"a whole number, in {dtype.time_unit}"
    return "as ISO 8601 writes it" if readable(column.type) else "no `values`: a contract cannot write one down"


def _text(value: Scalar, dtype: pl.DataType) -> str | None:
    """A value as a file of texts would have it; None when it is another kind of thing."""
    if isinstance(value, bool):
        return str(value).lower() if isinstance(dtype, pl.Boolean) else None
    if isinstance(value, str):
        return None if isinstance(dtype, pl.Enum) and value not in dtype.categories else value
    if isinstance(dtype, pl.Duration) and isinstance(value, int):
        return str(value)
    if not dtype.is_numeric():
        return None
    if isinstance(value, int) or dtype.is_float():
        return repr(value)
    number = Decimal(repr(value))
    return f"{number.normalize(_WIDE):f}" if len(number.as_tuple().digits) <= SURE else None


def _is_the_same(found: object, given: Scalar) -> bool:
    """Whether a typed number is what was given. Its text was parsed exactly; only a float rounds a fraction."""
    if isinstance(given, int):
        return found == given
    return found is not None and not (isinstance(found, float) and not isfinite(found))


# --- bounds --------------------------------------------------------------------------------------


def bound(column: Column, side: Side) -> pl.Expr:
    """A `min` or `max` as a literal to compare a value with. ValueError if it is none for the column's type.

    Between two values of the type it is the one inside: at least 1.5 is at least 2 for a whole number. So both sides
    of the comparison have one type, and large numbers are not compared as floats.
    """
    value = getattr(column, side)
    dtype = dtype_of(column.type)
    if not (dtype.is_numeric() or dtype.is_temporal()):
        raise ValueError(f"a {column.type} column has no bounds")
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not {column.type}")
    if dtype.is_numeric():
        return _number(column, side, dtype)
    moment = allowed(Column(type=column.type, values=(value,)))
    if moment.null_count():
        raise ValueError(f"{value!r} is not {column.type}")
    return pl.lit(moment.to_physical().item()).cast(dtype)  # Python's times have no nanoseconds


def _number(column: Column, side: Side, dtype: pl.DataType) -> pl.Expr:
    value = getattr(column, side)
    if not isfinite(float(value)):
        raise ValueError(f"{value} is not a finite number")
    if dtype.is_float():
        return pl.lit(float(value), dtype=dtype)
    step = Decimal(1).scaleb(-dtype.scale if isinstance(dtype, pl.Decimal) else 0)
    inside = Decimal(str(value)).quantize(step, ROUND_CEILING if side == "min" else ROUND_FLOOR, _WIDE)
    low, high = _range(dtype)
    if inside > high if side == "min" else inside < low:
        raise ValueError(f"every {column.type} is {'below' if side == 'min' else 'above'} {value}")
    if not low <= inside <= high:
        return pl.lit(inf if side == "max" else -inf)  # every value keeps it
    return pl.lit(inside if isinstance(dtype, pl.Decimal) else int(inside), dtype=dtype)


def _range(dtype: pl.DataType) -> tuple[Decimal, Decimal]:
    """The least and the largest value of a type of whole or decimal numbers."""
    if isinstance(dtype, pl.Decimal):
        most = Decimal("9" * (dtype.precision or 38)).scaleb(-dtype.scale, _WIDE)
        return -most, most
    low, high = (pl.select(end).item() for end in (dtype.min(), dtype.max()))  # type: ignore[attr-defined]
    return Decimal(low), Decimal(high)
