"""Alerts: one open alert for each rule and subject, however long it lasts.

A rule fires when its bound is crossed in as many windows in a row as it asks for, and resolves as soon as the
newest window is within it again; there is no band in between. Windows with fewer rows than `min_n` are as if
they were not there: they open nothing, resolve nothing and do not end a row. `volume` is judged in every window:
few rows are what it is about. An alert also ends when its subject is no longer measured or watched, or its rule
is no longer in the project file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from penstock.ids import new_id
from penstock.ledger import Alert, SeriesPoint
from penstock.monitor.measures import VOLUME
from penstock.project import AlertRule
from penstock.report import agreed, measured

Points = Sequence[SeriesPoint]


@dataclass(frozen=True)
class Change:
    """An alert that opened, moved on or was resolved; `news` when people should hear of it."""

    alert: Alert
    news: bool


def rule_name(rule: AlertRule) -> str:
    """`roc_auc below 0.68`, `psi above 0.2 for 2 windows`"""
    side, bound = _bound(rule)
    name = f"{rule.metric} {side} {agreed(bound)}"
    return f"{name} for {rule.windows} windows" if rule.windows > 1 else name


def judge(
    rules: Sequence[tuple[AlertRule, Points]], endpoint: str, firing: Sequence[Alert], now: datetime
) -> list[Change]:
    """What the newest windows mean for every rule; nothing for what is as it was.

    rules    each with the points of its metric, all models together, any order
    firing   the endpoint's open alerts
    """
    open_alerts = {(alert.rule, alert.subject): alert for alert in firing}
    changes: dict[tuple[str, str], Change] = {}
    for rule, points in rules:
        for change in _judged(rule, endpoint, points, open_alerts, now):
            # two rules of one name: the first that has something to say counts
            changes.setdefault((change.alert.rule, change.alert.subject), change)
    known = {rule_name(rule) for rule, _ in rules}
    gone = [alert for alert in firing if alert.rule not in known]
    return [*changes.values(), *(_resolved(alert, "the rule is no longer in the project file", now) for alert in gone)]


def _judged(
    rule: AlertRule, endpoint: str, points: Points, firing: Mapping[tuple[str, str], Alert], now: datetime
) -> Iterator[Change]:
    name = rule_name(rule)
    for subject, history in _by_subject(rule, points).items():
        newest = history[-1]
        present = firing.get((name, subject))
        crossed = [_crosses(rule, point) for point in history[-rule.windows :]]
        if len(crossed) == rule.windows and all(crossed):
            yield from _moved_on(present, newest, now) if present else [_opened(rule, endpoint, newest, now)]
        elif present and not crossed[-1]:
            yield _resolved(present._replace(value=newest.value), f"back within {_within(rule)}: {_told(newest)}", now)
    for alert in firing.values():
        if alert.rule == name and (why := _ended(rule, points, alert, now)):
            yield _resolved(alert, why, now)


def _ended(rule: AlertRule, points: Points, alert: Alert, now: datetime) -> str | None:
    """Why nothing can be judged that an alert is about; None while something can."""
    if rule.features and alert.subject not in rule.features:
        return f"{alert.subject} is no longer watched"
    # a look at an earlier time than the alert's sees fewer windows; that ends nothing
    if alert.subject in _measured_last(points) or alert.updated_at > now:
        return None
    return f"{alert.subject or rule.metric} is no longer measured"


def judgeable(rule: AlertRule, point: SeriesPoint) -> bool:
    """Whether a window has rows enough for the rule."""
    return point.n >= rule.min_n or point.metric == VOLUME


def _by_subject(rule: AlertRule, points: Points) -> dict[str, list[SeriesPoint]]:
    """The points that the rule may judge, oldest first."""
    asked = (point for point in points if not rule.features or point.subject in rule.features)
    found: dict[str, list[SeriesPoint]] = {}
    for point in sorted(asked, key=lambda one: one.window_start):
        if judgeable(rule, point):
            found.setdefault(point.subject, []).append(point)
    last = _measured_last(points)
    return {subject: history for subject, history in found.items() if subject in last}


def _measured_last(points: Points) -> set[str]:
    """The subjects of the newest window: a feature of a model that went is not among them."""
    newest = max((point.window_start for point in points), default=None)
    return {point.subject for point in points if point.window_start == newest}


def _bound(rule: AlertRule) -> tuple[str, float]:
    if rule.above is not None:
        return "above", rule.above
    assert rule.below is not None  # AlertRule has one
    return "below", rule.below


def _crosses(rule: AlertRule, point: SeriesPoint) -> bool:
    side, bound = _bound(rule)
    return point.value > bound if side == "above" else point.value < bound


def _within(rule: AlertRule) -> str:
    side, bound = _bound(rule)
    return f"{'at most' if side == 'above' else 'at least'} {agreed(bound)}"


def _told(point: SeriesPoint) -> str:
    """`psi of distance was 0.31 in the window from 2013-04-01 00:00, n = 26,318`"""
    subject = f" of {point.subject}" if point.subject else ""
    window = f"the window from {point.window_start:%Y-%m-%d %H:%M}, n = {point.n:,}"
    return f"{point.metric}{subject} was {measured(point.value)} in {window}"


def _opened(rule: AlertRule, endpoint: str, point: SeriesPoint, now: datetime) -> Change:
    alert = Alert(
        id=new_id(),
        endpoint=endpoint,
        rule=rule_name(rule),
        subject=point.subject,
        severity=rule.severity,
        state="firing",
        value=point.value,
        threshold=_bound(rule)[1],
        message=_told(point),
        window_start=point.window_start,
        opened_at=now,
        updated_at=now,
    )
    return Change(alert, news=True)


def _moved_on(present: Alert, point: SeriesPoint, now: datetime) -> Iterator[Change]:
    """It lasts: the alert shows the newest window. Nothing when that is what it shows."""
    if (present.value, present.window_start) != (point.value, point.window_start):
        moved = present._replace(
            value=point.value, window_start=point.window_start, message=_told(point), updated_at=now
        )
        yield Change(moved, news=False)


def _resolved(alert: Alert, why: str, now: datetime) -> Change:
    return Change(alert._replace(state="resolved", message=why, updated_at=now, resolved_at=now), news=True)
