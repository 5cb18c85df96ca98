"""Step 5b, serving: one process that answers predictions over HTTP from a serve directory and nothing else.

Delivery writes into the directory what each endpoint must answer with; a watcher loads it and swaps it in between two
requests. Every answer is appended to the prediction log before it leaves, so what was acknowledged can be read back.

`run_server` serves in this process, `ServerProcess` in a child; `read_segments` reads the log.
"""

from penstock.serve.log import FeedbackRecord, PredictionRecord, SegmentRead, read_segments
from penstock.serve.process import ServerError, ServerProcess
from penstock.serve.server import run_server

__all__ = [
    "FeedbackRecord",
    "PredictionRecord",
    "SegmentRead",
    "ServerError",
    "ServerProcess",
    "read_segments",
    "run_server",
]
