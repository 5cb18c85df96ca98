"""Step 6: what happens in production.

The server's log becomes versions of `predictions.ENDPOINT`; feedback joins it by prediction or by key, late and
out of order. Windows over both become series: service, drift and, once labels are due, quality. Rules over the
series open and resolve alerts.
"""

from penstock.monitor.compaction import Compacted, append_rows, compact
from penstock.monitor.labels import FEEDBACK, plain
from penstock.monitor.look import Look, look
from penstock.monitor.predictions import find_prediction, predictions

__all__ = ["FEEDBACK", "Compacted", "Look", "append_rows", "compact", "find_prediction", "look", "plain", "predictions"]
