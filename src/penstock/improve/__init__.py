"""Step 7: the loop closes. Labels come back, triggers say when to retrain, a tick does what is due.

A tick looks at production, reads new data, and retrains when a trigger asks for it and the cool-down
allows it. The candidate meets the same gates as any other and goes up only by the project's policy. One
tick acts at a time, under a lease, and each action happens once: a crash at any line resumes at the next.
"""

from penstock.improve.feedback import feedback_file
from penstock.improve.tick import Ticked, tick
from penstock.improve.triggers import Due, due

__all__ = ["Due", "Ticked", "due", "feedback_file", "tick"]
