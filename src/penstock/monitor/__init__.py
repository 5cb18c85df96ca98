"""Step 6: what happens in production.

    log ─ compact ─> predictions.ENDPOINT, feedback.ENDPOINT ─ windows ─> series ─ rules ─> alerts ─> webhook

The server's log becomes versions of two datasets. Feedback joins predictions by id or by key, late and out of
order. Windows over both become series: service, drift and, once labels are due, quality. Rules over the series
open and resolve alerts. Every piece goes on from what the ledger says is done, so a look may be repeated,
interrupted, or made by two at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.monitor.appending import Appended, prepare, publish_appended
    from penstock.monitor.compaction import Compacted, compact
    from penstock.monitor.labels import FEEDBACK, is_label, plain, read_plain, reads_plain
    from penstock.monitor.looking import Look, look
    from penstock.monitor.lookup import find_prediction, predictions
    from penstock.monitor.reference import Reference, reference_of
    from penstock.monitor.rules import rule_name

__all__ = [
    "FEEDBACK",
    "Appended",
    "Compacted",
    "Look",
    "Reference",
    "compact",
    "find_prediction",
    "is_label",
    "look",
    "plain",
    "predictions",
    "prepare",
    "publish_appended",
    "read_plain",
    "reads_plain",
    "reference_of",
    "rule_name",
]

_MODULES = {
    "appending": ("Appended", "prepare", "publish_appended"),
    "compaction": ("Compacted", "compact"),
    "labels": ("FEEDBACK", "is_label", "plain", "read_plain", "reads_plain"),
    "looking": ("Look", "look"),
    "lookup": ("find_prediction", "predictions"),
    "reference": ("Reference", "reference_of"),
    "rules": ("rule_name",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module: Polars loads with the first name that needs it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.monitor' has no attribute {name!r}")
    return getattr(import_module(f"penstock.monitor.{_HOMES[name]}"), name)
