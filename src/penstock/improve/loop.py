"""One turn of the loop by itself."""

from dataclasses import dataclass
from datetime import datetime

from penstock.data import Ingested, ingest
from penstock.deliver import Promoted, follow, in_production, refresh
from penstock.improve.retraining import ACTOR, FINISHED, MADE, RETRAIN, Retrained, begin, heads_of, interrupted, retrain
from penstock.improve.triggers import Due, Present, due
from penstock.ledger import Action, Alert, Deployment, Ledger, Reader, Run, hold_lease
from penstock.monitor import Look, look
from penstock.pipeline import Turn
from penstock.project import ProjectFile
from penstock.store import Store


@dataclass(frozen=True)
class Ticked:
    """What a tick saw and did.

    due      triggers that ask for retraining, also those that wait for the cool-down
    held     why nothing was done although a trigger asks: the same was tried before
    action   the retraining it made or resumed, with its outcome
    """

    look: Look
    ingested: tuple[Ingested, ...] = ()
    refreshed: Deployment | None = None
    due: tuple[Due, ...] = ()
    held: str = ""
    action: Action | None = None
    turn: Turn | None = None
    promoted: Promoted | None = None


def tick(project: ProjectFile, ledger: Ledger, store: Store, *, now: datetime) -> Ticked:
    """Look at production, read new data, retrain if that is due. Conflict when another tick is at work.

    `now` is the time that windows, cool-downs and schedules go by. The look comes first: a file that breaks its
    contract stops the retraining and not the alerts. Killed at any line, the next tick makes up for it.
    """
    with hold_lease(ledger, f"loop:{project.config.deliver.endpoint}"):
        seen = look(project, ledger, store, now=now)
        follow(project, ledger, store)
        ingested = tuple(ingest(project, ledger, store, name) for name in project.config.data.datasets)
        refreshed = refresh(project, ledger, store, actor=ACTOR)
        asked, action, held = _what_to_do(project, ledger, now)
        done: Retrained | None = retrain(project, ledger, store, action, now) if action else None
        return Ticked(
            look=seen,
            ingested=ingested,
            refreshed=refreshed,
            due=asked,
            held=held,
            action=done.action if done else None,
            turn=done.turn if done else None,
            promoted=done.promoted if done else None,
        )


def _what_to_do(project: ProjectFile, ledger: Ledger, now: datetime) -> tuple[tuple[Due, ...], Action | None, str]:
    with ledger.read() as reader:
        if in_production(reader, project.config.name) is None:
            return (), None, ""  # the first model is a person's decision
        asked = due(project.config, present(reader, project, now))
        open_action = interrupted(reader)
    ready = [one for one in asked if one.waits is None]
    if open_action or not ready:
        return asked, open_action, ""
    return asked, *begin(project, ledger, ready, now)


def present(reader: Reader, project: ProjectFile, now: datetime) -> Present:
    """What the triggers look at, from the ledger."""
    runs = reader.find(Run, kind="training", status="finished", order_by="-started_at", limit=1)
    done = reader.find(Action, kind=RETRAIN, state=list(FINISHED), order_by="-started_at", limit=1)
    made = reader.find(Action, kind=RETRAIN, state=list(MADE), order_by="-started_at", limit=1)
    run, last = runs[0] if runs else None, done[0] if done else None
    # a run that the loop started is as old as its action: `now` may not be the clock's time
    by_loop = last and run and last.outcome.get("run") == run.id
    return Present(
        now=now,
        alerts=tuple(
            reader.find(Alert, endpoint=project.config.deliver.endpoint, state="firing", order_by="opened_at")
        ),
        heads=heads_of(reader, project),
        seen={**(last.outcome.get("data", {}) if last else {}), **(run.data if run else {})},
        trained_at=last.started_at if last and by_loop else run.started_at if run else now,
        last=made[0] if made else None,
    )
