"""Where work runs. A step is a function from versions to versions; the digest of what goes in names the work.

The same inputs are never worked on twice: the ledger remembers every execution, and two processes
that want the same step wait for each other instead of doing it twice.
"""

from penstock.engine.changes import ABSENT, Change, changes, closest, recent
from penstock.engine.step import Outcome, Step, run_step, step_key

__all__ = [
    "ABSENT",
    "Change",
    "Outcome",
    "Step",
    "changes",
    "closest",
    "recent",
    "run_step",
    "step_key",
]
