"""From the text of a file to typed values: one parser, used to infer types and to ingest.

A value that is there and does not parse becomes null; the caller, who still has the text, sees the difference.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

import polars as pl

from penstock.data.contracts.contract import Column
from penstock.data.contracts.dtypes import dtype_of

TRUTH = {"true": True, "false": False, "1": True, "0": False}
DATE = ("%Y-%m-%d",)
NAIVE = ("%Y-%m-%d %H:%M:%S%.f",)
AWARE = ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z")
GROUPS = {",": r"[.\s']", ".": r"[,\s']"}  # what may stand between three digits and three, by the decimal mark
CLOCK = ("%H:%M:%S%.f", "%H:%M")
SCIENTIFIC = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+$"
FARTHEST = 100  # places of a digit from the point: no decimal has so many


def present(raw: pl.Expr, column: Column) -> pl.Expr:
    """The text of a cell without the blanks around it; null where it means that there is no value."""
    cell = raw.str.strip_chars()
    return pl.when(cell.is_in(["", *column.missing])).then(None).otherwise(raw if column.type == "String" else cell)


def parsed(raw: pl.Expr, column: Column) -> pl.Expr:
    """The typed value of a cell of text; null where there is none or where it does not parse."""
    dtype = dtype_of(column.type)
    cell = present(raw, column)
    if dtype.is_numeric():
        plain = _plain_number(cell, column)
        return (_exact(plain, dtype) if isinstance(dtype, pl.Decimal) else plain).cast(dtype, strict=False)
    if isinstance(dtype, pl.Boolean):
        return cell.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    if isinstance(dtype, pl.Date):
        return _first(cell.str.to_date(form, strict=False) for form in _forms(column, DATE))
    if isinstance(dtype, pl.Datetime):
        return _datetime(cell, dtype, column)
    if isinstance(dtype, pl.Time):
        return _first(cell.str.to_time(form, strict=False) for form in _forms(column, CLOCK))
    return cell


def readable(type_name: str) -> bool:
    """Whether values of this type can be read from text."""
    dtype = dtype_of(type_name)
    return dtype.is_numeric() or isinstance(dtype, pl.String | pl.Boolean | pl.Date | pl.Datetime | pl.Time)


def _plain_number(cell: pl.Expr, column: Column) -> pl.Expr:
    """The text of a number as programs write it; null where it is none with the column's decimal mark."""
    if column.decimal is None:
        return cell
    groups = GROUPS[column.decimal]
    mark = re.escape(column.decimal)
    number = rf"^[+-]?(?:\d+|\d{{1,3}}(?:{groups}\d{{3}})+)(?:{mark}\d+)?(?:[eE][+-]?\d+)?$"
    plain = cell.str.replace_all(groups, "").str.replace(column.decimal, ".", literal=True)
    return pl.when(cell.str.contains(number)).then(plain)


def _exact(plain: pl.Expr, dtype: pl.Decimal) -> pl.Expr:
    """Null where the type has fewer digits after the point than the number: Polars rounds it without a word."""
    digits = plain.map_batches(_written_out, return_dtype=pl.String, is_elementwise=True)
    return pl.when(~digits.str.contains(rf"\.\d{{{dtype.scale}}}\d*[1-9]")).then(digits)


def _written_out(texts: pl.Series) -> pl.Series:
    """1.5e-3 as 0.0015. Few files have such decimals, so they may take longer than all others."""
    scientific = texts.str.contains(SCIENTIFIC).arg_true()
    if not scientific.len():
        return texts
    numbers = map(Decimal, texts[scientific])
    plain = [f"{one:f}" if abs(one.adjusted()) <= FARTHEST else None for one in numbers]
    return texts.scatter(scientific, pl.Series(plain, dtype=pl.String))


def _datetime(cell: pl.Expr, dtype: pl.Datetime, column: Column) -> pl.Expr:
    forms = _forms(column, AWARE if dtype.time_zone else NAIVE)
    text = cell if column.format else _spaced(cell) if dtype.time_zone else _to_the_second(_spaced(cell))
    moment = _first(text.str.to_datetime(form, strict=False, time_unit=dtype.time_unit) for form in forms)
    if dtype.time_unit == "ns":  # 64 bits reach from 1677 to 2262; Polars puts what lies beyond somewhere else in there
        far = _first(text.str.to_datetime(form, strict=False, time_unit="us") for form in forms)
        moment = pl.when(far.dt.year().is_between(1678, 2261)).then(moment)
    return moment.dt.convert_time_zone(dtype.time_zone) if dtype.time_zone else moment


def _spaced(cell: pl.Expr) -> pl.Expr:
    """ISO 8601 allows a T between day and time; the day has no letter, so the first T is that one."""
    return cell.str.replace("T", " ", literal=True)


def _to_the_second(cell: pl.Expr) -> pl.Expr:
    """A day or a minute with its zeros written out: one format to try is faster than three."""
    colons = cell.str.count_matches(":", literal=True)
    lacks = pl.when(colons == 0).then(pl.lit(" 00:00:00")).when(colons == 1).then(pl.lit(":00")).otherwise(pl.lit(""))
    return pl.concat_str(cell, lacks)


def _forms(column: Column, iso: tuple[str, ...]) -> tuple[str, ...]:
    return (column.format,) if column.format else iso


def _first(attempts: Iterable[pl.Expr]) -> pl.Expr:
    return pl.coalesce(list(attempts))
