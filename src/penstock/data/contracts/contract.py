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

Types are Polars' names. A contract is a value: `contract_file` reads it, `rules` turns it into expressions over rows.
"""

from typing import Literal

from pydantic import Field

from penstock.project import Duration, Names, Section

Scalar = bool | int | float | str


class Column(Section):
    """A column and what each of its values must keep.

    type     Int64, Float64, String, Boolean, Date, Datetime[us], Datetime[us, UTC], ...
    values   the only ones allowed
    pattern  a regular expression that is found in every value; ^ and $ tie it to the ends
    missing  texts that mean "no value" in a text file, beside the empty one
    format   how a date or time is written in a text file, when not as ISO 8601 says
    decimal  the mark before the fraction of a number that people wrote: 1.234,5 with ",", 1,234.5 with "."; groups of
             three digits may also stand apart by a blank or an apostrophe. Without it a number is as programs write it
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
    decimal: Literal[".", ","] | None = None


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
