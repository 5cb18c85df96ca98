"""A first contract from the data: types, and what may be missing. Conservative on purpose.

What the data happen to show (ranges, few distinct values) stands in a comment and not in a rule: a
draft that refuses next month's honest rows would only teach people to switch it off.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import polars as pl

from penstock.data.contracts.contract import Column, Contract, Rows
from penstock.data.contracts.dtypes import dtype_of, logical, type_name
from penstock.data.contracts.personal import recognised, signs
from penstock.data.contracts.schema import HEAD
from penstock.data.contracts.text import parsed, present

ENOUGH = 1_000  # rows without a gap before a column is called not nullable
FEW = 12  # distinct texts that a comment still lists
NO_VALUE = ("NA", "N/A", "#N/A", "na", "n/a", "NaN", "nan", "NULL", "null", "None", "none", "-", "?", ".")

# from the narrowest; a column gets the first that all its values fit
CANDIDATES = (
    Column(type="Boolean"),
    Column(type="Int64"),
    Column(type="Float64"),
    *(Column(type=number, decimal=mark) for mark in (".", ",") for number in ("Int64", "Float64")),
    Column(type="Date"),
    Column(type="Datetime[us]"),
    Column(type="Datetime[us, UTC]"),
    *(Column(type="Date", format=form) for form in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d")),
    *(
        Column(type="Datetime[us]", format=f"{day} {clock}")
        for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d")
        for clock in ("%H:%M:%S", "%H:%M")
    ),
)
CODE = r"^[+-]?0\d+$|^[+-]?\d{16,}$"  # 007 and account numbers: as numbers they would lose digits


class Draft(NamedTuple):
    """An inferred contract and the YAML file that says the same, with a comment on every column."""

    contract: Contract
    text: str


def infer_contract(rows: pl.LazyFrame | pl.DataFrame, *, keys: Sequence[str] = (), text: bool = False) -> Draft:
    """A contract that these rows keep. `text`: every column is text as a file has it.

    `keys` become the contract's keys when they are unique and never missing.
    """
    frame = rows.lazy()
    schema = frame.collect_schema()
    columns = (
        _from_text(frame, schema.names())
        if text
        else {name: Column(type=_typed(dtype)) for name, dtype in schema.items()}
    )
    seen = _observe(frame, columns, text)
    count = frame.select(pl.len()).collect().item()
    settled = {name: _settled(name, column, seen[name], count) for name, column in columns.items()}
    sound = tuple(keys) if keys and _identifies(frame, columns, keys, text) else ()
    contract = Contract(columns=settled, keys=sound, rows=Rows(min=min(count, 1)))
    return Draft(contract, "\n".join(_lines(contract, seen, count, tuple(keys))) + "\n")


def _typed(dtype: pl.DataType) -> str:
    return "String" if isinstance(dtype, pl.Null) else type_name(dtype)


def _settled(name: str, column: Column, facts: Mapping[str, Any], rows: int) -> Column:
    personal = recognised(name, column, facts, rows)
    nullable = bool(facts["missing"]) or rows < ENOUGH
    return column.model_copy(update={"nullable": nullable, "pii": personal and personal[0]})


# --- types from text -----------------------------------------------------------------------------


def _from_text(frame: pl.LazyFrame, names: Sequence[str]) -> dict[str, Column]:
    """The first rows rule most types out; what is left is tried on all rows."""
    fitting = _surviving(frame, _likely(frame.head(HEAD), names))
    missing = _missing_words(frame, names)
    return {name: _chosen(fitting[name], missing[name]) for name in names}


def _likely(head: pl.LazyFrame, names: Sequence[str]) -> dict[str, list[Column]]:
    """The candidates that the first values of each column fit.

    All columns are tried as one long one: a thousand small expressions take longer than a few large ones.
    """
    numbered = head.select(pl.col(name).alias(str(position)) for position, name in enumerate(names))
    cells = numbered.collect().unpivot(variable_name="column", value_name="cell").unique()
    tests = {str(number): _misfits(pl.col("cell"), candidate) for number, candidate in enumerate(CANDIDATES)}
    counted = cells.select("column", **tests).group_by("column").sum()
    wrong = {names[int(position)]: counts for position, *counts in counted.iter_rows()}
    fitting = (
        [one for one, count in zip(CANDIDATES, wrong.get(name, repeat(0)), strict=False) if count == 0]
        for name in names
    )
    return dict(zip(names, map(_plainest, fitting), strict=True))


def _plainest(fitting: list[Column]) -> list[Column]:
    """Without the numbers that people write, where all are as programs write them: those read the same."""
    plain = any(one.type == "Float64" and one.decimal is None for one in fitting)
    return [one for one in fitting if not (plain and one.decimal)] if len(fitting) < len(CANDIDATES) else fitting


def _surviving(frame: pl.LazyFrame, candidates: Mapping[str, Sequence[Column]]) -> dict[str, list[Column]]:
    """The candidates of each column that every value of it fits."""
    tests = {
        f"{position}:{number}": _misfits(pl.col(name), candidate).sum()
        for position, name in enumerate(candidates)
        for number, candidate in enumerate(candidates[name])
    }
    if not tests:
        return {name: [] for name in candidates}
    counted = frame.select(**tests).collect().row(0, named=True)
    return {
        name: [one for number, one in enumerate(candidates[name]) if counted[f"{position}:{number}"] == 0]
        for position, name in enumerate(candidates)
    }


def _misfits(raw: pl.Expr, candidate: Column) -> pl.Expr:
    column = candidate.model_copy(update={"missing": NO_VALUE})
    cell = present(raw, column)
    wrong = cell.is_not_null() & parsed(raw, column).is_null()
    if candidate.type == "Boolean":
        wrong |= cell.is_in(["0", "1"])  # numbers until somebody says otherwise
    elif dtype_of(candidate.type).is_numeric():
        wrong |= cell.str.contains(CODE)
    return wrong


def _missing_words(frame: pl.LazyFrame, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Which words for "no value" a column holds; all of its words, when it holds nothing else."""
    tests = {}
    for position, name in enumerate(names):
        cell = pl.col(name).str.strip_chars()
        tests[f"{position}"] = cell.filter(cell.is_in(list(NO_VALUE))).unique().implode()
        tests[f"{position}:values"] = (cell.is_not_null() & ~cell.is_in(["", *NO_VALUE])).any()
    found = frame.select(**tests).collect().row(0, named=True) if tests else {}
    return {
        name: tuple(sorted(found[f"{position}"])) if found[f"{position}:values"] else ()
        for position, name in enumerate(names)
    }


