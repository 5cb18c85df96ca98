"""Where work runs. A step is a function from versions to versions; the digest of what goes in names the work.

The same inputs are never worked on twice: the ledger remembers every execution, and two processes
that want the same step wait for each other instead of doing it twice. A *pool* runs tasks at the same
time, in processes of this machine or on the nodes of a Ray cluster; where it is done changes no result.
"""

from typing import TYPE_CHECKING

from penstock.engine.changes import ABSENT, Change, changes, closest, recent
from penstock.engine.installed import installed
from penstock.engine.step import Outcome, Step, run_step, step_key

if TYPE_CHECKING:
    from penstock.engine.opening import open_pool
    from penstock.engine.pool import Pool, Running, current

__all__ = [
    "ABSENT",
    "Change",
    "Outcome",
    "Pool",
    "Running",
    "Step",
    "changes",
    "closest",
    "current",
    "installed",
    "open_pool",
    "recent",
    "run_step",
    "step_key",
]

_HOMES = {"Pool": "pool", "Running": "pool", "current": "pool", "open_pool": "opening"}


def __getattr__(name: str) -> object:
    """What few commands need comes on first use."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.engine' has no attribute {name!r}")
    return getattr(import_module(f"penstock.engine.{_HOMES[name]}"), name)
