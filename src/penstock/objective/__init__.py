"""Step 1: the agreed goal. Written once in the project file, signed by people, judged by the gates.

A signature binds to the digest of the objective: change a word of it and it must be signed anew.
"""

from typing import TYPE_CHECKING

from penstock.objective.signing import Agreement, agreement, objective_digest, require_objective, sign

if TYPE_CHECKING:
    from penstock.objective.requirements import sheet

__all__ = ["Agreement", "agreement", "objective_digest", "require_objective", "sheet", "sign"]


def __getattr__(name: str) -> object:
    """`sheet`, whose page needs more than a run does."""
    if name != "sheet":
        raise AttributeError(f"module 'penstock.objective' has no attribute {name!r}")
    from penstock.objective.requirements import sheet

    return sheet
