from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import toy
from production import answer, february, log, noon, outcomes, parts

from penstock import Project
from penstock.deliver.promotion import move_up
from penstock.deliver.serving_state import read_state
from penstock.errors import ContractBroken, UserCodeError
from penstock.improve import Ticked, retraining, tick
from penstock.improve.retraining import begin
from penstock.improve.triggers import Due


def reopened(project: Project, *sets: str) -> Project:
    return Project.open(project._workspace.project.root, actor="ada", sets=sets)


def promotions(project: Project) -> list[str]:
    return [f"{d.model}@{d.number}" for d in reversed(project.deliver.deployments()) if d.kind == "promote"]


def audited(project: Project) -> list[str]:
    return [entry.action for entry in project.audit.log() if entry.action.startswith("improve.")]


def test_a_tick_that_has_nothing_to_do(live: Project) -> None:
    log(live, answer(live, february(24)))
    ticked = live.tick(now=noon(2))
    assert len(ticked.look.points) > 0
    assert (ticked.due, ticked.held, ticked.action, ticked.refreshed) == ((), "", None, None)
    assert [one.skipped for one in ticked.ingested] == [True, True]
    assert live.improve.actions() == ()


def test_before_the_first_promotion_nothing_is_retrained(project: Project) -> None:
    toy.write_parcels(project._workspace.project.root, "parcels-2.csv", february(50))
    ticked = project.tick(now=noon(2))
    assert (ticked.due, ticked.action) == ((), None)
    assert [one.why for one in ticked.ingested] == ["files: 1 new", "source unchanged"]


def test_an_alert_retrains_and_the_candidate_goes_up(challenge: Project) -> None:
    ticked = challenge.tick(now=noon(3))
    (alert,) = ticked.look.opened
    assert [one.trigger for one in ticked.due] == ["alert roc_auc"]
    assert ticked.action is not None
    assert (ticked.action.state, ticked.action.trigger) == ("promoted", "alert roc_auc")
    assert alert.message in ticked.action.reason
    assert ticked.action.outcome["version"] == "parcels@2"
    assert ticked.action.outcome["verdict"] == "PASS"
    assert (ticked.action.started_at, ticked.action.finished_at) == (noon(3), noon(3))
    assert ticked.promoted is not None
    assert promotions(challenge) == ["parcels@1", "parcels@2"]
    assert audited(challenge) == ["improve.retrain.running", "improve.retrain.promoted"]
    after = challenge.trace(f"alert:{alert.id}").downstream
    assert f"action:{ticked.action.id}" in {node.id for node in after}
    assert challenge.audit.verify().whole


def test_the_same_is_not_tried_twice(challenge: Project) -> None:
    first = challenge.tick(now=noon(3))
    assert first.action is not None
    waiting = challenge.tick(now=noon(3))
    (due,) = waiting.due
    assert (due.waits, waiting.action, waiting.held) == (noon(4), None, "")
    held = challenge.tick(now=noon(5))
    assert (held.due[0].waits, held.action) == (None, None)
    assert held.held == "data, code and settings are those of 2024-02-03 12:00, which ended promoted"
    assert [action.id for action in challenge.improve.actions()] == [first.action.id]


def test_a_person_may_have_the_last_word(challenge: Project) -> None:
    ticked = reopened(challenge, "deliver.promote=by_hand").tick(now=noon(3))
    assert ticked.action is not None
    assert ticked.action.state == "registered"
    assert promotions(challenge) == ["parcels@1"]
    challenge.promote("2", reason="looked at it")


def test_what_was_rolled_back_does_not_go_up_again_by_itself(challenge: Project) -> None:
    challenge.promote("2", reason="by hand")
    challenge.rollback(reason="customers complained")
    ticked = challenge.tick(now=noon(3))
    assert ticked.action is not None
    assert ticked.action.state == "refused"
    (lack,) = ticked.action.outcome["lacks"]
    assert "parcels@2 was retired by ada: rolled back: customers complained" in lack
    assert [version.state for version in challenge.deliver.models()] == ["archived", "production"]


def test_what_a_person_promoted_meanwhile_is_unchanged(challenge: Project) -> None:
    challenge.promote("2", reason="by hand")
    ticked = challenge.tick(now=noon(3))
    assert ticked.action is not None
    assert ticked.action.state == "unchanged"
    held = challenge.tick(now=noon(3))  # no model was made, so nothing has to cool down
    assert [one.waits for one in held.due] == [None]
    assert held.held.endswith("which ended unchanged")


def test_an_approval_that_lacks_is_the_reason(challenge: Project) -> None:
    ticked = reopened(challenge, "deliver.approvals.production=[risk]").tick(now=noon(3))
    assert ticked.action is not None
    assert ticked.action.state == "refused"
    assert any("approval by risk" in lack for lack in ticked.action.outcome["lacks"])
    assert audited(challenge)[-1] == "improve.retrain.refused"


