"""Step 1: the agreed goal. Written once in the project file, signed by people, judged by the gates.

A signature binds to the digest of the objective: change a word of it and it must be signed anew.
"""

from penstock.objective.sheet import sheet
from penstock.objective.signing import Agreement, agreement, objective_digest, require_objective, sign

__all__ = ["Agreement", "agreement", "objective_digest", "require_objective", "sheet", "sign"]