def _chosen(fitting: Sequence[Column], missing: tuple[str, ...]) -> Column:
    first = fitting[0] if fitting else None
    ambiguous = first is not None and (_which_day(first, fitting) or _which_mark(first, fitting))
    nothing = len(fitting) == len(CANDIDATES)
    if first is None or ambiguous or nothing:
        return Column(type="String")
    return first.model_copy(update={"missing": missing})


def _which_day(first: Column, fitting: Sequence[Column]) -> bool:
    """Day first or month first: as long as both fit, nobody knows."""
    return first.format is not None and len(fitting) > 1


def _which_mark(first: Column, fitting: Sequence[Column]) -> bool:
    """1,234 is a thousand or a little more than one. A whole number by either mark has none, and is the same."""
    marks = {one.decimal for one in fitting}
    whole = sum(one.type == "Int64" for one in fitting)
    return first.decimal is not None and len(marks) > 1 and whole < len(marks)


# --- what the rows show --------------------------------------------------------------------------


def _observe(frame: pl.LazyFrame, columns: Mapping[str, Column], text: bool) -> dict[str, dict[str, Any]]:
    """Per column how many values are missing and, by its kind, the range or the number of distinct values."""
    wanted = {}
    for position, (name, column) in enumerate(columns.items()):
        for fact, expression in _facts(pl.col(name), logical(dtype_of(column.type))).items():
            wanted[f"{position}:{fact}"] = expression
    typed = frame.select(_value(name, column, text).alias(name) for name, column in columns.items())
    row = typed.select(**wanted).collect().row(0, named=True) if wanted else {}
    return {
        name: {key.partition(":")[2]: value for key, value in row.items() if key.partition(":")[0] == str(position)}
        for position, name in enumerate(columns)
    }


