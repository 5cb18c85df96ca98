from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from penstock.ledger import Alert, SeriesPoint
from penstock.monitor.rules import Change, judge, rule_name
from penstock.project import AlertRule

START = datetime(2024, 2, 1, tzinfo=UTC)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
LOW = AlertRule(metric="roc_auc", below=0.7)
HIGH = AlertRule(metric="psi", above=0.2)


def point(day: int, value: float, *, metric: str = "roc_auc", subject: str = "", n: int = 1000) -> SeriesPoint:
    start = START + timedelta(days=day)
    return SeriesPoint("e", metric, subject, start, start + timedelta(days=1), "*", value, n, NOW)


def judged(rule: AlertRule, points: Sequence[SeriesPoint], firing: Sequence[Alert] = ()) -> list[Change]:
    return judge([(rule, points)], "e", firing, NOW)


def fired(rule: AlertRule, *points: SeriesPoint) -> Alert:
    (change,) = judged(rule, points)
    assert (change.news, change.alert.state) == (True, "firing")
    return change.alert


def test_a_rule_fires_when_its_bound_is_crossed() -> None:
    alert = fired(LOW, point(0, 0.8), point(1, 0.65))
    assert (alert.rule, alert.subject, alert.severity) == ("roc_auc below 0.7", "", "warn")
    assert (alert.value, alert.threshold, alert.window_start) == (0.65, 0.7, START + timedelta(days=1))
    assert alert.message == "roc_auc was 0.65 in the window from 2024-02-02 00:00, n = 1,000"
    assert fired(HIGH, point(0, 0.3, metric="psi", subject="weight")).message.startswith("psi of weight was 0.3")


@pytest.mark.parametrize("points", [[], [point(0, 0.7)], [point(0, 0.6), point(1, 0.9)], [point(0, 0.1, n=99)]])
def test_a_rule_says_nothing_within_its_bound_or_with_too_few_rows(points: list[SeriesPoint]) -> None:
    assert judged(LOW, points) == []


def test_an_alert_lasts_without_news() -> None:
    alert = fired(LOW, point(0, 0.6))
    assert judged(LOW, [point(0, 0.6)], [alert]) == []
    (change,) = judged(LOW, [point(0, 0.6), point(1, 0.5)], [alert])
    assert not change.news
    assert (change.alert.id, change.alert.value, change.alert.opened_at) == (alert.id, 0.5, alert.opened_at)


def test_an_alert_is_resolved_by_the_next_window_within_the_bound() -> None:
    alert = fired(LOW, point(0, 0.6))
    (change,) = judged(LOW, [point(0, 0.6), point(1, 0.7)], [alert])
    assert (change.news, change.alert.state, change.alert.id) == (True, "resolved", alert.id)
    assert (change.alert.resolved_at, change.alert.value) == (NOW, 0.7)
    assert change.alert.message.startswith("back within at least 0.7: roc_auc was 0.7")


def test_windows_with_few_rows_neither_resolve_nor_end_a_row() -> None:
    alert = fired(LOW, point(0, 0.6))
    assert judged(LOW, [point(0, 0.6), point(1, 0.9, n=3)], [alert]) == []
    twice = LOW.model_copy(update={"windows": 2})
    assert len(judged(twice, [point(0, 0.6), point(1, 0.9, n=3), point(2, 0.6)])) == 1


def test_several_windows_in_a_row() -> None:
    thrice = LOW.model_copy(update={"windows": 3})
    assert rule_name(thrice) == "roc_auc below 0.7 for 3 windows"
    assert judged(thrice, [point(0, 0.6), point(1, 0.6)]) == []
    assert judged(thrice, [point(0, 0.6), point(1, 0.8), point(2, 0.6), point(3, 0.6)]) == []
    alert = fired(thrice, point(3, 0.6), point(0, 0.9), point(2, 0.6), point(1, 0.6))
    assert alert.window_start == START + timedelta(days=3)


def test_each_feature_has_its_own_alert() -> None:
    points = [point(0, value, metric="psi", subject=name) for name, value in (("a", 0.3), ("b", 0.1), ("c", 0.5))]
    assert [change.alert.subject for change in judged(HIGH, points)] == ["a", "c"]
    only = HIGH.model_copy(update={"features": ("b", "c")})
    assert [change.alert.subject for change in judged(only, points)] == ["c"]


def test_an_alert_ends_when_its_feature_is_no_longer_measured() -> None:
    alert = fired(HIGH, point(0, 0.3, metric="psi", subject="gone"))
    later = [point(0, 0.3, metric="psi", subject="gone"), point(1, 0.1, metric="psi", subject="new")]
    (change,) = judged(HIGH, later, [alert])
    assert (change.alert.state, change.alert.message) == ("resolved", "gone is no longer measured")


def test_an_alert_ends_when_nothing_is_measured_any_more() -> None:
    """Corrected labels of one class leave no AUC; the alert stayed open for ever."""
    alert = fired(LOW, point(0, 0.6))._replace(updated_at=START + timedelta(days=2))
    (change,) = judged(LOW, [], [alert])
    assert (change.alert.state, change.alert.message) == ("resolved", "roc_auc is no longer measured")
    assert judge([(LOW, [])], "e", [alert], START + timedelta(days=1)) == []


def test_an_alert_ends_when_its_feature_is_no_longer_watched() -> None:
    points = [point(0, 0.3, metric="psi", subject=name) for name in ("a", "b")]
    alerts = [change.alert for change in judged(HIGH, points)]
    (change,) = judged(HIGH.model_copy(update={"features": ("b",)}), points, alerts)
    assert (change.alert.subject, change.alert.message) == ("a", "a is no longer watched")


def test_volume_is_judged_in_every_window() -> None:
    """Its n is its value, so `volume below` never had rows enough."""
    low = AlertRule(metric="volume", below=50)
    assert fired(low, point(0, 900.0, metric="volume", n=900), point(1, 3.0, metric="volume", n=3)).value == 3
    assert fired(low, point(0, 0.0, metric="volume", n=0)).value == 0


def test_an_alert_ends_with_its_rule() -> None:
    alert = fired(LOW, point(0, 0.6))
    (change,) = judged(LOW.model_copy(update={"below": 0.5}), [point(0, 0.6)], [alert])
    assert (change.alert.state, change.alert.message) == ("resolved", "the rule is no longer in the project file")


def test_two_rules_of_one_name_make_one_alert() -> None:
    points = [point(0, 0.6)]
    twice = [(LOW, points), (LOW.model_copy(update={"severity": "page"}), points)]
    (change,) = judge(twice, "e", [], NOW)
    assert change.alert.severity == "warn"


def test_an_alert_that_comes_back_is_another_one() -> None:
    first = fired(LOW, point(0, 0.6))
    (resolved,) = judged(LOW, [point(1, 0.9)], [first])
    (again,) = judged(LOW, [point(1, 0.9), point(2, 0.6)], [])
    assert resolved.alert.state == "resolved"
    assert again.alert.id != first.id
    assert again.alert._replace(id=first.id).rule == first.rule
