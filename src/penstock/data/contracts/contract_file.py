"""The file of a contract: read, and found sound before any row is held against it."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from penstock.data.contracts.conditions import SQL, fault_of, sql
from penstock.data.contracts.contract import MASK, Column, Contract, Ratio, Rows, Rule
from penstock.data.contracts.dtypes import KNOWN, dtype_of, logical
from penstock.data.contracts.literals import Side, bound, expected_of, strangers
from penstock.data.contracts.text import readable
from penstock.data.reserved import is_reserved
from penstock.errors import ConfigError, Problem, UsageError, did_you_mean
from penstock.project import Document, Section, as_written, read_document, read_text

SIDES: tuple[Side, ...] = ("min", "max")

Fault = tuple[tuple[str | int, ...], str, str | None]


def load_contract(path: Path, name: str | None = None) -> Contract:
    """Read a contract. ConfigError with every problem and its line, in the file as the project names it."""
    name = name or path.name
    try:
        return parse_contract(read_text(path, name), name)
    except FileNotFoundError:
        hint = "take `contract:` out of the dataset, or write the file: `penstock data infer` drafts one"
        raise ConfigError([Problem(str(path), "there is no such contract")], hint=hint) from None


def parse_contract(text: str, name: str = "contract.yaml") -> Contract:
    """A contract from its YAML. ConfigError with every problem and its line."""
    document = read_document(text, name)
    problems = list(document.problems)
    contract = None
    if not problems:
        contract, problems = _validated(document)
    if contract is None or problems:
        raise ConfigError(problems, hint=f"correct {name}")
    return contract


def _validated(document: Document) -> tuple[Contract | None, list[Problem]]:
    try:
        contract = Contract.model_validate(as_written(document.values))
    except ValidationError as error:
        problems = [_problem(detail, document) for detail in error.errors(include_url=False)]
        beyond = (fault for name, column in _formed(document.values) for fault in _column_faults(name, column))
        return None, problems + [Problem(document.where(path), what, expected) for path, what, expected in beyond]
    return contract, [Problem(document.where(path), what, expected) for path, what, expected in _faults(contract)]


def _formed(values: Mapping[str, Any]) -> Iterator[tuple[str, Column]]:
    """The columns whose form is right, in a file that has other mistakes."""
    columns = values.get("columns")
    for name, said in columns.items() if isinstance(columns, Mapping) else ():
        with suppress(ValidationError):
            yield name, Column.model_validate(as_written(said))


def _problem(detail: Any, document: Document) -> Problem:
    path = tuple(part for part in detail["loc"] if part not in ("int", "float", "str", "bool"))
    name = ".".join(map(str, path))
    if detail["type"] == "extra_forbidden":
        sections: dict[str, type[Section]] = {"columns": Column, "rules": Rule, "ratios": Ratio, "rows": Rows}
        known = sections.get(str(path[0]), Contract) if len(path) > 1 else Contract
        meant = did_you_mean(str(path[-1]), known.model_fields)
        return Problem(document.where(path, key=True), f"unknown key {path[-1]!r}{meant}")
    if detail["type"] == "missing":
        return Problem(document.where(path[:-1], key=True), f"`{name}` is missing")
    return Problem(document.where(path), f"`{name}`: {detail['msg'].removeprefix('Value error, ')}")


# --- what is wrong with it beyond its form ---------------------------------------------------------


def _faults(contract: Contract) -> Iterator[Fault]:
    """What is wrong with a contract beyond its form: the path, what, and what was expected."""
    sound = True
    for name, column in contract.columns.items():
        for fault in _column_faults(name, column):
            sound = False
            yield fault
    for position, key in enumerate(contract.keys):
        if key not in contract.columns:
            yield ("keys", position), f"unknown column {key!r}{did_you_mean(key, contract.columns)}", None
    if sound:
        yield from _rule_faults(contract)


def _column_faults(name: str, column: Column) -> Iterator[Fault]:
    path = ("columns", name)
    try:
        dtype = logical(dtype_of(column.type))
    except UsageError:
        yield (*path, "type"), f"unknown type {column.type!r}{did_you_mean(column.type.capitalize(), KNOWN)}", None
        return
    if is_reserved(name):
        yield path, f"the name {name!r} is reserved", None
    for side in SIDES:
        if getattr(column, side) is not None and (what := _raised(bound, column, side)):
            yield (*path, side), what, None
    if _turned(column):
        yield (*path, "min"), f"no {column.type} is between {column.min} and `max`, {column.max}", None
    for place, value in strangers(column):
        shown = MASK if column.pii else json.dumps(value, ensure_ascii=False)
        yield (*path, "values", place), f"{shown} is not {column.type}", expected_of(column)
    if column.pattern is not None and not isinstance(dtype, pl.String):
        yield (*path, "pattern"), f"a {column.type} column has no pattern", "type: String"
    elif column.pattern is not None and (what := _raised(_matches, column.pattern)):
        yield (*path, "pattern"), f"not a regular expression: {what}", None
    if column.format and not (dtype.is_temporal() and readable(column.type)):
        yield (*path, "format"), f"a {column.type} column has no format", "a Date, Time or Datetime"
    elif column.format and isinstance(dtype, pl.Datetime) and (fault := _zone_fault(column.format, dtype)):
        yield (*path, "format"), *fault
    if column.decimal and not dtype.is_numeric():
        yield (*path, "decimal"), f"a {column.type} column has no decimal mark", "a number, such as Float64"


def _zone_fault(form: str, dtype: pl.Datetime) -> tuple[str, str] | None:
    """What is wrong with a format that reads an offset where the type has no zone, or none where it would matter."""
    offset = re.search(r"%[:#]*z|%\+", form.replace("%%", "")) is not None
    if offset and not dtype.time_zone:
        return "it reads an offset from UTC, and the type has no zone", f"type: Datetime[{dtype.time_unit}, UTC]"
    if not offset and dtype.time_zone not in (None, "UTC"):
        return f"it reads no offset from UTC, so nobody knows which time in {dtype.time_zone} is meant", "%z in it"
    return None


def _rule_faults(contract: Contract) -> Iterator[Fault]:
    """Rules and ratios: their names, which are the reasons that people read, and their conditions."""
    listed: list[tuple[tuple[str, int], Rule | Ratio]] = []
    listed += [(("rules", position), rule) for position, rule in enumerate(contract.rules)]
    listed += [(("ratios", position), ratio) for position, ratio in enumerate(contract.ratios)]
    names: set[str] = set()
    for path, one in listed:
        if one.name in names:
            yield (*path, "name"), f"{one.name!r} is the name of another rule", None
        names.add(one.name)
        if one.expression is not None and (fault := _condition_fault(contract, one.expression)):
            yield (*path, "expression"), *fault


def _condition_fault(contract: Contract, expression: str) -> tuple[str, str | None] | None:
    try:
        fault = fault_of(contract, sql(expression))
    except ValueError as error:
        return str(error), SQL
    return fault and (fault[0], fault[1] or SQL)


def _turned(column: Column) -> bool:
    """Whether `min` is more than `max`; what is no bound at all is told by itself."""
    if any(getattr(column, side) is None or _raised(bound, column, side) for side in SIDES):
        return False
    return bool(pl.select(bound(column, "min") > bound(column, "max")).item())


def _matches(pattern: str) -> None:
    pl.Series([""]).str.contains(pattern)


def _raised(function: Any, *arguments: Any) -> str:
    """What a function has against its arguments; "" if nothing."""
    try:
        function(*arguments)
    except (ValueError, TypeError, pl.exceptions.PolarsError) as error:
        lines = str(error).splitlines()
        # what is wrong with a regular expression stands below a picture of it
        return next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), lines[0])
    return ""
