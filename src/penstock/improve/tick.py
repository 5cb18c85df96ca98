"""One turn of the loop by itself."""

from dataclasses import dataclass, replace
from datetime import datetime

from penstock.data import Ingested, head, ingest
from penstock.deliver import Promoted, in_production, promote, refresh
from penstock.digest import digest_value
from penstock.errors import GateRefused, PenstockError
from penstock.ids import new_id
from penstock.improve.triggers import RETRAIN, Due, Present, due
from penstock.ledger import Action, Alert, Deployment, Ledger, Run, hold_lease, node
from penstock.monitor import Look, look
from penstock.pipeline import Turn, run
from penstock.project import ProjectFile
from penstock.store import Store

ACTOR = "loop"
FINISHED = ("promoted", "refused", "registered", "unchanged")


@dataclass(frozen=True)
class Ticked:
    """What a tick saw and did.

    due        triggers that ask for retraining, also those that wait for the cool-down
    action     the retraining it made, with its outcome
    """

    look: Look
    ingested: tuple[Ingested, ...]
    refreshed: Deployment | None
    due: tuple[Due, ...]
    action: Action | None
    turn: Turn | None
    promoted: Promoted | None


def tick(project: ProjectFile, ledger: Ledger, store: Store, *, now: datetime) -> Ticked:
    """Look at production, read new data, retrain if that is due. Conflict when another tick is at work.

    `now` is the time that windows, cool-downs and schedules go by.
    """
    with hold_lease(ledger, f"loop:{project.config.deliver.endpoint}"):
        ingested = tuple(ingest(project, ledger, store, name) for name in project.config.data.datasets)
        refreshed = refresh(project, ledger, store, actor=ACTOR)
        seen = look(project, ledger, store, now=now)
        asked = _asked(project, ledger, now)
        ready = [one for one in asked if one.waits is None]
        if not ready:
            return Ticked(seen, ingested, refreshed, asked, None, None, None)
        action, turn, promoted = _retrain(project, ledger, store, ready, now)
        return Ticked(seen, ingested, refreshed, asked, action, turn, promoted)


def _asked(project: ProjectFile, ledger: Ledger, now: datetime) -> tuple[Due, ...]:
    config = project.config
    with ledger.read() as reader:
        production = in_production(reader, config.name)
        if production is None:
            return ()  # the first model is a person's decision
        newest = reader.find(Run, status="finished", order_by="-started_at", limit=1)
        last = [a for a in reader.find(Action, kind=RETRAIN, order_by="-started_at") if a.state in FINISHED][:1]
        heads = {name: version.commit for name in config.data.datasets if (version := head(reader, name))}
        present = Present(
            now=now,
            alerts=tuple(reader.find(Alert, endpoint=config.deliver.endpoint, state="firing", order_by="opened_at")),
            heads=heads,
            trained=newest[0].data if newest else {},
            trained_at=newest[0].started_at if newest else production.created_at,
            last=last[0] if last else None,
        )
    return due(config, present)


def _retrain(
    project: ProjectFile, ledger: Ledger, store: Store, ready: list[Due], now: datetime
) -> tuple[Action | None, Turn | None, Promoted | None]:
    action = _begin(project, ledger, ready, now)
    if action is None:
        return None, None, None
    try:
        turn = run(project, ledger, store, now=now)
        state, outcome, promoted = _go_up(project, ledger, store, turn, action)
    except PenstockError as error:
        _finish(ledger, replace(action, state="failed", outcome=error.as_dict(), finished_at=now), None)
        raise
    done = replace(action, state=state, outcome=outcome, finished_at=now)
    _finish(ledger, done, turn)
    return done, turn, promoted


def _begin(project: ProjectFile, ledger: Ledger, ready: list[Due], now: datetime) -> Action | None:
    """Record that retraining starts; None when just this retraining was done before. A crashed one is resumed."""
    with ledger.write() as tx:
        heads = {name: version.commit for name in project.config.data.datasets if (version := head(tx, name))}
        triggers = [one.trigger for one in ready]
        key = digest_value({"kind": RETRAIN, "data": heads, "project": project.digest, "triggers": triggers})
        known = tx.get(Action, key=key)
        if known and known.state in FINISHED:
            return None
        if known:
            return known
        reason = "; ".join(one.reason for one in ready)
        action = Action(new_id(), key, RETRAIN, ", ".join(triggers), reason, "running", {}, now)
        tx.add(action)
        tx.audit(
            "improve.retrain",
            project.config.name,
            actor=ACTOR,
            reason=reason,
            payload={"triggers": triggers, "data": heads},
        )
        firing = tx.find(Alert, endpoint=project.config.deliver.endpoint, state="firing")
        for alert in firing:
            if f"alert {alert.rule.split(' ')[0]}" in triggers:
                tx.link(node("alert", alert.id), node("action", action.id), "triggered")
    return action


def _go_up(
    project: ProjectFile, ledger: Ledger, store: Store, turn: Turn, action: Action
) -> tuple[str, dict[str, object], Promoted | None]:
    """Promote the candidate by the project's policy, or say what holds it back."""
    verdict = turn.evaluation.verdict if turn.evaluation else "none"
    outcome: dict[str, object] = {"verdict": verdict, "evaluation": turn.evaluation.id if turn.evaluation else None}
    if verdict == "FAIL" or turn.version is None:
        return "refused", {**outcome, "lacks": list(turn.lacks)}, None
    outcome["version"] = turn.version.name
    if turn.version.state == "production":
        return "unchanged", outcome, None
    if project.config.deliver.promote == "by_hand":
        return "registered", outcome, None
    try:
        promoted = promote(project, ledger, store, turn.version, "production", actor=ACTOR, reason=action.reason)
    except GateRefused as refusal:
        return "refused", {**outcome, "lacks": list(refusal.lacks)}, None
    return "promoted", outcome, promoted


def _finish(ledger: Ledger, action: Action, turn: Turn | None) -> None:
    with ledger.write() as tx:
        tx.put(action)
        if turn and turn.run_id:
            tx.link(node("action", action.id), node("run", turn.run_id), "started")
