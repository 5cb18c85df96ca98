"""A contract as expressions over rows: the pure core of ingestion.

    raw rows ── schema_changes ──> a break, or
             ── annotated ──────> typed columns + the reasons why a row is not good

Nothing here reads or writes anything.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite

import polars as pl

from penstock.data.contracts.contract import Column, Contract
from penstock.data.contracts.dtypes import dtype_of, logical, type_name
from penstock.data.contracts.text import parsed, present
from penstock.data.reserved import RAW, REASONS, RESERVED, WARNINGS

HEAD = 1_000  # rows that tell whether a text column changed its type

Change = dict[str, object]


@dataclass(frozen=True)
class Check:
    """A condition that makes a row bad, and what to say about it."""

    reason: str  # "dep_delay: above 3000"
    bad: pl.Expr
    severity: str = "quarantine"


@dataclass(frozen=True)
class Checked:
    """What a contract says about rows."""

    rows: int
    changes: tuple[Change, ...] = ()  # the schema is not the contract's
    reasons: Mapping[str, int] = field(default_factory=dict)  # rows per reason to set them aside
    warnings: Mapping[str, int] = field(default_factory=dict)
    bad_rows: int = 0
    broken: tuple[Change, ...] = ()  # rules about the whole: row count, keys

    @property
    def ok(self) -> bool:
        """Whether every row and the whole keep the contract."""
        return not (self.changes or self.reasons or self.broken)


def check(contract: Contract, rows: pl.LazyFrame | pl.DataFrame, *, text: bool = False) -> Checked:
    """Hold rows against a contract. `text`: they are texts as a file has them, still to be parsed."""
    frame = rows.lazy()
    schema = frame.collect_schema()
    if changes := schema_changes(contract, schema, text=text):
        return Checked(frame.select(pl.len()).collect().item(), tuple(changes))
    marked = annotated(frame, contract, schema, text=text).select(*contract.columns, REASONS, WARNINGS).collect()
    good = marked.filter(pl.col(REASONS).list.len() == 0)
    broken = tuple(dataset_faults(contract, good.lazy(), good.height))
    return Checked(
        marked.height, (), tally(marked, REASONS), tally(marked, WARNINGS), marked.height - good.height, broken
    )


def tally(marked: pl.DataFrame, column: str) -> dict[str, int]:
    """How many rows have each of the reasons in a list column."""
    counts = (
        marked.get_column(column).explode(empty_as_null=True, keep_nulls=False).drop_nulls().value_counts(sort=True)
    )
    return dict(counts.iter_rows())


# --- the schema ----------------------------------------------------------------------------------


def schema_changes(contract: Contract, schema: Mapping[str, pl.DataType], *, text: bool) -> list[Change]:
    """A row per column that is missing, new or of another type. Texts have no type yet: see `head_changes`."""
    changes: list[Change] = []
    for name, column in contract.columns.items():
        if name not in schema:
            changes.append(_change(name, "missing", column.type, "nothing"))
        elif not text and not _fits(schema[name], column):
            changes.append(_change(name, "type changed", column.type, type_name(schema[name])))
    beyond = (
        () if contract.allow_new else (name for name in schema if name not in contract.columns and name not in RESERVED)
    )
    return changes + [_change(name, "added", "nothing", "text" if text else type_name(schema[name])) for name in beyond]


def head_changes(contract: Contract, head: pl.DataFrame) -> list[Change]:
    """Text columns of which more than half of the first rows' values do not parse: their type changed."""
    changes: list[Change] = []
    for name, column in contract.columns.items():
        counted = head.select(
            there=present(pl.col(name), column).is_not_null().sum(),
            parsed=parsed(pl.col(name), column).is_not_null().sum(),
        )
        there, good = counted.row(0)
        if good < there - good:
            example = head.filter(
                parsed(pl.col(name), column).is_null() & present(pl.col(name), column).is_not_null()
            ).item(0, name)
            changes.append(_change(name, "type changed", column.type, f"text such as {example[:40]!r}"))
    return changes


def _change(column: str, change: str, contract: str, found: str) -> Change:
    return {"column": column, "change": change, "contract": contract, "found": found}


def _fits(dtype: pl.DataType, column: Column) -> bool:
    # a column without any value has no type of its own
    return isinstance(dtype, pl.Null) or logical(dtype) == logical(dtype_of(column.type))


# --- the rows ------------------------------------------------------------------------------------


def annotated(
    frame: pl.LazyFrame, contract: Contract, schema: Mapping[str, pl.DataType], *, text: bool
) -> pl.LazyFrame:
    """The contract's columns, typed, with lists of reasons and warnings; of text also what it was (`RAW`)."""
    names = list(contract.columns)
    if text:
        frame = frame.rename({name: RAW + name for name in names})
        typed = [parsed(pl.col(RAW + name), column).alias(name) for name, column in contract.columns.items()]
    else:
        typed = [_cast(name, schema[name], column) for name, column in contract.columns.items()]
    checks = list(row_checks(contract, text=text))
    return frame.with_columns(typed).with_columns(
        _said(check for check in checks if check.severity != "warn").alias(REASONS),
        _said(check for check in checks if check.severity == "warn").alias(WARNINGS),
    )