def test_a_candidate_that_fails_its_gates_is_refused_with_the_reason(live: Project) -> None:
    root = live._workspace.project.root
    toy.write_parcels(root, "parcels-2.csv", february(200, flip=True))
    ticked = live.tick(now=noon(10))
    assert [one.trigger for one in ticked.due] == ["new data parcels"]
    assert ticked.action is not None
    assert ticked.action.state == "refused"
    assert ticked.action.outcome["verdict"] == "FAIL"
    assert any(lack.startswith("roc_auc") for lack in ticked.action.outcome["lacks"])
    assert promotions(live) == ["parcels@1"]
    again = live.tick(now=noon(28))
    assert (again.due, again.action) == ((), None)  # the newest model has seen these data


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_the_promotion_is_made_up_for(
    challenge: Project, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., object] = retraining.promote

    def crash(*arguments: object, **named: object) -> None:
        if moment == "after":
            original(*arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(retraining, "promote", crash)
    with pytest.raises(KeyboardInterrupt):
        challenge.tick(now=noon(3))
    monkeypatch.undo()
    (open_action,) = challenge.improve.actions()
    assert open_action.state == "running"
    ticked = challenge.tick(now=noon(4))
    assert ticked.action is not None
    assert (ticked.action.id, ticked.action.state) == (open_action.id, "promoted")
    assert promotions(challenge) == ["parcels@1", "parcels@2"]
    assert len(challenge.improve.actions()) == 1


def test_a_promotion_that_did_not_reach_the_server_does_at_the_next_tick(challenge: Project) -> None:
    project, ledger, _ = parts(challenge)
    version = challenge.deliver.models()[0]
    move_up(ledger, project, version, "production", actor="ada", reason="crashed here")
    serve = challenge._workspace.serve_directory
    assert read_state(serve).endpoints["parcels"].current.name == "parcels@1"
    challenge.tick(now=noon(1))
    assert read_state(serve).endpoints["parcels"].current.name == "parcels@2"


def test_a_broken_file_stops_the_retraining_and_not_the_alerts(live: Project) -> None:
    rows = february(24)
    log(live, [*answer(live, rows), *outcomes(rows)])
    root = live._workspace.project.root
    toy.write_parcels(root, "parcels-2.csv", february(20).rename({"weight": "mass"}))
    with pytest.raises(ContractBroken):
        live.tick(now=noon(3))
    assert [alert.rule for alert in live.monitor.alerts(state="firing")] == ["roc_auc below 0.9999"]
    assert live.improve.actions() == ()


def test_a_retraining_that_fails_is_tried_again_later_or_when_something_changes(live: Project) -> None:
    root = live._workspace.project.root
    pipeline = root / "pipeline.py"
    sound = pipeline.read_text()
    pipeline.write_text(sound.replace('print("fitting", X.height)', 'raise ValueError("no")'))
    toy.write_parcels(root, "parcels-2.csv", february(50))
    with pytest.raises(UserCodeError):
        live.tick(now=noon(3))
    (failed,) = live.improve.actions()
    assert failed.state == "failed"
    assert "raised ValueError: no" in failed.outcome["what"]
    held = live.tick(now=noon(3))
    assert held.action is None
    assert held.held.startswith("it failed, and is tried again at 2024-02-03 13:00")
    project, ledger, _ = parts(live)
    ready = [Due("new data parcels", "new")]
    again, _ = begin(project, ledger, ready, noon(3) + timedelta(hours=1))
    assert again is not None
    assert (again.id, again.state) == (failed.id, "running")
    pipeline.write_text(sound)
    changed, _ = begin(project, ledger, ready, noon(3))
    assert changed is not None
    assert changed.id != failed.id


def test_a_full_disk_waits_its_hour_too(challenge: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(retraining, "run", full)
    with pytest.raises(OSError, match="No space left"):
        challenge.tick(now=noon(3))
    (failed,) = challenge.improve.actions()
    assert (failed.state, failed.outcome["what"]) == ("failed", "OSError: [Errno 28] No space left on device")
    assert challenge.tick(now=noon(3)).held.startswith("it failed, and is tried again at 2024-02-03 13:00")


def test_a_schedule_goes_by_the_given_time(challenge: Project) -> None:
    monthly = reopened(challenge, "improve.retrain={on: [{every: 30d}], cooldown: 1d}", "monitor.alerts=[]")
    work = monthly._workspace

    def ticked(days: int) -> Ticked:  # a project's own tick refuses a time to come
        now = datetime.now(UTC) + timedelta(days=days)
        return tick(work.project, work.ledger, work.store, now=now)

    assert ticked(0).due == ()
    action = ticked(30).action
    assert action is not None
    assert action.trigger == "every 30d"
    assert ticked(59).due == ()
    assert [one.trigger for one in ticked(60).due] == ["every 30d"]


def test_feedback_can_be_what_retraining_waits_for(challenge: Project) -> None:
    eager = reopened(
        challenge, "improve.retrain={on: [{new_data: feedback.parcels}], cooldown: 1h}", "monitor.alerts=[]"
    )
    ticked = eager.tick(now=noon(3))
    assert ticked.action is not None
    assert eager.tick(now=noon(4)).due == ()
    log(eager, outcomes(february(24)))
    assert [one.trigger for one in eager.tick(now=noon(5)).due] == ["new data feedback.parcels"]
