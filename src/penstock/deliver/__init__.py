"""Step 5a: the registry, the way up and the way back.

A bundle that was judged is registered as a candidate. `promote` moves it to staging or production when
everything that must hold does: a passing evaluation under the signed objective, against the present
champion, and the approvals that the project file asks for. A deployment is the next generation of an
endpoint; `follow` brings the serve directory to the newest one, which a running server picks up.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.deliver.delivery import Promoted, follow, promote, refresh, roll_back
    from penstock.deliver.promotion import approve, lacks
    from penstock.deliver.registry import enrol, find_version, in_production, move, register

__all__ = [
    "Promoted",
    "approve",
    "enrol",
    "find_version",
    "follow",
    "in_production",
    "lacks",
    "move",
    "promote",
    "refresh",
    "register",
    "roll_back",
]

_MODULES = {
    "delivery": ("Promoted", "follow", "promote", "refresh", "roll_back"),
    "promotion": ("approve", "lacks"),
    "registry": ("enrol", "find_version", "in_production", "move", "register"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module: a server that reads its directory loads nothing else."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.deliver' has no attribute {name!r}")
    return getattr(import_module(f"penstock.deliver.{_HOMES[name]}"), name)
