"""One turn of steps 1 to 5: what has changed decides what is rebuilt, judged and registered.

    ingest ─> transforms ─> training set ─> train ─> evaluate ─> register

Each step is named by the digests of what goes in. Change a comment in `fit` and it trains again; change a gate
and it only judges again; change nothing and it does nothing and says so.
"""

from penstock.pipeline.roots import roots
from penstock.pipeline.scaffold import Scaffolded, scaffold
from penstock.pipeline.turn import Event, Turn, run

__all__ = ["Event", "Scaffolded", "Turn", "roots", "run", "scaffold"]
