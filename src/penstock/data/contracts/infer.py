"""A first contract from the data: types, and what may be missing. Conservative on purpose.

What the data happen to show (ranges, few distinct values) stands in a comment and not in a rule: a
draft that refuses next month's honest rows would only teach people to switch it off.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from penstock.data.contracts.contract import Column, Contract, Rows
from penstock.data.contracts.dtypes import dtype_of, logical, type_name
from penstock.data.contracts.personal import recognised, signs
from penstock.data.contracts.text import parsed
from penstock.data.contracts.text_types import Guess, types_of_text
from penstock.data.contracts.yaml_text import escaped, quoted, settings

ENOUGH = 1_000  # rows without a gap before a column is called not nullable
FEW = 12  # distinct texts that a comment still lists


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
    guesses = (
        types_of_text(frame, schema.names())
        if text
        else {name: Guess(Column(type=_typed(dtype))) for name, dtype in schema.items()}
    )
    columns = {name: guess.column for name, guess in guesses.items()}
    seen = _observe(frame, columns, text)
    count = frame.select(pl.len()).collect().item()
    settled = {name: _settled(name, column, seen[name], count) for name, column in columns.items()}
    sound = tuple(keys) if keys and _identifies(frame, columns, keys, text) else ()
    contract = Contract(columns=settled, keys=sound, rows=Rows(min=min(count, 1)))
    doubts = {name: guess.doubt for name, guess in guesses.items()}
    return Draft(contract, "\n".join(_lines(contract, seen, doubts, count, tuple(keys))) + "\n")


def _typed(dtype: pl.DataType) -> str:
    return "String" if isinstance(dtype, pl.Null) else type_name(dtype)


def _settled(name: str, column: Column, facts: Mapping[str, Any], rows: int) -> Column:
    personal = recognised(name, column, facts, rows)
    nullable = bool(facts["missing"]) or rows < ENOUGH
    return column.model_copy(update={"nullable": nullable, "pii": personal and personal[0]})


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
    contract: Contract,
    seen: Mapping[str, Mapping[str, Any]],
    doubts: Mapping[str, str],
    rows: int,
    keys: tuple[str, ...],
) -> Iterator[str]:
    yield f"# A first draft from {rows:,} rows. It holds them to their columns and types; add what you know:"
    yield "#   min, max, values, pattern, unique, unit, description, pii per column, and rules across columns."
    yield "columns:" if contract.columns else "columns: {}"
    for name, column in contract.columns.items():
        remark = "; ".join(filter(None, (_remark(name, column, seen[name], rows), doubts[name])))
        yield f"  {quoted(name)}: {{{settings(column)}}}  # {remark}"
    if contract.keys:
        yield f"keys: [{', '.join(map(quoted, contract.keys))}]  # never missing, never twice"
    elif keys:
        yield f"# keys: [{', '.join(map(quoted, keys))}] was asked for, but some rows lack them or share them"
    yield f"rows: {{min: {contract.rows.min}}}  # fewer rows than this stop the ingest"
    yield "allow_new: false  # a column that is not listed here stops the ingest"


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
