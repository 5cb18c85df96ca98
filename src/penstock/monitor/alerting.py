"""Alerts opened, moved on and resolved, as one decision."""

from dataclasses import dataclass
from datetime import datetime

from penstock.data import head
from penstock.ledger import Alert, Cursor, Ledger, Reader, SeriesPoint, Transaction, node, utc_now
from penstock.monitor.measuring import ALL
from penstock.monitor.routes import outbox_name
from penstock.monitor.rules import Change, judge, judgeable
from penstock.monitor.windows import windows_of
from penstock.project import AlertRule, Config, ProjectFile

LOOK_BACK = 32  # windows that are read for a rule beyond those it asks for; the ones with few rows are skipped


@dataclass(frozen=True)
class Judged:
    """Alerts that changed; `unjudged` are the rules that were measured, but never in a window of `min_n` rows."""

    changes: tuple[Change, ...]
    unjudged: tuple[AlertRule, ...]


def judge_windows(project: ProjectFile, ledger: Ledger, now: datetime) -> Judged:
    """Judge every rule by the windows that are over at `now`, and write what follows."""
    config = project.config
    endpoint = config.deliver.endpoint
    with ledger.write() as tx:
        rules = [(rule, history(tx, config, rule, now)) for rule in config.monitor.alerts]
        changes = judge(rules, endpoint, tx.find(Alert, endpoint=endpoint, state="firing"), now)
        tx.put(*(change.alert for change in changes))
        for change in changes:
            if change.news:
                _tie(tx, change.alert)
        if config.monitor.webhook:
            _post(tx, endpoint, [change.alert for change in changes if change.news])
    unjudged = (rule for rule, points in rules if points and not any(judgeable(rule, p) for p in points))
    return Judged(tuple(changes), tuple(unjudged))


def history(reader: Reader, config: Config, rule: AlertRule, now: datetime) -> list[SeriesPoint]:
    """The newest points of a rule's metric, all models together."""
    of = {"endpoint": config.deliver.endpoint, "metric": metric_of(config, rule), "model": ALL}
    newest = reader.find(SeriesPoint, **of, order_by="-window_start", limit=1)
    if not newest:
        return []
    wanted = rule.windows + LOOK_BACK
    limit = wanted * reader.count(SeriesPoint, **of, window_start=newest[0].window_start)
    while True:
        points = reader.find(SeriesPoint, **of, order_by="-window_start", limit=limit)
        # points of windows of another length are from before `monitor.window` was changed
        windows = windows_of({p.window_start for p in points}, config.monitor.window)
        over = {(window.start, window.end) for window in windows if window.over(now)}
        found = [p for p in points if (p.window_start, p.window_end) in over]
        if len(points) < limit or len({p.window_start for p in found}) >= wanted:
            return found
        limit *= 4


def metric_of(config: Config, rule: AlertRule) -> str:
    """The monitored metric that a rule means: a KPI stands for its own."""
    kpis = config.objective.kpis if config.objective else ()
    return next((kpi.metric for kpi in kpis if kpi.name == rule.metric), rule.metric)


def _tie(tx: Transaction, alert: Alert) -> None:
    """Tie an alert to the models and the predictions that it is about."""
    volumes = tx.find(SeriesPoint, endpoint=alert.endpoint, metric="volume", window_start=alert.window_start)
    for point in volumes:
        if point.model != ALL:
            tx.link(node("model", point.model), node("alert", alert.id), "observed")
    version = head(tx, f"predictions.{alert.endpoint}")
    if version and alert.state == "firing":
        tx.link(node("data", version.commit), node("alert", alert.id), "measured")


def _post(tx: Transaction, endpoint: str, news: list[Alert]) -> None:
    """Leave news for the webhook in the same decision, so that none is forgotten."""
    if news:
        name = outbox_name(endpoint)
        waiting = tx.get(Cursor, name=name)
        told = {alert.id: alert.state for alert in news}
        tx.put(Cursor(name, {**(waiting.position if waiting else {}), **told}, utc_now()))
