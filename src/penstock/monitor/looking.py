"""One look at production: compact the log, measure the windows that changed, open and resolve alerts."""

from dataclasses import dataclass
from datetime import datetime

from penstock.ledger import Alert, Ledger, SeriesPoint
from penstock.monitor.alerting import judge_windows
from penstock.monitor.compaction import Compacted, compact
from penstock.monitor.measuring import measure_windows
from penstock.monitor.routes import notify
from penstock.monitor.rules import rule_name
from penstock.project import ProjectFile
from penstock.store import Store


@dataclass(frozen=True)
class Look:
    """What a look found.

    points             what was measured, in this look
    opened, resolved   alerts that changed
    notices            problems that did not stop the look: a damaged log, a webhook that does not answer
    open_until         when the next window ends that has rows; it is measured then
    unjudged           rules that no window has rows enough for, in words
    """

    compacted: Compacted
    points: tuple[SeriesPoint, ...]
    opened: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    notices: tuple[str, ...]
    open_until: datetime | None
    unjudged: tuple[str, ...]


def look(project: ProjectFile, ledger: Ledger, store: Store, *, now: datetime) -> Look:
    """Measure every window that is over at `now` and has changed since the last look, then judge the rules.

    A window's quality is measured once its labels are due (`monitor.labels_after`); labels that come later
    still change it. Doing it again with nothing new changes nothing; a crash at any line is made up for by
    the next look.
    """
    compacted = compact(project, ledger, store)
    measured = measure_windows(project, ledger, store, now)
    judged = judge_windows(project, ledger, now)
    told = notify(project, ledger)
    news = [change.alert for change in judged.changes if change.news]
    return Look(
        compacted=compacted,
        points=measured.points,
        opened=tuple(alert for alert in news if alert.state == "firing"),
        resolved=tuple(alert for alert in news if alert.state == "resolved"),
        notices=(*compacted.damaged, *measured.notices, *told),
        open_until=measured.open_until,
        unjudged=tuple(f"{rule_name(rule)}: no window has {rule.min_n:,} rows" for rule in judged.unjudged),
    )