def _value(name: str, column: Column, text: bool) -> pl.Expr:
    dtype = logical(dtype_of(column.type))
    value = parsed(pl.col(name), column) if text else pl.col(name).cast(dtype)
    return value.fill_nan(None) if dtype.is_float() else value


def _facts(value: pl.Expr, dtype: pl.DataType) -> dict[str, pl.Expr]:
    facts = {"missing": value.null_count()}
    if dtype.is_numeric() or dtype.is_temporal():
        facts |= {"low": value.min(), "high": value.max()}
    elif isinstance(dtype, pl.String):
        facts |= {"distinct": value.n_unique(), "some": value.drop_nulls().unique().sort().head(FEW + 1).implode()}
        facts |= signs(value)
    return facts


def _identifies(frame: pl.LazyFrame, columns: Mapping[str, Column], keys: Sequence[str], text: bool) -> bool:
    if any(name not in columns for name in keys):
        return False
    values = frame.select(_value(name, columns[name], text).alias(str(number)) for number, name in enumerate(keys))
    gaps = values.filter(pl.any_horizontal(pl.all().is_null())).head(1).collect().height
    twice = values.group_by(pl.all()).len("rows").filter(pl.col("rows") > 1).head(1).collect().height
    return not gaps and not twice


# --- the file ------------------------------------------------------------------------------------


def _lines(
    contract: Contract, seen: Mapping[str, Mapping[str, Any]], rows: int, keys: tuple[str, ...]
) -> Iterator[str]:
    yield f"# A first draft from {rows:,} rows. It holds them to their columns and types; add what you know:"
    yield "#   min, max, values, pattern, unique, unit, description, pii per column, and rules across columns."
    yield "columns:" if contract.columns else "columns: {}"
    for name, column in contract.columns.items():
        yield f"  {quoted(name)}: {_settings(column)}  # {_remark(name, column, seen[name], rows)}"
    if contract.keys:
        yield f"keys: [{', '.join(map(quoted, contract.keys))}]  # never missing, never twice"
    elif keys:
        yield f"# keys: [{', '.join(map(quoted, keys))}] was asked for, but some rows lack them or share them"
    yield f"rows: {{min: {contract.rows.min}}}  # fewer rows than this stop the ingest"
    yield "allow_new: false  # a column that is not listed here stops the ingest"


def _settings(column: Column) -> str:
    settings = [f"type: {quoted(column.type)}", f"nullable: {str(column.nullable).lower()}"]
    settings += [f"missing: [{', '.join(map(quoted, column.missing))}]"] if column.missing else []
    settings += [f"format: {quoted(column.format)}"] if column.format else []
    settings += [f"decimal: {quoted(column.decimal)}"] if column.decimal else []
    settings += [f"pii: {column.pii}"] if column.pii else []
    return "{" + ", ".join(settings) + "}"


def _remark(name: str, column: Column, facts: Mapping[str, Any], rows: int) -> str:
    missing = facts["missing"]
    said = [
        "no value in any row" if missing == rows else f"{missing:,} of {rows:,} missing" if missing else "never missing"
    ]
    if personal := recognised(name, column, facts, rows):
        return "; ".join([*said, f"{personal[1]}: masked in pages, findings and quarantine lists, whole in exports"])
    if facts.get("low") is not None:
        said.append(f"{_shown(facts['low'])} to {_shown(facts['high'])}")
    if facts.get("some"):
        some = facts["some"]
        said.append(", ".join(map(_shown, some)) if len(some) <= FEW else f"{facts['distinct']:,} different texts")
    return "; ".join(said)


def _shown(value: Any) -> str:
    text = f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    return escaped(text if len(text) <= 40 else text[:37] + "...")


def quoted(text: str) -> str:
    """A text as YAML: plain where it can only be a text, else in double quotes."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) and text.lower() not in (
        "true",
        "false",
        "null",
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
    ):
        return text
    return escaped(json.dumps(text, ensure_ascii=False))


def escaped(text: str) -> str:
    """Characters that a line of YAML cannot hold, written as escapes."""
    return "".join(one if one.isprintable() else _escape(ord(one)) for one in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
