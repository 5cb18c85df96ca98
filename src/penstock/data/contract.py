"""The contract of a dataset: what its columns are and what every row must keep.

    columns:
      flight_id: {type: String, nullable: false}
      dep_delay: {type: Float64, min: -60, max: 3000, unit: min}
      carrier:   {type: String, values: [AA, UA, DL], description: who flies}
      scheduled: {type: "Datetime[us]", format: "%d/%m/%Y %H:%M"}
    keys: [flight_id]
    rows: {min: 1000}
    freshness: 31d
    rules:
      - {name: arrives after departure, expression: arrival > departure, severity: quarantine}

Types are Polars' names. A contract is a value; `rules` turns it into expressions over rows.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from penstock.errors import ConfigError, Problem, did_you_mean
from penstock.project import Document, Duration, Names, Section, read_document

Scalar = bool | int | float | str


class Column(Section):
    """A column and what each of its values must keep.

    type     Int64, Float64, String, Boolean, Date, Datetime[us], Datetime[us, UTC], ...
    values   the only ones allowed
    pattern  a regular expression that is found in every value; ^ and $ tie it to the ends
    missing  texts that mean "no value" in a text file, beside the empty one
    format   how a date or time is written in a text file, when not as ISO 8601 says
    """

    type: str
    nullable: bool = True
    unit: str = ""
    description: str = ""
    min: int | float | str | None = None
    max: int | float | str | None = None
    values: tuple[Scalar, ...] | None = None
    pattern: str | None = None
    unique: bool = False
    missing: Names = ()
    format: str | None = None


class Rule(Section):
    """A condition across columns, in SQL. Like SQL's CHECK, it holds where it is neither true nor false.

    severity  error: one row that breaks it stops the ingest; quarantine: the row is set aside; warn: it is counted
    """

    name: str
    expression: str
    severity: Literal["error", "quarantine", "warn"] = "quarantine"


class Rows(Section):
    """How many rows a version must have."""

    min: int = Field(default=0, ge=0)


class Contract(Section):
    """What a dataset promises. `allow_new`: further columns are left out instead of being a break."""

    columns: dict[str, Column]
    keys: Names = ()
    rows: Rows = Rows()
    freshness: Duration | None = None  # how old the newest row may be when it is ingested
    rules: tuple[Rule, ...] = ()
    allow_new: bool = False

    def required(self, name: str) -> bool:
        """Whether a row without a value in this column breaks the contract."""
        return name in self.keys or not self.columns[name].nullable


def load_contract(path: Path) -> Contract:
    """Read a contract. ConfigError with every problem and its line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = "take `contract:` out of the dataset, or write the file: `penstock data infer` drafts one"
        raise ConfigError([Problem(str(path), "there is no such contract")], hint=hint) from None
    except UnicodeDecodeError as error:
        problem = Problem(str(path), f"byte {error.start} is not UTF-8", "a text file in UTF-8")
        raise ConfigError([problem], hint=f"save {path} as UTF-8") from None
    return parse_contract(text, path.name)


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
    from penstock.data.rules import faults

    try:
        contract = Contract.model_validate(_as_written(document.values))
    except ValidationError as error:
        return None, [_problem(detail, document) for detail in error.errors(include_url=False)]
    return contract, [Problem(document.where(path), what, expected) for path, what, expected in faults(contract)]


def _as_written(value: Any) -> Any:
    """A contract knows no variables: `${…}` in a pattern is just text."""
    if isinstance(value, dict):
        return {key: _as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    return getattr(value, "text", value)


def _problem(detail: Any, document: Document) -> Problem:
    path = tuple(part for part in detail["loc"] if part not in ("int", "float", "str", "bool"))
    name = ".".join(map(str, path))
    if detail["type"] == "extra_forbidden":
        sections: dict[str, type[Section]] = {"columns": Column, "rules": Rule, "rows": Rows}
        known = sections.get(str(path[0]), Contract) if len(path) > 1 else Contract
        meant = did_you_mean(str(path[-1]), known.model_fields)
        return Problem(document.where(path, key=True), f"unknown key {path[-1]!r}{meant}")
    if detail["type"] == "missing":
        return Problem(document.where(path[:-1], key=True), f"`{name}` is missing")
    return Problem(document.where(path), f"`{name}`: {detail['msg']}")
