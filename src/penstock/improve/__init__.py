"""Step 7: the loop closes. Labels come back, triggers say when to retrain, a tick does what is due.

A tick looks at production, reads new data, and retrains when a trigger asks for it and the cool-down
allows it. The candidate meets the same gates as any other and goes up only by the project's policy. One
tick acts at a time, under a lease, and each action happens once: a crash at any line resumes at the next.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.improve.feedback import feedback_file
    from penstock.improve.loop import Ticked, tick
    from penstock.improve.triggers import Due, due

__all__ = ["Due", "Ticked", "due", "feedback_file", "tick"]

_MODULES = {"feedback": ("feedback_file",), "loop": ("Ticked", "tick"), "triggers": ("Due", "due")}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module: taking a file of labels does not load the pipeline."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.improve' has no attribute {name!r}")
    return getattr(import_module(f"penstock.improve.{_HOMES[name]}"), name)
