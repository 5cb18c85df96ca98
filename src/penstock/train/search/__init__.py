"""Search: many trainings, to find the parameters, the algorithm and the features of the next one.

    plan = Plan(space, settings, aim, folds, recipes, ...)
    found = run_search(plan, ledger, store, pool, judge, home=...)
    found.best.choice                     what to train with

A *trial* is a choice out of the *space*. It is judged on folds of the training rows; the holdout takes no part. Each
trial is a run of the ledger, and a search is its runs: killed and started again, it goes on from them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.train.search.aim import Aim, Goal, Limit
    from penstock.train.search.folds import Fold, Rule, make_folds
    from penstock.train.search.found import Found, best_of, read_search
    from penstock.train.search.search import Judge, Plan, run_search
    from penstock.train.search.space import Choice, Space
    from penstock.train.search.trials import Trial, read_trials

__all__ = [
    "Aim",
    "Choice",
    "Fold",
    "Found",
    "Goal",
    "Judge",
    "Limit",
    "Plan",
    "Rule",
    "Space",
    "Trial",
    "best_of",
    "make_folds",
    "read_search",
    "read_trials",
    "run_search",
]

_MODULES = {
    "aim": ("Aim", "Goal", "Limit"),
    "folds": ("Fold", "Rule", "make_folds"),
    "found": ("Found", "best_of", "read_search"),
    "search": ("Judge", "Plan", "run_search"),
    "space": ("Choice", "Space"),
    "trials": ("Trial", "read_trials"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.train.search' has no attribute {name!r}")
    return getattr(import_module(f"penstock.train.search.{_HOMES[name]}"), name)