def row_checks(contract: Contract, *, text: bool) -> Iterator[Check]:
    """Every condition on a row, over the columns that `annotated` makes."""
    for name, column in contract.columns.items():
        yield from _column_checks(name, column, contract.required(name), text)
    for rule in contract.rules:
        yield Check(rule.name, ~sql(rule.expression).fill_null(True), rule.severity)


def _column_checks(name: str, column: Column, required: bool, text: bool) -> Iterator[Check]:
    raw, value = pl.col(RAW + name), pl.col(name)
    dtype = dtype_of(column.type)
    if dtype.is_float():
        value = value.fill_nan(None)
    missing = value.is_null()
    if text:
        unread = present(raw, column).is_not_null() & pl.col(name).is_null()
        missing &= ~unread
        if column.type != "String":
            yield Check(f"{name}: not {column.type}", unread)
    if required:
        yield Check(f"{name}: missing", missing)
    if column.min is not None:
        yield Check(f"{name}: below {column.min}", value < bound(column, column.min))
    if column.max is not None:
        yield Check(f"{name}: above {column.max}", value > bound(column, column.max))
    if column.values is not None:
        yield Check(f"{name}: not one of the values", ~value.is_in(allowed(column).implode()))
    if column.pattern is not None:
        yield Check(f"{name}: does not match {column.pattern}", ~value.str.contains(column.pattern))


def _said(checks: Iterable[Check]) -> pl.Expr:
    found = [pl.when(check.bad).then(pl.lit(check.reason)) for check in checks]
    nothing = pl.lit(None, dtype=pl.String)
    return pl.concat_list(*found, nothing).list.drop_nulls()


def _cast(name: str, dtype: pl.DataType, column: Column) -> pl.Expr:
    wanted = logical(dtype_of(column.type))
    return pl.col(name) if dtype == wanted else pl.col(name).cast(wanted)


def bound(column: Column, value: int | float | str) -> pl.Expr:
    """A `min` or `max` as a literal of the column's type. ValueError if it is none."""
    dtype = dtype_of(column.type)
    if dtype.is_numeric():
        number = float(value)
        if not isfinite(number):
            raise ValueError(f"{value} is not a finite number")
        return pl.lit(number if isinstance(value, str) else value)
    if not dtype.is_temporal():
        raise ValueError(f"a {column.type} column has no bounds")
    literal = pl.select(parsed(pl.lit(str(value)), Column(type=column.type))).item()
    if literal is None:
        raise ValueError(f"{value!r} is not {column.type}")
    return pl.lit(literal, dtype=dtype)


def allowed(column: Column) -> pl.Series:
    """The only values that a column may hold, typed; what cannot be of its type is null or a ValueError."""
    dtype = logical(dtype_of(column.type))
    given = pl.Series(
        [str(value) if isinstance(dtype, pl.String) else value for value in column.values or ()], strict=False
    )
    if isinstance(given.dtype, pl.String) and not isinstance(dtype, pl.String):
        return given.to_frame("value").select(parsed(pl.col("value"), Column(type=column.type))).to_series()
    return given.cast(dtype)


def sql(expression: str) -> pl.Expr:
    """A condition in SQL as an expression. ValueError when it is not one."""
    try:
        return pl.sql_expr(expression)
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error).splitlines()[0]) from None


# --- the whole -----------------------------------------------------------------------------------


def dataset_faults(contract: Contract, good: pl.LazyFrame, rows: int) -> Iterator[Change]:
    """Rules about all good rows of a version: how many there are, and what must be unique among them."""
    if rows < contract.rows.min:
        yield {"rule": "rows", "expected": f"at least {contract.rows.min:,}", "found": f"{rows:,}"}
    singles = [(name,) for name, column in contract.columns.items() if column.unique]
    for names in dict.fromkeys([*([contract.keys] if contract.keys else []), *singles]):
        yield from _duplicates(good, names)


def _duplicates(good: pl.LazyFrame, names: tuple[str, ...]) -> Iterator[Change]:
    values = [str(position) for position in range(len(names))]  # a column of the data may be called "rows"
    twice = (
        good.select(pl.col(name).alias(value) for name, value in zip(names, values, strict=True))
        .drop_nulls()
        .group_by(values)
        .len("rows")
        .filter(pl.col("rows") > 1)
        .sort("rows", *values, descending=[True] + [False] * len(names))
    )
    found = twice.collect()
    if found.height:
        example = ", ".join(f"{name}={found.item(0, value)}" for name, value in zip(names, values, strict=True))
        yield {
            "rule": f"{' + '.join(names)} is unique",
            "found": f"{found.height:,} values more than once",
            "example": f"{example} ({found.item(0, 'rows')} times)",
        }


def stale(good: pl.LazyFrame, time: str, limit: timedelta, now: datetime) -> list[Change]:
    """Whether the newest row is older than the contract allows. Times without a zone are UTC."""
    newest = (
        good.select(pl.col(time).cast(pl.Datetime("us", "UTC") if _is_aware(good, time) else pl.Datetime("us")).max())
        .collect()
        .item()
    )
    if newest is None:
        return []
    age = now - (newest if newest.tzinfo else newest.replace(tzinfo=UTC))
    return (
        [{"rule": "freshness", "expected": f"at most {limit}", "found": f"{age} since {newest}"}] if age > limit else []
    )


def _is_aware(frame: pl.LazyFrame, column: str) -> bool:
    return getattr(frame.collect_schema()[column], "time_zone", None) is not None
