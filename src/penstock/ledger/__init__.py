"""The ledger: what happened.

Everything that a step does is a record that never changes, tied by edges to the records it came from.
`Ledger.read()` gives a consistent snapshot, `Ledger.write()` makes one decision: all of it or nothing,
one writer at a time, in SQLite and PostgreSQL alike. What moves (a ref, a state, a lease) moves by
compare-and-set. `trace` walks the edges, `verify_audit` checks the signed chain of decisions.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from penstock.ledger.lease import hold_lease
from penstock.ledger.ledger import Ledger, Reader, Transaction
from penstock.ledger.records import (
    Action,
    Alert,
    Approval,
    Artifact,
    AuditEntry,
    Cursor,
    Deployment,
    Edge,
    Evaluation,
    Execution,
    GateResult,
    Lease,
    Metric,
    MetricPoint,
    ModelVersion,
    Param,
    Ref,
    RefMove,
    Run,
    SealedBundle,
    SeriesPoint,
    SignOff,
    Tag,
    Transition,
    Version,
    node,
    utc_now,
)

if TYPE_CHECKING:
    from penstock.ledger.audit_check import AuditCheck, Break, verify_audit
    from penstock.ledger.lineage import Lineage, trace
    from penstock.ledger.metrics import Point, add_points, curve
    from penstock.ledger.run_conditions import (
        FIELDS,
        NEWEST,
        All,
        AnyOf,
        Comparison,
        Condition,
        Has,
        Not,
        Sort,
        Value,
    )
    from penstock.ledger.run_names import has_name, has_runs, names_of
    from penstock.ledger.run_search import count_runs, find_runs, values_of

__all__ = [
    "FIELDS",
    "NEWEST",
    "Action",
    "Alert",
    "All",
    "AnyOf",
    "Approval",
    "Artifact",
    "AuditCheck",
    "AuditEntry",
    "Break",
    "Comparison",
    "Condition",
    "Cursor",
    "Deployment",
    "Edge",
    "Evaluation",
    "Execution",
    "GateResult",
    "Has",
    "Lease",
    "Ledger",
    "Lineage",
    "Metric",
    "MetricPoint",
    "ModelVersion",
    "Not",
    "Param",
    "Point",
    "Reader",
    "Ref",
    "RefMove",
    "Run",
    "SealedBundle",
    "SeriesPoint",
    "SignOff",
    "Sort",
    "Tag",
    "Transaction",
    "Transition",
    "Value",
    "Version",
    "add_points",
    "count_runs",
    "curve",
    "find_runs",
    "has_name",
    "has_runs",
    "hold_lease",
    "names_of",
    "node",
    "trace",
    "utc_now",
    "values_of",
    "verify_audit",
]


_HOMES = {
    "AuditCheck": "audit_check",
    "Break": "audit_check",
    "has_name": "run_names",
    "has_runs": "run_names",
    "names_of": "run_names",
    "FIELDS": "run_conditions",
    "NEWEST": "run_conditions",
    "All": "run_conditions",
    "AnyOf": "run_conditions",
    "Comparison": "run_conditions",
    "Condition": "run_conditions",
    "Has": "run_conditions",
    "Not": "run_conditions",
    "Sort": "run_conditions",
    "Value": "run_conditions",
    "count_runs": "run_search",
    "find_runs": "run_search",
    "values_of": "run_search",
    "Lineage": "lineage",
    "Point": "metrics",
    "curve": "metrics",
    "add_points": "metrics",
    "trace": "lineage",
    "verify_audit": "audit_check",
}


def __getattr__(name: str) -> object:
    """What few commands need comes on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.ledger' has no attribute {name!r}")
    return getattr(import_module(f"penstock.ledger.{_HOMES[name]}"), name)
