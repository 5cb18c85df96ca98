"""What every benchmark shares.

A file beside this directory makes one claim, or a few that are measured in one run: it times jobs turn by turn
(`interleave`), compares medians, and ends with `report(claims)`. Peers, and Penstock itself as a user would
install it, live in virtual environments of their own (`environment`).
"""

from harness.claims import Claim, ahead, race, report, within
from harness.environments import PEERS, Environment, environment, ourselves
from harness.timing import Job, Timing, interleave, run, show

__all__ = [
    "PEERS",
    "Claim",
    "Environment",
    "Job",
    "Timing",
    "ahead",
    "environment",
    "interleave",
    "ourselves",
    "race",
    "report",
    "run",
    "show",
    "within",
]
