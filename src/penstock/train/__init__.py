"""Step 3, training: from a training set to a sealed bundle, once, in a fresh process, all of it recorded.

    result = train(project, ledger, store, key=..., tables=Tables(...), data=..., features=...)
    result.bundle                     the sealed model: what every later step uses
    reproduce(project, ledger, store, result.run.id, actor="ada").grade        "bytes"

A *recipe* holds everything that determines a model: sources, parameters, seed, thread count, the
commits of the tables. The process is told the recipe and nothing else, and works in a directory with
the recorded sources only, so what is recorded is what ran. The *environment* is captured where the
libraries are loaded; two models from one recipe can differ by it alone, and `reproduce` says how.
"""

from penstock.train.code import commit_of, keep
from penstock.train.containers.tool import find_image
from penstock.train.recipe import Recipe, Tables
from penstock.train.reproduction.reproduce import TOLERANCE, Place, Reproduction, reproduce
from penstock.train.run import RunResult, check_training, find_run, reap, train

__all__ = [
    "TOLERANCE",
    "Place",
    "Recipe",
    "Reproduction",
    "RunResult",
    "Tables",
    "check_training",
    "commit_of",
    "find_image",
    "find_run",
    "keep",
    "reap",
    "reproduce",
    "train",
]
