"""The tables: which record lives where, and what must be unique.

Columns come from the records' fields, so a field is written once. What a record cannot say (keys,
indexes, parents) stands here, as plain data: the statements read it without SQLAlchemy, whose import
every command would pay for, and `schema` turns it into SQLAlchemy tables for Alembic.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin

from penstock.errors import UsageError
from penstock.ledger import records as r

REVISION = "0004"  # the newest migration: a ledger that says so is opened without importing Alembic

Names = tuple[str, ...]


class Column(NamedTuple):
    """A column, of one of five kinds: text, integer, number, time, document."""

    name: str
    kind: str
    optional: bool


class Parent(NamedTuple):
    """`columns` must be the key of a row of `table`. Checked at commit."""

    columns: Names
    table: str
    key: Names


@dataclass(frozen=True)
class Table:
    """Where one kind of record is kept."""

    record: type
    name: str
    key: Names
    unique: tuple[Names, ...] = ()
    indexes: tuple[Names, ...] = ()
    parents: tuple[Parent, ...] = ()
    one_where: tuple[Names, str] | None = None  # columns that are unique among the rows that fit
    by_key: bool = False  # SQLite keeps the rows in the order of their key: for tables that are walked

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """In the order of the record's fields."""
        return tuple(_column(name, annotation) for name, annotation in self.record.__annotations__.items())

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by their names."""
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> Column:
        """UsageError, with the closest name, when the record has no such field."""
        if name not in self.by_name:
            raise UsageError.unknown(f"field of {self.record.__name__}", name, self.by_name)
        return self.by_name[name]


RUN = Parent(("run",), "runs", ("id",))
_MODEL = Parent(("model", "number"), "model_versions", ("model", "number"))

TABLES = (
    Table(r.Version, "versions", ("dataset", "commit"), indexes=(("commit",), ("dataset", "created_at"))),
    Table(
        r.Ref,
        "refs",
        ("dataset", "name"),
        parents=(Parent(("dataset", "commit"), "versions", ("dataset", "commit")),),
    ),
    Table(r.RefMove, "ref_moves", ("dataset", "name", "number")),
    Table(r.Execution, "executions", ("key",), indexes=(("step", "finished_at"),)),
    Table(
        r.Run,
        "runs",
        ("id",),
        unique=(("number",),),
        indexes=(("key",), ("status",), ("started_at",), ("experiment",)),
    ),
    Table(r.Param, "params", ("run", "name"), indexes=(("name", "value"), ("name", "number")), parents=(RUN,)),
    Table(r.Tag, "tags", ("run", "name"), indexes=(("name", "value"),), parents=(RUN,)),
    Table(r.Metric, "metrics", ("run", "name"), indexes=(("name", "value"),), parents=(RUN,)),
    Table(r.MetricPoint, "metric_points", ("run", "name", "number"), parents=(RUN,), by_key=True),
    Table(r.Artifact, "artifacts", ("run", "name"), parents=(RUN,)),
    Table(r.SealedBundle, "bundles", ("digest",), indexes=(("run",),)),
    Table(r.ModelVersion, "model_versions", ("model", "number"), indexes=(("bundle",), ("model", "state"))),
    Table(r.Transition, "transitions", ("id",), indexes=(("model", "number"),), parents=(_MODEL,)),
    Table(r.Evaluation, "evaluations", ("id",), indexes=(("bundle",), ("at",))),
    Table(
        r.GateResult,
        "gate_results",
        ("evaluation", "position"),
        parents=(Parent(("evaluation",), "evaluations", ("id",)),),
    ),
    Table(r.SignOff, "sign_offs", ("id",), indexes=(("objective",),)),
    Table(r.Approval, "approvals", ("id",), indexes=(("model", "number"),), parents=(_MODEL,)),
    Table(r.Deployment, "deployments", ("id",), unique=(("endpoint", "generation"),)),
    Table(r.SeriesPoint, "series", ("endpoint", "metric", "subject", "model", "window_start")),
    Table(
        r.Alert,
        "alerts",
        ("id",),
        indexes=(("endpoint", "opened_at"),),
        one_where=(("endpoint", "rule", "subject"), "state = 'firing'"),
    ),
    Table(r.Action, "actions", ("id",), unique=(("key",),), indexes=(("started_at",),)),
    Table(r.Cursor, "cursors", ("name",)),
    Table(r.Lease, "leases", ("name",)),
    Table(r.AuditEntry, "audit", ("seq",), unique=(("digest",),)),
    Table(r.Edge, "edges", ("source", "target", "role"), indexes=(("target", "source", "role"),), by_key=True),
)
_BY_RECORD = {table.record: table for table in TABLES}


def all_tables() -> tuple[Table, ...]:
    """These, and those of the MLflow protocol, which few commands need."""
    from penstock.ledger import mlflow

    return TABLES + mlflow.TABLES


def table_of(record: type) -> Table:
    """The table of a record type. UsageError for any other type."""
    if record not in _BY_RECORD:
        _BY_RECORD.update({table.record: table for table in all_tables()})
    if record not in _BY_RECORD:
        raise UsageError.unknown("ledger record", record.__name__, (known.__name__ for known in _BY_RECORD))
    return _BY_RECORD[record]


_KINDS = {str: "text", int: "integer", float: "number", datetime: "time"}


def _column(name: str, annotation: Any) -> Column:
    optional = isinstance(annotation, UnionType)
    inner = next(arg for arg in get_args(annotation) if arg is not type(None)) if optional else annotation
    kind = "document" if get_origin(inner) is not None else _KINDS[inner]
    return Column(name, kind, optional)
