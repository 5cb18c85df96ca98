"""One turn of steps 1 to 5: what has changed decides what is rebuilt, judged and registered.

    ingest ─> bench ─> transforms ─> bench ─> training set ─> train ─> evaluate ─> register

Each step is named by the digests of what goes in. Change a comment in `fit` and it trains again; change a gate
and it only judges again; change nothing and it does nothing and says so.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.pipeline.bench_step import Benched, bench, is_benched, refuse_stopped, stopping
    from penstock.pipeline.explanation import Expected, Explanation, explain
    from penstock.pipeline.garbage_roots import recorded, roots
    from penstock.pipeline.new_project import Scaffolded, scaffold
    from penstock.pipeline.profile_step import profile_of
    from penstock.pipeline.search_step import search
    from penstock.pipeline.turn import Event, Turn, run

__all__ = [
    "Benched",
    "Event",
    "Expected",
    "Explanation",
    "Scaffolded",
    "Turn",
    "bench",
    "explain",
    "is_benched",
    "profile_of",
    "recorded",
    "refuse_stopped",
    "roots",
    "run",
    "scaffold",
    "search",
    "stopping",
]

# No module is called like a name of the door: importing it would put the module in the name's place.
_MODULES = {
    "bench_step": ("Benched", "bench", "is_benched", "refuse_stopped", "stopping"),
    "explanation": ("Expected", "Explanation", "explain"),
    "new_project": ("Scaffolded", "scaffold"),
    "garbage_roots": ("recorded", "roots"),
    "profile_step": ("profile_of",),
    "search_step": ("search",),
    "turn": ("Event", "Turn", "run"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module: a turn does not load what drafts new projects."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.pipeline' has no attribute {name!r}")
    return getattr(import_module(f"penstock.pipeline.{_HOMES[name]}"), name)
