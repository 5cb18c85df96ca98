"""The contract of a dataset: what its columns are and what every row must keep.

    columns:
      flight_id: {type: String, nullable: false}
      dep_delay: {type: Float64, min: -60, max: 3000, unit: min, severity: warn, tolerance: 0.5%}
      carrier:   {type: String, values: [AA, UA, DL], description: who flies}
      scheduled: {type: "Datetime[us]", format: "%d/%m/%Y %H:%M"}
      email:     {type: String, pattern: "@", pii: direct_identifier}
    keys: [flight_id]
    rows: {min: 1000, max: 100000}
    freshness: 31d
    rules:
      - {name: arrives after departure, expression: arrival > departure, severity: quarantine}
      - {name: plausible speed, function: "checks:plausible", severity: error, tolerance: 0.1%}
    ratios:
      - {name: cancelled, expression: dep_delay IS NULL, max: 5%, tolerance: 1%}

Types are Polars' names. A contract is a value: `contract_file` reads it, `rules` turns it into expressions over rows.
"""

from typing import Literal

from pydantic import Field, model_validator

from penstock.project import Duration, Names, Reference, Section, Share

Scalar = bool | int | float | str
Severity = Literal["error", "quarantine", "warn"]
MASK = "***"  # what is told in place of a personal value


class Expectation(Section):
    """What happens to rows that break it.

    severity   error: the ingest stops; quarantine: the row is set aside; warn: it is counted and stays
    tolerance  0.5% or 0.005: up to this share of the rows read, `error` sets the rows aside and does not stop, and
               `warn` says nothing. How many `quarantine` may set aside is for the dataset's `max_quarantined` to say
    """

    severity: Severity = "quarantine"
    tolerance: Share = 0.0

    @model_validator(mode="after")
    def _only_what_has_a_limit_tolerates(self) -> "Expectation":
        if self.tolerance and self.severity == "quarantine":
            raise ValueError(
                "`tolerance` needs `severity: error` or `warn`; the dataset's `max_quarantined` limits the quarantine"
            )
        return self


class Column(Expectation):
    """A column and what each of its values must keep.

    type     Int64, Float64, String, Boolean, Date, Datetime[us], Datetime[us, UTC], ...
    min, max the least and the largest; of a Duration in its unit
    values   the only ones allowed, each exactly of the type
    pattern  a regular expression that is found in every value; ^ and $ tie it to the ends
    missing  texts that mean "no value" in a text file, beside the empty one
    format   how a date or time is written in a text file, when not as ISO 8601 says; of a type with a zone other than
             UTC it reads the offset too: %d.%m.%Y %H:%M %z
    decimal  the mark before the fraction of a number that people wrote: 1.234,5 with ",", 1,234.5 with "."; groups of
             three digits may also stand apart by a blank or an apostrophe. Without it a number is as programs write it
    pii      personal data, in the classes of ISO/IEC 20889: direct_identifier names a person alone (e-mail address,
             account), quasi_identifier together with others (postcode, birth date), sensitive is what it would harm
             to learn (diagnosis, salary). Values of such a column stand in no error, draft or report

    `severity` and `tolerance` are for min, max, values, pattern, unique and a missing value. A text that is not of the
    column's type, and a missing part of the key, set the row aside at least: such a row cannot be kept.
    """

    type: str
    nullable: bool = True
    unit: str = ""
    description: str = ""
    min: Scalar | None = None
    max: Scalar | None = None
    values: tuple[Scalar, ...] | None = None
    pattern: str | None = None
    unique: bool = False
    missing: Names = ()
    format: str | None = None
    decimal: Literal[".", ","] | None = None
    pii: Literal["direct_identifier", "quasi_identifier", "sensitive"] | None = None


class Rule(Expectation):
    """A condition across columns. Like SQL's CHECK, it holds where it is neither true nor false.

    expression  in SQL: arrival > departure
    function    module:function of the project, which returns a Polars expression that is true or false in each row:
                def plausible(): return pl.col("miles") < pl.col("minutes") * 20
                def plausible(miles, minutes): return miles < minutes * 20      its parameters are columns
    """

    name: str
    expression: str | None = None
    function: Reference | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> "Rule":
        if (self.expression is None) == (self.function is None):
            raise ValueError("a rule has either an `expression` or a `function`")
        return self


class Ratio(Section):
    """The share of a version's rows for which a condition in SQL is true, and the bounds that it must keep.

    tolerance  how far beyond a bound it may be before `error` stops the ingest (then it is told), or `warn` tells it
    """

    name: str
    expression: str
    min: Share = 0.0
    max: Share = 1.0
    tolerance: Share = 0.0
    severity: Literal["error", "warn"] = "error"

    @model_validator(mode="after")
    def _something_is_between(self) -> "Ratio":
        if self.min > self.max:
            raise ValueError(f"`min`, {self.min:g}, is more than `max`, {self.max:g}: no share is between them")
        if (self.min, self.max) == (0.0, 1.0):
            raise ValueError("a ratio needs `min` or `max`")
        return self


class Rows(Section):
    """How many rows a version must have."""

    min: int = Field(default=0, ge=0)
    max: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _something_is_between(self) -> "Rows":
        if self.max is not None and self.min > self.max:
            raise ValueError(f"`min`, {self.min:,}, is more than `max`, {self.max:,}")
        return self


class Contract(Section):
    """What a dataset promises. `allow_new`: further columns are left out instead of being a break."""

    columns: dict[str, Column]
    keys: Names = ()
    rows: Rows = Rows()
    freshness: Duration | None = None  # how old the newest row may be when it is ingested
    rules: tuple[Rule, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    allow_new: bool = False

    def required(self, name: str) -> bool:
        """Whether a row without a value in this column breaks the contract."""
        return name in self.keys or not self.columns[name].nullable

    @property
    def said(self) -> dict[str, dict[str, dict[str, str]]]:
        """What it says of columns beyond their types, for a version's notes; {} where it says nothing."""
        facts = {name: {"unit": column.unit, "meaning": column.description} for name, column in self.columns.items()}
        told = {name: {key: text for key, text in fact.items() if text} for name, fact in facts.items()}
        columns = {name: fact for name, fact in told.items() if fact}
        return {"columns": columns} if columns else {}

    def shown(self, name: str, value: object) -> str:
        """A value of a column as it may be told to people: `***` where it is personal."""
        column = self.columns.get(name)
        return MASK if column and column.pii and value is not None else str(value)
