"""What can be asked of runs, as values.

A condition is a tree of `Comparison`s under `All`, `AnyOf` and `Not`. A comparison of a metric, parameter or tag
holds for the runs that have it and where it is true; a metric that is not a number compares with nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "like", "in")
DURATION = "duration of r"  # seconds; the databases have no common word for it
FIELDS = {
    "number": "number", "id": "id", "status": "status", "kind": "kind", "name": "name", "experiment": "experiment",
    "function": "function", "seed": "seed", "code": "code", "commit": "git_commit", "bundle": "bundle",
    "started": "started_at", "finished": "finished_at", "duration": DURATION,
}  # fmt: skip

Value = str | float | datetime


class Comparison(NamedTuple):
    """`metrics.roc_auc > 0.7` is Comparison("metrics", "roc_auc", ">", 0.7); `status = 'failed'` has "" for a place.

    place     metrics (the newest value) | min | max (of all values) | params | tags | data (a commit's beginning) | ""
    operator  one of OPERATORS; for `in` the value is a tuple
    """

    place: str
    name: str
    operator: str
    value: Value | tuple[Value, ...]


class Has(NamedTuple):
    """A run has a metric, parameter or tag of this name, whatever its value."""

    place: str  # metrics | params | tags
    name: str


@dataclass(frozen=True)
class All:
    """Every part holds; without parts, always."""

    parts: "tuple[Condition, ...]" = ()


@dataclass(frozen=True)
class AnyOf:
    """One part holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Condition = Comparison | Has | All | AnyOf | Not


class Sort(NamedTuple):
    """The order of runs: by a field (`place` ""), a metric, a parameter or a tag; runs without it are left out.

    So are runs whose metric is not a number, and those whose parameter is a text where it is a number in others.
    """

    place: str = ""
    name: str = "number"
    falling: bool = True


NEWEST = Sort()
