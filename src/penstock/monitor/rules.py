"""Alerts: one open alert for each rule and subject, however long it lasts.

A rule fires when its bound is crossed in as many windows in a row as it asks for, resolves when the newest
window is within it again, and says nothing while there is too little to judge.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from penstock.ids import new_id
from penstock.ledger import Alert, SeriesPoint
from penstock.project import AlertRule


@dataclass(frozen=True)
class Change:
    """An alert that opened, lasts or was resolved; `news` when people should hear of it."""

    alert: Alert
    news: bool


def rule_name(rule: AlertRule) -> str:
    """`roc_auc below 0.68`"""
    side, bound = ("above", rule.above) if rule.above is not None else ("below", rule.below)
    name = f"{rule.metric} {side} {bound:g}"
    return f"{name} for {rule.windows} windows" if rule.windows > 1 else name


def judge(
    rule: AlertRule, endpoint: str, points: Sequence[SeriesPoint], firing: Sequence[Alert], now: datetime
) -> Iterator[Change]:
    """What the newest windows mean for a rule.

    points   of the rule's metric, all models together, any order
    firing   the endpoint's open alerts
    """
    name = rule_name(rule)
    open_alerts = {alert.subject: alert for alert in firing if alert.rule == name}
    for subject, history in _by_subject(rule, points).items():
        newest = history[-1]
        present = open_alerts.get(subject)
        if all(_crossed(rule, point) for point in history[-rule.windows :]) and len(history) >= rule.windows:
            yield _lasting(present, newest, now) if present else _opened(rule, name, endpoint, newest, now)
        elif present and not _crossed(rule, newest):
            resolved = replace(present, state="resolved", value=newest.value, updated_at=now, resolved_at=now)
            yield Change(resolved, news=True)


def _by_subject(rule: AlertRule, points: Sequence[SeriesPoint]) -> dict[str, list[SeriesPoint]]:
    """The points that the rule may judge, oldest first."""
    found: dict[str, list[SeriesPoint]] = {}
    for point in sorted(points, key=lambda one: one.window_start):
        asked = not rule.features or point.subject in rule.features
        if point.metric == rule.metric and point.n >= rule.min_n and asked:
            found.setdefault(point.subject, []).append(point)
    return found


def _crossed(rule: AlertRule, point: SeriesPoint) -> bool:
    if rule.above is not None:
        return point.value > rule.above
    return rule.below is not None and point.value < rule.below


def _opened(rule: AlertRule, name: str, endpoint: str, point: SeriesPoint, now: datetime) -> Change:
    bound = rule.above if rule.above is not None else rule.below
    assert bound is not None  # AlertRule has one
    subject = f" of {point.subject}" if point.subject else ""
    window = f"the window from {point.window_start:%Y-%m-%d %H:%M}, n = {point.n:,}"
    message = f"{point.metric}{subject} was {point.value:.4g} in {window}"
    alert = Alert(
        id=new_id(),
        endpoint=endpoint,
        rule=name,
        subject=point.subject,
        severity=rule.severity,
        state="firing",
        value=point.value,
        threshold=bound,
        message=message,
        window_start=point.window_start,
        opened_at=now,
        updated_at=now,
    )
    return Change(alert, news=True)


def _lasting(present: Alert, point: SeriesPoint, now: datetime) -> Change:
    return Change(replace(present, value=point.value, window_start=point.window_start, updated_at=now), news=False)
