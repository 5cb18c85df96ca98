"""A recipe: everything that determines a model, as a value.

The same recipe in the same environment gives the same model. It is kept with the run, and it is all
that the training process is told.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Tables:
    """Commits of the tables that `data.training_set` made."""

    train: str  # X and the target
    holdout: str  # requests and the target, in rows that training never sees
    views: Mapping[str, str] = field(default_factory=dict)  # rows of each stored feature view


@dataclass(frozen=True)
class Recipe:
    """What goes into a training.

    model      flight-delay
    function   pipeline:fit
    target     {"column": "late", "task": "binary", "positive": True}
    threshold  from which probability on the event is said to happen; None for a task without one
    features   `FeatureSpec.to_json()`
    data       {"flights": commit, "weather": commit}: what the tables were made from
    code       blob of {path: blob digest}: the user's sources
    deterministic  whether libraries were told to compute in one order
    """

    model: str
    function: str
    params: Mapping[str, Any]
    seed: int
    threads: int
    target: Mapping[str, Any]
    threshold: float | None
    features: Mapping[str, Any]
    tables: Tables
    data: Mapping[str, str]
    code: str
    git_commit: str | None = None
    deterministic: bool = True

    def to_json(self) -> dict[str, Any]:
        """The value as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Recipe":
        """The recipe that `to_json` wrote, by this version or by another."""
        known = {each.name: value[each.name] for each in fields(cls) if each.name in value}
        return cls(**{**known, "tables": Tables(**value["tables"])})
