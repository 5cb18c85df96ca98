from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from penstock.improve import Due, due
from penstock.improve.triggers import Present
from penstock.ledger import Action, Alert
from penstock.project import AlertRule, Config, Improve, Monitor, Retrain, Trigger

NOW = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CALM = Present(now=NOW, alerts=(), heads={"a": "1"}, seen={"a": "1"}, trained_at=NOW - 10 * DAY, last=None)


def config(*triggers: Trigger) -> Config:
    rules = (AlertRule(metric="roc_auc", below=0.7), AlertRule(metric="cost of all", above=2, windows=2))
    retrain = Retrain(on=triggers, cooldown=7 * DAY)
    return Config(name="m", monitor=Monitor(alerts=rules), improve=Improve(retrain=retrain))


def alert(rule: str) -> Alert:
    return Alert("id", "m", rule, "", "page", "firing", 0.6, 0.7, "it was low", NOW, NOW, NOW)


def retraining(days_ago: int) -> Action:
    return Action("id", "key", "retrain", "", "", "refused", {}, NOW - days_ago * DAY)


def test_nothing_is_due_when_nothing_happened() -> None:
    triggers = config(Trigger(alert="roc_auc"), Trigger(every=31 * DAY), Trigger(new_data="a"))
    assert due(triggers, CALM) == ()


@pytest.mark.parametrize(
    ("trigger", "present", "expected"),
    [
        (
            Trigger(alert="roc_auc"),
            replace(CALM, alerts=(alert("roc_auc below 0.7"),)),
            Due("alert roc_auc", "roc_auc below 0.7: it was low"),
        ),
        (
            Trigger(alert="cost of all"),
            replace(CALM, alerts=(alert("cost of all above 2 for 2 windows"),)),
            Due("alert cost of all", "cost of all above 2 for 2 windows: it was low"),
        ),
        (Trigger(every=10 * DAY), CALM, Due("every 10d", "last trained 2024-02-20 00:00, 10d ago or more")),
        (
            Trigger(new_data="a"),
            replace(CALM, heads={"a": "2"}),
            Due("new data a", "a has a newer version than the newest model has seen"),
        ),
        (
            Trigger(new_data="feedback.m"),
            replace(CALM, heads={"a": "1", "feedback.m": "9"}),
            Due("new data feedback.m", "feedback.m has a newer version than the newest model has seen"),
        ),
    ],
)
def test_what_asks_for_retraining(trigger: Trigger, present: Present, expected: Due) -> None:
    assert due(config(trigger), present) == (expected,)


def test_an_alert_of_another_rule_asks_for_nothing() -> None:
    """The rule was changed in the project file, and the next look will resolve its alert."""
    present = replace(CALM, alerts=(alert("roc_auc below 0.6"), alert("psi above 0.2")))
    assert due(config(Trigger(alert="roc_auc")), present) == ()


@pytest.mark.parametrize(("days_ago", "waits"), [(2, NOW + 5 * DAY), (7, None), (20, None)])
def test_the_cool_down_holds_it(days_ago: int, waits: datetime | None) -> None:
    present = replace(CALM, heads={"a": "2"}, last=retraining(days_ago))
    (found,) = due(config(Trigger(new_data="a")), present)
    assert found.waits == waits


def test_a_dataset_that_has_no_version_is_not_new() -> None:
    assert due(config(Trigger(new_data="b")), CALM) == ()
