"""A contract as expressions over the rows of one input: the pure core of ingestion.

    raw rows ── schema_changes ──> a break, or
             ── annotated ──────> typed columns + the reasons why a row is not good
                                    ── fatal ──> a break
    all rows ── dataset_faults ─> a break, or something to tell

Nothing here reads or writes anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from penstock.data.contracts.conditions import sql
from penstock.data.contracts.contract import Column, Contract, Rule
from penstock.data.contracts.dtypes import dtype_of, logical
from penstock.data.contracts.literals import allowed, bound
from penstock.data.contracts.marks import Check, broken, counts, marks, said, saying
from penstock.data.contracts.schema import Change, schema_changes
from penstock.data.contracts.text import parsed, present
from penstock.data.contracts.whole import dataset_faults
from penstock.data.reserved import RAW, REASONS, WARNINGS
from penstock.errors import UsageError

FEW, SHORT = 8, 12  # a text is compared with so few others, of so many bytes, faster than it is looked up among them

Conditions = Mapping[str, pl.Expr]  # what the functions of a contract's rules gave, by reference


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
    serious, mild = _parted(row_checks(contract, conditions or {}, text=text))
    marked = _typed(frame, contract, schema, text=text).select(
        *contract.columns, marks(serious).alias(REASONS), marks(mild).alias(WARNINGS)
    )
    found = marked.collect()
    # taken out in place: to select the others copies them all, where their chunks do not end where those of marks do
    broke, warned = found.drop_in_place(REASONS), found.drop_in_place(WARNINGS)
    reasons = counts(broke, serious)
    warnings = _beyond(mild, counts(warned, mild), found.height)
    good, bad = _sorted_out(found, broke, serious)
    faults = list(dataset_faults(contract, good.lazy(), good.height))
    stops = _beyond([check for check in serious if check.severity == "error"], reasons, found.height)
    breaks = [{"reason": reason, "rows": count} for reason, count in stops.items()]
    breaks += [fault.row for fault in faults if fault.fatal]
    warnings |= {fault.sentence: fault.rows for fault in faults if not fault.fatal}
    return Checked(found.height, (), reasons, warnings, bad.height, tuple(breaks), good, bad)


def _sorted_out(rows: pl.DataFrame, broke: pl.Series, checks: Sequence[Check]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Good rows, and bad ones with their reasons. Where all are good nothing is copied."""
    some = broken(broke)
    bad = rows.filter(some).with_columns(said(broke.filter(some), checks).alias(REASONS))
    return rows.filter(~some) if bad.height else rows, bad


def tally(marked: pl.DataFrame, column: str) -> dict[str, int]:
    """How many rows have each of the reasons in a list column."""
    lists = marked.get_column(column)
    each = lists.filter(lists.list.len() > 0).explode(empty_as_null=True, keep_nulls=False)
    return dict(each.value_counts(sort=True).iter_rows())


def fatal(contract: Contract, reasons: Mapping[str, int], rows: int) -> dict[str, int]:
    """Of the reasons to set rows aside those of severity `error` that more of the rows have than is tolerated."""
    return _beyond(_checks_of(contract, "error"), reasons, rows)


def told(contract: Contract, warnings: Mapping[str, int], rows: int) -> dict[str, int]:
    """The warnings that more of the rows give cause for than is tolerated."""
    return _beyond(_checks_of(contract, "warn"), warnings, rows)


def _checks_of(contract: Contract, severity: str) -> Iterator[Check]:
    unasked = {rule.function: pl.lit(True) for rule in contract.rules if rule.function}
    return (check for check in row_checks(contract, unasked, text=True) if check.severity == severity)


def _beyond(checks: Iterable[Check], counted: Mapping[str, int], rows: int) -> dict[str, int]:
    limits = {check.reason: check.tolerance * rows for check in checks}
    return {reason: count for reason, count in counted.items() if reason in limits and count > limits[reason]}


# --- the rows ------------------------------------------------------------------------------------


def annotated(
    frame: pl.LazyFrame, contract: Contract, schema: Mapping[str, pl.DataType], *, text: bool, conditions: Conditions
) -> pl.LazyFrame:
    """The contract's columns, typed, with lists of reasons and warnings; of text also what it was (`RAW`)."""
    serious, mild = _parted(row_checks(contract, conditions, text=text))
    typed = _typed(frame, contract, schema, text=text)
    return typed.with_columns(saying(serious).alias(REASONS), saying(mild).alias(WARNINGS))


def _typed(frame: pl.LazyFrame, contract: Contract, schema: Mapping[str, pl.DataType], *, text: bool) -> pl.LazyFrame:
    if not text:
        return frame.with_columns(_cast(name, schema[name], column) for name, column in contract.columns.items())
    raw = frame.rename({name: RAW + name for name in contract.columns})
    return raw.with_columns(parsed(pl.col(RAW + name), column).alias(name) for name, column in contract.columns.items())


def _parted(checks: Iterable[Check]) -> tuple[list[Check], list[Check]]:
    """Those that set rows aside, and those that only warn."""
    listed = list(checks)
    mild = [check for check in listed if check.severity == "warn"]
    return [check for check in listed if check.severity != "warn"], mild


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
    is_float = dtype_of(column.type).is_float()
    missing = value.is_null() | value.is_nan() if is_float else value.is_null()
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
        if is_float:
            bad &= value.is_not_nan()  # which Polars takes for the largest number
        yield Check(f"{name}: {what}", bad, column.severity, column.tolerance)


def _expectations(column: Column, value: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
    if column.min is not None:
        yield f"below {column.min}", value < bound(column, "min")
    if column.max is not None:
        yield f"above {column.max}", value > bound(column, "max")
    if column.values is not None:
        yield "not one of the values", _is_none_of(value, allowed(column))
    if column.pattern is not None:
        yield f"does not match {column.pattern}", ~value.str.contains(column.pattern)


def _is_none_of(value: pl.Expr, wanted: pl.Series) -> pl.Expr:
    if isinstance(wanted.dtype, pl.String) and 0 < wanted.len() <= FEW and wanted.str.len_bytes().le(SHORT).all():
        return pl.all_horizontal(value != one for one in wanted)
    return ~value.is_in(wanted.implode())


def _cast(name: str, dtype: pl.DataType, column: Column) -> pl.Expr:
    wanted = logical(dtype_of(column.type))
    return pl.col(name) if dtype == wanted else pl.col(name).cast(wanted)
