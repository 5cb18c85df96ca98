"""When to retrain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from penstock.ledger import Action, Alert
from penstock.monitor import rule_name
from penstock.project import Config, Trigger, format_duration


@dataclass(frozen=True)
class Present:
    """What the triggers look at.

    alerts      open alerts of the endpoint
    heads       dataset -> newest commit
    seen        dataset -> commit that the newest model was trained on
    trained_at  when that was
    last        the last retraining of the loop that made a model, if any
    """

    now: datetime
    alerts: tuple[Alert, ...]
    heads: Mapping[str, str]
    seen: Mapping[str, str]
    trained_at: datetime
    last: Action | None


@dataclass(frozen=True)
class Due:
    """A trigger that asks for retraining, and why. `waits` says until when the cool-down holds it."""

    trigger: str
    reason: str
    waits: datetime | None = None


def due(config: Config, present: Present) -> tuple[Due, ...]:
    """Every trigger that asks for retraining now."""
    retrain = config.improve.retrain
    until = present.last.started_at + retrain.cooldown if present.last else None
    waits = until if until and until > present.now else None
    return tuple(
        Due(trigger.name, reason, waits) for trigger in retrain.on if (reason := _reason(config, trigger, present))
    )


def asking_alerts(config: Config, trigger: Trigger, alerts: tuple[Alert, ...]) -> Iterator[Alert]:
    """The open alerts that a trigger waits for: of every rule on its metric."""
    rules = {rule_name(rule) for rule in config.monitor.alerts if rule.metric == trigger.alert}
    yield from (alert for alert in alerts if alert.rule in rules)


def _reason(config: Config, trigger: Trigger, present: Present) -> str | None:
    if trigger.alert:
        alert = next(asking_alerts(config, trigger, present.alerts), None)
        return f"{alert.rule}: {alert.message}" if alert else None
    if trigger.every:
        since = f"last trained {present.trained_at:%Y-%m-%d %H:%M}, {format_duration(trigger.every)} ago or more"
        return since if present.now - present.trained_at >= trigger.every else None
    dataset = trigger.new_data or ""
    new = present.heads.get(dataset) not in (None, present.seen.get(dataset))
    return f"{dataset} has a newer version than the newest model has seen" if new else None
