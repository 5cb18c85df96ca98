"""What a bench finds, as values that become JSON and come back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FORMAT = "penstock.bench/1"
VERSION = 4  # raised when the same rows would give other findings
ABOUT_TARGET = ("leakage", "overlap", "label_conflict", "mislabelled", "class_balance")
SEVERITIES = ("error", "warn", "info")

Severity = Literal["error", "warn", "info"]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or that somebody should look at.

    kind      one of `penstock.project.BENCH_KINDS`
    what      one sentence: what was found
    count     rows that it is about; None where it is about no rows
    share     of the rows that were looked at
    filter    a condition in SQL that selects these rows, for `show(...).filter(pl.sql_expr(filter))`; None where no
              condition on a row says it
    why       what it does to a model
    do        what to do about it
    evidence  the numbers behind it
    """

    kind: str
    severity: Severity
    columns: tuple[str, ...]
    what: str
    why: str
    do: str
    count: int | None = None
    share: float | None = None
    filter: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def serious(self) -> bool:
        """Whether it is a warning or worse."""
        return self.severity != "info"


@dataclass(frozen=True)
class ColumnSummary:
    """A column in a line: shares of rows without a value now and before, and about how many different values."""

    name: str
    type: str
    missing: float
    missing_before: float | None
    distinct: int | None


@dataclass(frozen=True)
class BenchReport:
    """What was found in a version.

    against  the version that it was compared with; None when there was none
    rows     of the version
    batch    of them compared with `against`: the new ones where rows were only added, all otherwise
    sampled  rows that the checks with a model saw; 0 without such checks
    """

    dataset: str
    commit: str
    against: str | None
    depth: str
    rows: int
    batch: int
    rows_before: int | None
    sampled: int
    findings: tuple[Finding, ...]
    columns: tuple[ColumnSummary, ...]
    format: str = FORMAT

    @property
    def serious(self) -> tuple[Finding, ...]:
        """Warnings and errors."""
        return tuple(finding for finding in self.findings if finding.serious)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON; numbers that JSON cannot hold are never in it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> "BenchReport":
        """The report that `to_json` wrote, also after JSON. ValueError for anything else."""
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ValueError(f"not a bench report: expected a JSON object of format {FORMAT}")
        findings = tuple(Finding(**{**one, "columns": tuple(one["columns"])}) for one in value["findings"])
        return cls(
            **{**value, "findings": findings, "columns": tuple(ColumnSummary(**one) for one in value["columns"])}
        )


def ranked(findings: list[Finding]) -> tuple[Finding, ...]:
    """The worst first, then those about the most rows."""
    return tuple(sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), -(one.share or 0.0))))
