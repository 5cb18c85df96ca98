"""A contract as expressions over the rows of one input: the pure core of ingestion.

    raw rows ── schema_changes ──> a break, or
             ── annotated ──────> typed columns + the reasons why a row is not good
                                    ── fatal ──> a break
    all rows ── dataset_faults ─> a break, or something to tell

Nothing here reads or writes anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import NamedTuple

import polars as pl

from penstock.data.contracts.conditions import sql
from penstock.data.contracts.contract import Column, Contract, Rule
from penstock.data.contracts.dtypes import dtype_of, logical
from penstock.data.contracts.schema import Change, schema_changes
from penstock.data.contracts.text import parsed, present
from penstock.data.contracts.whole import dataset_faults
from penstock.data.reserved import RAW, REASONS, WARNINGS
from penstock.errors import UsageError

BITS = 63
LIST = pl.List(pl.String)

Conditions = Mapping[str, pl.Expr]  # what the functions of a contract's rules gave, by reference


class Check(NamedTuple):
    """A condition that makes a row bad, and what to say about it. `severity` and `tolerance` as in a contract."""

    reason: str  # "dep_delay: above 3000"
    bad: pl.Expr
    severity: str = "quarantine"
    tolerance: float = 0.0


@dataclass(frozen=True)
class Checked:
    """What a contract says about rows. `good` are typed; `bad` are what was read of the others, with `__reasons__`."""

    rows: int
    changes: tuple[Change, ...] = ()  # the schema is not the contract's
    reasons: Mapping[str, int] = field(default_factory=dict)  # rows per reason to set them aside
    warnings: Mapping[str, int] = field(default_factory=dict)
    bad_rows: int = 0
    broken: tuple[Change, ...] = ()  # rules about the whole: row count, keys, ratios; rules that no row may break
    good: pl.DataFrame = field(default_factory=pl.DataFrame, compare=False, repr=False)
    bad: pl.DataFrame = field(default_factory=pl.DataFrame, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether every row and the whole keep the contract."""
        return not (self.changes or self.reasons or self.broken)


def check(
    contract: Contract, rows: pl.LazyFrame | pl.DataFrame, *, text: bool = False, conditions: Conditions | None = None
) -> Checked:
    """Hold rows against a contract. `text`: they are texts as a file has them, still to be parsed.

    `conditions` are those of the rules that are functions, by reference; UsageError when one of them lacks.
    """
    frame = rows.lazy()
    schema = frame.collect_schema()
    if changes := schema_changes(contract, schema, text=text):
        return Checked(frame.select(pl.len()).collect().item(), tuple(changes))
    marked = annotated(frame, contract, schema, text=text, conditions=conditions or {})
    found = marked.select(*contract.columns, REASONS, WARNINGS).collect()
    fine = found.get_column(REASONS).list.len() == 0
    good, bad = found.select(*contract.columns).filter(fine), found.filter(~fine).drop(WARNINGS)
    reasons, warnings = tally(found, REASONS), told(contract, tally(found, WARNINGS), found.height)
    faults = list(dataset_faults(contract, good.lazy(), good.height))
    stops = fatal(contract, reasons, found.height)
    broken = [{"reason": reason, "rows": count} for reason, count in stops.items()]
    broken += [fault.row for fault in faults if fault.fatal]
    warnings |= {fault.sentence: fault.rows for fault in faults if not fault.fatal}
    return Checked(found.height, (), reasons, warnings, bad.height, tuple(broken), good, bad)


def tally(marked: pl.DataFrame, column: str) -> dict[str, int]:
    """How many rows have each of the reasons in a list column."""
    lists = marked.get_column(column)
    said = lists.filter(lists.list.len() > 0).explode(empty_as_null=True, keep_nulls=False)
    return dict(said.value_counts(sort=True).iter_rows())


def fatal(contract: Contract, reasons: Mapping[str, int], rows: int) -> dict[str, int]:
    """Of the reasons to set rows aside those of severity `error` that more of the rows have than is tolerated."""
    return _beyond(contract, reasons, rows, "error")


def told(contract: Contract, warnings: Mapping[str, int], rows: int) -> dict[str, int]:
    """The warnings that more of the rows give cause for than is tolerated."""
    return _beyond(contract, warnings, rows, "warn")


