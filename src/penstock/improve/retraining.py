"""A retraining that the loop does by itself: recorded before it starts, finished once, whatever happens between.

    (none) ─> running ─> promoted     the candidate passed and answers users now
                      ─> registered   it waits for a person: `deliver.promote: by_hand`
                      ─> refused      a gate, a signature or an approval is lacking; the outcome lists what
                      ─> unchanged    the model in production is what came out
                      ─> failed       it could not be made; tried again after an hour, or once anything changes

A running action whose process died is resumed by the next tick, under the same id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from penstock.data import current
from penstock.deliver import Promoted, promote
from penstock.digest import digest_value
from penstock.errors import Conflict, GateRefused, PenstockError
from penstock.ids import new_id
from penstock.improve.triggers import Due, asking_alerts
from penstock.ledger import Action, Alert, Ledger, ModelVersion, Reader, Transaction, Transition, node
from penstock.pipeline import Turn, run
from penstock.project import Config, ProjectFile, code_digest
from penstock.store import Store

ACTOR = "loop"
RETRAIN = "retrain"
MADE = ("promoted", "refused", "registered")  # a model; the cool-down counts from these
FINISHED = (*MADE, "unchanged")
RETRY = timedelta(hours=1)


@dataclass(frozen=True)
class Retrained:
    """A retraining that ended. `promoted` is None when nothing went up, or went up before a crash."""

    action: Action
    turn: Turn
    promoted: Promoted | None


def heads_of(reader: Reader, project: ProjectFile) -> dict[str, str]:
    """The newest commit of every dataset that is read or waited for."""
    config = project.config
    awaited = {trigger.new_data for trigger in config.improve.retrain.on if trigger.new_data}
    names = sorted({*config.data.datasets, *awaited})
    return {name: version.commit for name in names if (version := current(reader, name, project.branch))}


def interrupted(reader: Reader) -> Action | None:
    """The retraining whose process died. Only for who holds the loop's lease: nobody else retrains then."""
    found = reader.find(Action, kind=RETRAIN, state="running", limit=1)
    return found[0] if found else None


def begin(project: ProjectFile, ledger: Ledger, ready: list[Due], now: datetime) -> tuple[Action | None, str]:
    """Record that retraining starts; or None, and what was tried with the same data, code and settings."""
    with ledger.write() as tx:
        heads = heads_of(tx, project)
        key = digest_value({"kind": RETRAIN, "data": heads, "project": project.digest, "code": _code(project)})
        known = tx.get(Action, key=key)
        if known and (held := _held(known, now)):
            return None, held
        action = Action(
            id=known.id if known else new_id(),
            key=key,
            kind=RETRAIN,
            trigger=", ".join(one.trigger for one in ready),
            reason="; ".join(one.reason for one in ready),
            state="running",
            outcome={"data": heads},
            started_at=now,
        )
        tx.put(action)
        _tie(tx, project.config, action, {one.trigger for one in ready})
        _audit(tx, project, action)
    return action, ""


def retrain(project: ProjectFile, ledger: Ledger, store: Store, action: Action, now: datetime) -> Retrained:
    """Run what has changed, and let the candidate go as far as the gates and the policy allow."""
    try:
        turn = run(project, ledger, store, now=now)
        action = action._replace(outcome={**action.outcome, **_summary(turn)})
        state, lacks, promoted = _go_up(project, ledger, store, turn, action)
    except Conflict:
        raise  # somebody else was at work: the action stays open for the next tick
    # A full disk is no PenstockError, and still waits its hour; what ends the process leaves the action to be resumed.
    except Exception as error:
        why = error.as_dict() if isinstance(error, PenstockError) else {"what": f"{type(error).__name__}: {error}"}
        _finish(project, ledger, action._replace(state="failed", outcome={**action.outcome, **why}, finished_at=now))
        raise
    outcome = {**action.outcome, "lacks": list(lacks)} if lacks else action.outcome
    done = action._replace(state=state, outcome=outcome, finished_at=now)
    _finish(project, ledger, done)
    return Retrained(done, turn, promoted)


def _go_up(
    project: ProjectFile, ledger: Ledger, store: Store, turn: Turn, action: Action
) -> tuple[str, tuple[str, ...], Promoted | None]:
    """The state that the action ends in, what holds the candidate back, and its promotion."""
    version = turn.version
    if version is None:
        return "refused", turn.lacks, None
    if version.state == "production":
        return ("promoted" if action.outcome.get("promoting") == version.name else "unchanged"), (), None
    if version.state == "archived":
        return "refused", (_retired(ledger, version),), None
    if project.config.deliver.promote == "by_hand":
        return "registered", turn.lacks, None
    with ledger.write() as tx:  # so that, after a crash, it is known whose promotion it was
        tx.put(action._replace(outcome={**action.outcome, "promoting": version.name}))
    try:
        return "promoted", (), promote(project, ledger, store, version, "production", actor=ACTOR, reason=action.reason)
    except GateRefused as refusal:
        return "refused", refusal.lacks, None


def _summary(turn: Turn) -> dict[str, Any]:
    evaluation = turn.evaluation
    return {
        "run": turn.run_id,
        "evaluation": evaluation.id if evaluation else None,
        "verdict": evaluation.verdict if evaluation else None,
        "version": turn.version.name if turn.version else None,
    }


def _retired(ledger: Ledger, version: ModelVersion) -> str:
    """What a person took out of production does not go back by itself."""
    with ledger.read() as reader:
        moves = reader.find(Transition, model=version.model, number=version.number, order_by="-at", limit=1)
    why = f" by {moves[0].actor}: {moves[0].reason}" if moves else ""
    return f"{version.name} was retired{why}; a person may put it back: penstock promote {version.number}"


def _held(known: Action, now: datetime) -> str | None:
    """Why the same is not tried again; None when it may be."""
    if known.state in FINISHED:
        return f"data, code and settings are those of {known.started_at:%Y-%m-%d %H:%M}, which ended {known.state}"
    if known.state == "failed" and known.finished_at and now < known.finished_at + RETRY:
        return f"it failed, and is tried again at {known.finished_at + RETRY:%Y-%m-%d %H:%M}: {known.outcome['what']}"
    return None


def _code(project: ProjectFile) -> Mapping[str, str]:
    """The digest of every function that a training depends on."""
    config = project.config
    used = [view.function for view in config.data.features.values()]
    used += [transform.function for transform in config.data.transforms.values()]
    used += [config.train.function] if config.train else []
    return {reference: code_digest(project.root, reference) for reference in sorted(set(used))}


def _tie(tx: Transaction, config: Config, action: Action, triggers: set[str]) -> None:
    firing = tuple(tx.find(Alert, endpoint=config.deliver.endpoint, state="firing"))
    for trigger in config.improve.retrain.on:
        if trigger.name in triggers:
            for alert in asking_alerts(config, trigger, firing):
                tx.link(node("alert", alert.id), node("action", action.id), "triggered")


def _finish(project: ProjectFile, ledger: Ledger, action: Action) -> None:
    with ledger.write() as tx:
        tx.put(action)
        if action.outcome.get("run"):
            tx.link(node("action", action.id), node("run", action.outcome["run"]), "started")
        _audit(tx, project, action)


def _audit(tx: Transaction, project: ProjectFile, action: Action) -> None:
    """`improve.retrain.running` when it starts, `improve.retrain.refused` and the like when it ends."""
    payload = {"action": action.id, "trigger": action.trigger, **action.outcome}
    kind = f"improve.{action.kind}.{action.state}"
    tx.audit(kind, project.config.name, actor=ACTOR, reason=action.reason, payload=payload)
