"""From the types that a database server names to Polars' types, without losing a digit.

Whole numbers are Int64 and fractions Float64, whatever their width, so that two servers and a file fit one contract.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from penstock.errors import ContractBroken

DIGITS = 38  # of a decimal in Polars and Arrow
PLACES = 18  # behind the point where the server does not say how many: Spark's number too
_BINARY, _UNSIGNED = 63, 32  # MySQL: the character set of bytes, and the flag of numbers without a sign

Convert = Callable[[Any], Any]


class _Unfit(ValueError):
    """A value that its column cannot hold; says why, and not which."""


@dataclass(frozen=True)
class Column:
    """A column of a result: its name, its type, and what makes a value fit it, where it does not by itself."""

    name: str
    dtype: pl.DataType
    convert: Convert | None = None

    def series(self, values: Sequence[Any], where: str) -> pl.Series:
        """The values of a batch. ContractBroken, which tells no value, for one that its type cannot hold."""
        try:
            if self.convert:
                values = [None if value is None else self.convert(value) for value in values]
            return pl.Series(self.name, values, dtype=self.dtype)
        except (_Unfit, TypeError, ValueError, ArithmeticError, pl.exceptions.PolarsError) as error:
            why = f": {error}" if isinstance(error, _Unfit) else ""
            what = f"column {self.name!r} holds a value that is no {self.dtype}{why}"
            raise ContractBroken(what, where=where, hint="CAST the column in the query") from None


def postgres_columns(cursor: Any) -> list[Column]:
    """The columns of a psycopg cursor's result."""
    return [Column(one.name, *_postgres(one.type_code, one.scale)) for one in cursor.description]


def mysql_columns(cursor: Any) -> list[Column]:
    """The columns of a PyMySQL cursor's result. Its `description` does not tell bytes from text, its packets do."""
    return [Column(one.name, *_mysql(one)) for one in cursor._result.fields]


def sqlite_columns(cursor: Any) -> list[Column]:
    """The columns of an SQLite result: there every value has its own type, so they are read as text."""
    return [Column(one[0], pl.String(), _as_text) for one in cursor.description]


# object identifiers of pg_type, which never change
_POSTGRES: Mapping[int, pl.DataType] = {
    16: pl.Boolean(), 17: pl.Binary(), 20: pl.Int64(), 21: pl.Int64(), 23: pl.Int64(), 26: pl.Int64(),
    700: pl.Float64(), 701: pl.Float64(), 1082: pl.Date(), 1083: pl.Time(), 1114: pl.Datetime("us"),
    1184: pl.Datetime("us", "UTC"), 1186: pl.Duration("us"),
}  # fmt: skip
_NUMERIC = 1700


def _postgres(code: int, scale: int | None) -> tuple[pl.DataType, Convert | None]:
    if code == _NUMERIC:
        return pl.Decimal(DIGITS, PLACES if scale is None else scale), _whole if scale is None else _finite
    dtype = _POSTGRES.get(code)
    return (dtype, None) if dtype else (pl.String(), _as_text)


# field types of MySQL's protocol
_MYSQL: Mapping[int, pl.DataType] = {
    1: pl.Int64(), 2: pl.Int64(), 3: pl.Int64(), 4: pl.Float64(), 5: pl.Float64(), 6: pl.Null(),
    7: pl.Datetime("us", "UTC"), 8: pl.Int64(), 9: pl.Int64(), 10: pl.Date(), 11: pl.Duration("us"),
    12: pl.Datetime("us"), 13: pl.Int64(), 14: pl.Date(), 16: pl.Binary(), 255: pl.Binary(),
}  # fmt: skip
_TINY, _BIGINT, _DECIMALS, _TEXTS = 1, 8, (0, 246), (15, 249, 250, 251, 252, 253, 254)


def _mysql(field: Any) -> tuple[pl.DataType, Convert | None]:
    code, unsigned = field.type_code, bool(field.flags & _UNSIGNED)
    if code in _DECIMALS:
        # the length counts the point and the sign
        digits = field.length - (field.scale > 0) - (not unsigned)
        return (pl.String(), _as_text) if digits > DIGITS else (pl.Decimal(DIGITS, field.scale), _finite)
    if code == _TINY and field.length == 1:
        return pl.Boolean(), _truth
    if code == _BIGINT and unsigned:
        return pl.UInt64(), None
    if code in _TEXTS and field.charsetnr == _BINARY:
        return pl.Binary(), None
    dtype = _MYSQL.get(code)
    return (dtype, None) if dtype else (pl.String(), _as_text)


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise _Unfit("it is no finite number")
    return value


def _whole(value: Decimal) -> Decimal:
    """A number that loses nothing."""
    exponent = _finite(value).as_tuple().exponent
    if isinstance(exponent, int) and -exponent > PLACES and value.normalize() != round(value, PLACES):
        raise _Unfit(f"it has more than {PLACES} digits behind the point")
    return value


def _truth(value: int) -> bool:
    if value not in (0, 1):
        raise _Unfit("it is neither 0 nor 1")
    return bool(value)


def _as_text(value: Any) -> str:
    """The value as the server writes it; lists and mappings as JSON, bytes in hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | dict):
        import json

        return json.dumps(value, default=str, ensure_ascii=False)
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
