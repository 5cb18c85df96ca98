"""The signature of a request: what a caller must send, and how JSON becomes a typed row.

Types are checked, never guessed: `"12"` is not a number, `1` is not true. Ranges and levels are those
of the examples; they inform a caller and refuse nothing, since new values are what drift is about.
"""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import polars as pl

from penstock.bundle.dtypes import Schema, dtype_name, dtype_of
from penstock.bundle.values import Reader, describe, reader, to_json
from penstock.errors import UsageError, did_you_mean

MAX_LEVELS = 50
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class RowProblem:
    """Why a row was refused. `row` counts from 0."""

    row: int
    field: str
    what: str
    expected: str | None = None

    def __str__(self) -> str:
        tail = f" (expected {self.expected})" if self.expected else ""
        return f"row {self.row}, {self.field}: {self.what}{tail}"


@dataclass(frozen=True)
class Field:
    """One column of a request."""

    name: str
    dtype: str  # Int64, String, Datetime[us], ...
    nullable: bool  # may be null or left out
    low: Any = None  # least and greatest value in training, JSON
    high: Any = None
    levels: tuple[Any, ...] | None = None  # the values in training, when they are few
    example: Any = None


@dataclass(frozen=True)
class Signature:
    """The columns of a request, in order."""

    fields: tuple[Field, ...]

    @classmethod
    def of(cls, requests: pl.DataFrame, *, nullable: Container[str] | None = None) -> "Signature":
        """The signature of training requests. Without `nullable`, the columns that held a null may hold one."""
        return cls(tuple(_describe(column, nullable) for column in requests.get_columns()))

    @property
    def schema(self) -> Schema:
        """Names and types."""
        return tuple((field.name, field.dtype) for field in self.fields)

    @cached_property
    def _readers(self) -> tuple[tuple[Field, pl.DataType, Reader], ...]:
        return tuple((field, dtype_of(field.dtype), reader(dtype_of(field.dtype))) for field in self.fields)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(field.name for field in self.fields)

    def decode(self, rows: Rows) -> tuple[pl.DataFrame, list[RowProblem]]:
        """Rows of JSON as a typed frame, and every problem in them. A refused value is null in the frame."""
        problems: list[RowProblem] = []
        for number, row in enumerate(rows):
            if not row.keys() <= self._names:
                problems += [_unknown(number, name, self._names) for name in row if name not in self._names]
        columns = {field.name: self._column(field, dtype, read, rows, problems) for field, dtype, read in self._readers}
        problems.sort(key=lambda problem: problem.row)
        return pl.DataFrame(columns), problems

    def _column(
        self, field: Field, dtype: pl.DataType, read: Reader, rows: Rows, problems: list[RowProblem]
    ) -> pl.Series:
        values: list[object] = []
        for number, row in enumerate(rows):
            value = row.get(field.name)
            if value is None:
                if not field.nullable:
                    problems.append(_lacking(number, field, present=field.name in row))
            else:
                try:
                    value = read(value)
                except ValueError as refusal:
                    problems.append(RowProblem(number, field.name, str(refusal), _expected(field)))
                    value = None
            values.append(value)
        return pl.Series(field.name, values, dtype=dtype)

    def encode(self, requests: pl.DataFrame) -> list[dict[str, Any]]:
        """Typed rows as JSON values that `decode` reads back."""
        names = [field.name for field in self.fields]
        columns = [[to_json(value) for value in requests.get_column(name).to_list()] for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def example(self) -> dict[str, Any]:
        """A row that a caller could send."""
        return {field.name: field.example for field in self.fields}

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of one row, for OpenAPI."""
        return {
            "type": "object",
            "properties": {field.name: _property(field) for field in self.fields},
            "required": [field.name for field in self.fields if not field.nullable],
            "additionalProperties": False,
            "examples": [self.example()],
        }

    def to_json(self) -> list[dict[str, Any]]:
        """For the manifest."""
        return [asdict(field) for field in self.fields]

    @classmethod
    def from_json(cls, value: Iterable[Mapping[str, Any]]) -> "Signature":
        """What `to_json` wrote."""
        return cls(tuple(Field(**{**field, "levels": field["levels"] and tuple(field["levels"])}) for field in value))


# --- describing training data --------------------------------------------------------------------


def _describe(column: pl.Series, nullable: Container[str] | None) -> Field:
    dtype = dtype_name(column.dtype)
    if isinstance(column.dtype, pl.Duration):
        hint = "hold it as a number"
        raise UsageError(f"request column {column.name!r} is a duration, which JSON has no form for", hint=hint)
    known = column.fill_nan(None).drop_nulls() if column.dtype.is_float() else column.drop_nulls()
    may_lack = len(known) < len(column) if nullable is None else column.name in nullable
    low, high = _range(known)
    example = to_json(known[len(known) // 2]) if len(known) else None
    return Field(column.name, dtype, may_lack, low, high, _levels(known), example)


def _range(column: pl.Series) -> tuple[Any, Any]:
    if not column.dtype.is_numeric() and not column.dtype.is_temporal():
        return None, None
    finite = column.filter(column.is_finite()) if column.dtype.is_float() else column
    return to_json(finite.min()), to_json(finite.max())


def _levels(column: pl.Series) -> tuple[Any, ...] | None:
    if isinstance(column.dtype, pl.Enum):
        return tuple(column.dtype.categories.to_list())
    if not isinstance(column.dtype, pl.String | pl.Categorical):
        return None
    values = column.cast(pl.String).unique()
    return tuple(sorted(values.to_list())) if len(values) <= MAX_LEVELS else None


# --- words -------------------------------------------------------------------------------------------


def _property(field: Field) -> dict[str, Any]:
    schema = dict(describe(field.dtype)[1])
    if field.nullable and schema["type"] != "null":
        schema["type"] = [schema["type"], "null"]
    if field.levels and field.dtype.startswith("Enum"):
        schema["enum"] = [*field.levels, *([None] if field.nullable else [])]
    if notes := _notes(field):
        schema["description"] = notes
    if field.example is not None:
        schema["examples"] = [field.example]
    return schema


def _notes(field: Field) -> str:
    if field.levels:
        return "In the examples: " + ", ".join(map(str, field.levels[:20])) + (", …" if len(field.levels) > 20 else "")
    return f"In the examples: {_brief(field.low)} to {_brief(field.high)}" if field.low is not None else ""


def _brief(end: object) -> str:
    """A time to the second, a number whole."""
    return re.sub(r"(:\d\d)\.\d+", r"\1", str(end))


def _expected(field: Field) -> str:
    return describe(field.dtype)[0] + (" or null" if field.nullable else "")


def _lacking(row: int, field: Field, *, present: bool) -> RowProblem:
    return RowProblem(row, field.name, "may not be null" if present else "is missing", _expected(field))


def _unknown(row: int, name: str, names: Iterable[str]) -> RowProblem:
    return RowProblem(row, str(name), f"unknown field{did_you_mean(str(name), names)}")