def _beyond(contract: Contract, counts: Mapping[str, int], rows: int, severity: str) -> dict[str, int]:
    unasked = {rule.function: pl.lit(True) for rule in contract.rules if rule.function}
    checks = row_checks(contract, unasked, text=True)
    limits = {check.reason: check.tolerance * rows for check in checks if check.severity == severity}
    return {reason: count for reason, count in counts.items() if reason in limits and count > limits[reason]}


# --- the rows ------------------------------------------------------------------------------------


def annotated(
    frame: pl.LazyFrame, contract: Contract, schema: Mapping[str, pl.DataType], *, text: bool, conditions: Conditions
) -> pl.LazyFrame:
    """The contract's columns, typed, with lists of reasons and warnings; of text also what it was (`RAW`)."""
    names = list(contract.columns)
    if text:
        frame = frame.rename({name: RAW + name for name in names})
        typed = [parsed(pl.col(RAW + name), column).alias(name) for name, column in contract.columns.items()]
    else:
        typed = [_cast(name, schema[name], column) for name, column in contract.columns.items()]
    checks = list(row_checks(contract, conditions, text=text))
    return frame.with_columns(typed).with_columns(
        _said(check for check in checks if check.severity != "warn").alias(REASONS),
        _said(check for check in checks if check.severity == "warn").alias(WARNINGS),
    )


def row_checks(contract: Contract, conditions: Conditions, *, text: bool) -> Iterator[Check]:
    """Every condition on a row, over the columns that `annotated` makes. UsageError when one of a function lacks."""
    for name, column in contract.columns.items():
        yield from _column_checks(name, column, contract, text)
    for rule in contract.rules:
        yield Check(rule.name, ~_condition(rule, conditions).fill_null(True), rule.severity, rule.tolerance)


def _condition(rule: Rule, conditions: Conditions) -> pl.Expr:
    if rule.expression is not None:
        return sql(rule.expression)
    if rule.function is None or rule.function not in conditions:
        raise UsageError(f"rule {rule.name!r} needs {rule.function}", hint="hold the rows against it in its project")
    return conditions[rule.function]


def _column_checks(name: str, column: Column, contract: Contract, text: bool) -> Iterator[Check]:
    raw, value = pl.col(RAW + name), pl.col(name)
    dtype = dtype_of(column.type)
    if dtype.is_float():
        value = value.fill_nan(None)
    missing = value.is_null()
    at_least = "error" if column.severity == "error" else "quarantine"  # a row that could not be kept as it is
    if text:
        unread = present(raw, column).is_not_null() & pl.col(name).is_null()
        missing &= ~unread
        if column.type != "String":
            yield Check(f"{name}: not {column.type}", unread, at_least, column.tolerance)
    if contract.required(name):
        severity = at_least if name in contract.keys else column.severity
        yield Check(f"{name}: missing", missing, severity, column.tolerance)
    for what, bad in _expectations(column, value):
        yield Check(f"{name}: {what}", bad, column.severity, column.tolerance)


def _expectations(column: Column, value: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
    if column.min is not None:
        yield f"below {column.min}", value < bound(column, column.min)
    if column.max is not None:
        yield f"above {column.max}", value > bound(column, column.max)
    if column.values is not None:
        yield "not one of the values", ~value.is_in(allowed(column).implode())
    if column.pattern is not None:
        yield f"does not match {column.pattern}", ~value.str.contains(column.pattern)


def _said(checks: Iterable[Check]) -> pl.Expr:
    """The reasons of every row as a list: a bit for each check, and a list for each combination of bits that occurs.

    To put a list of texts together for every row costs a hundred times as much: nearly all rows have no reason.
    """
    listed = list(checks)
    parts = [listed[start : start + BITS] for start in range(0, len(listed), BITS)]
    said = [_bits(part).map_batches(_Said(part), return_dtype=LIST, is_elementwise=True) for part in parts]
    return pl.concat_list(said) if len(said) > 1 else said[0] if said else pl.lit([], dtype=LIST)


def _bits(checks: Sequence[Check]) -> pl.Expr:
    raised = (pl.when(check.bad).then(pl.lit(1 << bit, pl.UInt64)) for bit, check in enumerate(checks))
    return pl.sum_horizontal(raised)


class _Said:
    """From bits to lists of reasons."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._reasons = [check.reason for check in checks]

    def __call__(self, bits: pl.Series) -> pl.Series:
        found = bits.unique().sort()
        lists = [[reason for bit, reason in enumerate(self._reasons) if one >> bit & 1] for one in found]
        return pl.Series(lists, dtype=LIST).gather(found.search_sorted(bits))


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
