"""When to retrain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from penstock.ledger import Action, Alert
from penstock.project import Config, Trigger, format_duration

RETRAIN = "retrain"


@dataclass(frozen=True)
class Present:
    """What the triggers look at.

    alerts    open alerts of the endpoint
    heads     dataset -> newest commit
    trained   dataset -> commit that the newest model was trained on
    trained_at  when that was
    last      the last retraining that the loop started, if any
    """

    now: datetime
    alerts: tuple[Alert, ...]
    heads: Mapping[str, str]
    trained: Mapping[str, str]
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
    return tuple(Due(trigger.name, reason, waits) for trigger in retrain.on for reason in _reasons(trigger, present))


def _reasons(trigger: Trigger, present: Present) -> Iterator[str]:
    if trigger.alert:
        for alert in present.alerts:
            if alert.rule.split(" ")[0] == trigger.alert:
                yield f"{alert.rule}: {alert.message}"
                return
    if trigger.every:
        since = max(present.trained_at, present.last.started_at) if present.last else present.trained_at
        if present.now - since >= trigger.every:
            yield f"last trained {since:%Y-%m-%d}, more than {format_duration(trigger.every)} ago"
    if trigger.new_data:
        head = present.heads.get(trigger.new_data)
        if head and head != present.trained.get(trigger.new_data):
            yield f"{trigger.new_data} has a newer version than the newest model has seen"
