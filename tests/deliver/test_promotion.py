from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import toy

from penstock import Project
from penstock.deliver import find_version
from penstock.deliver.promotion import move_up
from penstock.deliver.serving_state import read_state
from penstock.errors import GateRefused, UsageError
from penstock.ledger import AuditEntry, Deployment, Evaluation, ModelVersion, Transition
from penstock.pipeline import run

HEAVY = """
name: a heavy parcel
input: {parcel_id: x, sent: "2024-01-20T10:00:00", depot: south, weight: 30, express: false}
expect: {label: true}
"""


def signed(project: Project) -> Project:
    project.objective.sign(role="owner")
    return project


def retrained(project: Project, **sets: object) -> Project:
    """The same project with other parameters, run: the next candidate."""
    root = project._workspace.project.root
    again = Project.open(root, actor="ada", sets=[f"train.params.{name}={value}" for name, value in sets.items()])
    turn = again.run()
    assert turn.version is not None, turn.lacks
    return again


def states(project: Project) -> dict[int, str]:
    return {version.number: version.state for version in project.deliver.models()}


def test_production_is_refused_without_a_signature_and_nothing_changes(project: Project) -> None:
    with pytest.raises(GateRefused) as caught:
        project.promote(reason="please")
    assert caught.value.lacks == ("a signature under the objective: penstock objective sign --as NAME --role ROLE",)
    assert caught.value.hint == "penstock objective sign --as NAME --role ROLE"
    assert caught.value.exit_code == 3
    assert states(project) == {1: "candidate"}
    with project._workspace.ledger.read() as reader:
        assert reader.count(Deployment) == reader.count(AuditEntry) == 0


def test_a_change_of_the_objective_after_the_judgement_is_refused(project: Project) -> None:
    signed(project)
    changed = Project.open(project._workspace.project.root, actor="ada", sets=["objective.thresholds.roc_auc.min=0.6"])
    with pytest.raises(GateRefused) as caught:
        changed.promote()
    assert any("an evaluation under objective" in lack for lack in caught.value.lacks)
    assert any("a signature" in lack for lack in caught.value.lacks)


def test_a_version_that_other_gates_let_through_is_refused(project: Project) -> None:
    root = signed(project)._workspace.project.root
    lax = Project.open(root, actor="ada", sets=["validate.gates=[]", "train.params.C=0.5"])
    assert lax.run().version is not None
    assert lax.deliver.lacks("2") == ()
    with pytest.raises(GateRefused) as caught:
        project.promote("2")
    assert caught.value.lacks == ("an evaluation by the gates as they stand: penstock run",)
    assert project.deliver.lacks("1") == ()


def test_a_known_case_that_was_added_since_the_judgement_is_asked_first(project: Project) -> None:
    root = signed(project)._workspace.project.root
    (root / "cases").mkdir()
    project = Project.open(root, actor="ada", sets=["validate.cases=cases"])
    project.run()
    assert project.deliver.lacks() == ()
    (root / "cases" / "heavy.yml").write_text(HEAVY)
    assert project.deliver.lacks() == ("an evaluation by the gates as they stand: penstock run",)
    project.run()
    assert project.deliver.lacks() == ()


def test_a_version_that_fails_when_judged_anew_does_not_keep_its_pass(project: Project) -> None:
    root = signed(project)._workspace.project.root
    with project._workspace.ledger.read() as reader:
        as_it_was = find_version(reader, "parcels")
    strict = Project.open(root, actor="ada", sets=["objective.thresholds.roc_auc.min=0.9999"])
    turn = strict.run()
    assert (turn.exit_code, turn.version) == (3, None)
    strict.objective.sign(role="owner")
    assert [lack[:30] for lack in strict.deliver.lacks("1")] == ["gate roc_auc at least 0.9999: "]
    work = strict._workspace
    with pytest.raises(GateRefused, match="roc_auc at least"):
        move_up(work.ledger, work.project, as_it_was, "production", actor="ada", reason="read before it failed")


def test_rows_that_have_grown_old_since_the_judgement_are_refused(project: Project) -> None:
    root = project._workspace.project.root
    promised = signed(Project.open(root, actor="ada", sets=["objective.slas.freshness=2d"]))
    work = promised._workspace
    evaluation = run(work.project, work.ledger, work.store, now=datetime(2024, 1, 20, tzinfo=UTC)).evaluation
    assert evaluation is not None
    assert promised.deliver.lacks() == ()
    with work.ledger.write() as transaction:
        transaction.change(Evaluation, {"id": evaluation.id}, at=evaluation.at - timedelta(days=2))
    (lack,) = promised.deliver.lacks()
    assert lack.startswith("gate freshness at most 2d: it held when it was judged and no longer does")


def test_promotion_is_recorded_and_the_endpoint_follows(project: Project) -> None:
    promoted = signed(project).promote(reason="first")
    assert promoted.version.number == 1
    assert promoted.serving is not None
    assert promoted.serving.outcome == "no_server"
    assert states(project) == {1: "production"}
    state = read_state(project._workspace.serve_directory).endpoints["parcels"]
    assert (state.current.name, state.generation) == ("parcels@1", 1)
    assert set(state.current.views) == {"load"}
    with project._workspace.ledger.read() as reader:
        (move,) = [one for one in reader.find(Transition) if one.after == "production"]
        assert (move.actor, move.reason, move.before) == ("ada", "first", "candidate")
    assert [entry.action for entry in project.audit.log()] == ["objective.sign", "deliver.promote.production"]
    assert project.audit.verify().whole


def test_rollback_goes_back_one_version_each_time(project: Project) -> None:
    signed(project).promote()
    for strength in (0.5, 0.25):
        project = retrained(project, C=strength)
        project.promote()
    assert states(project) == {1: "archived", 2: "archived", 3: "production"}
    assert project.rollback(reason="worse").version.number == 2
    assert states(project) == {1: "archived", 2: "production", 3: "archived"}
    assert project.rollback(reason="still worse").version.number == 1
    with pytest.raises(UsageError, match="no production version before parcels@1"):
        project.rollback()
    assert states(project) == {1: "production", 2: "archived", 3: "archived"}
    state = read_state(project._workspace.serve_directory).endpoints["parcels"]
    assert (state.current.name, state.generation) == ("parcels@1", 5)


def test_a_candidate_that_met_an_older_champion_must_meet_the_present_one(project: Project) -> None:
    signed(project).promote()
    retrained(project, C=0.5)
    third = retrained(project, C=0.25)
    third.promote("2")
    with pytest.raises(GateRefused, match="a comparison with parcels@2"):
        third.promote("3")


def test_approvals_are_asked_for_by_role(trained: Path, tmp_path: Path) -> None:
    root = toy.copy_project(trained, tmp_path / "parcels")
    sets = ["deliver.approvals.production=[risk]"]
    project = signed(Project.open(root, actor="ada", sets=sets))
    with pytest.raises(GateRefused, match="approval by risk: penstock approve parcels@1"):
        project.promote()
    with pytest.raises(UsageError, match="unknown role"):
        project.approve(role="rsk")
    Project.open(root, actor="grace", sets=sets).approve(role="risk", reason="seen the slices")
    assert project.promote().version.number == 1


def test_an_approval_does_not_outlive_a_rollback(project: Project) -> None:
    root = signed(project)._workspace.project.root
    project.promote("1")
    sets = ["deliver.approvals.production=[risk]", "train.params.C=0.5"]
    strict = Project.open(root, actor="ada", sets=sets)
    strict.run()
    strict.approve("2", role="risk")
    strict.promote("2")
    strict.rollback(reason="it is broken")
    assert [lack[:16] for lack in strict.deliver.lacks("2")] == ["approval by risk"]
    strict.approve("2", role="risk", reason="repaired")
    assert strict.deliver.lacks("2") == ()


def test_an_approval_is_of_one_evaluation(project: Project) -> None:
    root = signed(project)._workspace.project.root
    sets = ["deliver.approvals.production=[risk]", "validate.slices=[]", "validate.gates=[]"]
    lax, strict = Project.open(root, actor="ada", sets=sets), Project.open(root, actor="ada", sets=sets[:2])
    lax.run()
    lax.approve(role="risk")
    assert lax.deliver.lacks() == ()
    strict.run()
    assert [lack[:16] for lack in strict.deliver.lacks()] == ["approval by risk"]
    lax.run()
    assert lax.deliver.lacks() == ()


def test_staging_stands_before_production(project: Project) -> None:
    assert project.promote(to="staging").deployment is None
    assert states(project) == {1: "staging"}
    signed(project).promote()
    assert states(project) == {1: "production"}


def test_nothing_goes_down_by_promotion_and_nothing_goes_up_by_rollback(project: Project) -> None:
    signed(project).promote()
    project = retrained(project, C=0.5)
    with pytest.raises(UsageError, match="parcels@1 is already in production"):
        project.promote("1", to="staging")
    with pytest.raises(UsageError, match="parcels@2 was never in production"):
        project.rollback(to="2")
    with pytest.raises(UsageError, match="parcels@1 is in production already"):
        project.rollback(to="1")
    assert states(project) == {1: "production", 2: "candidate"}


def test_a_state_that_there_is_not_is_named(project: Project) -> None:
    for ask in (project.deliver.lacks, project.promote):
        with pytest.raises(UsageError, match=r"unknown state to promote to 'prod'.*production"):
            ask("1", to="prod")
    with pytest.raises(UsageError, match="unknown state to approve for 'prod'"):
        project.approve("1", role="owner", to="prod")


def test_a_version_is_named_by_number_name_or_state(project: Project) -> None:
    assert project.deliver.lacks("parcels@1") == project.deliver.lacks("1") == project.deliver.lacks("candidate")
    with pytest.raises(UsageError, match="unknown model version '7'"):
        project.deliver.lacks("7")


def test_a_version_is_already_where_it_should_go(project: Project) -> None:
    signed(project).promote()
    with pytest.raises(UsageError, match="already in production"):
        project.promote("1")


def test_registering_the_same_bundle_again_makes_no_new_version(project: Project) -> None:
    project.run()
    with project._workspace.ledger.read() as reader:
        assert reader.count(ModelVersion) == 1


def test_newer_view_rows_are_a_new_generation_of_the_same_version(project: Project) -> None:
    signed(project).promote()
    assert project.deliver.refresh() is None
    source = project._workspace.project.root / "pipeline.py"
    source.write_text(source.read_text().replace("range(60)", "range(70)"))
    project.data.ingest("depots")
    refreshed = project.deliver.refresh()
    assert refreshed is not None
    assert (refreshed.generation, refreshed.kind, refreshed.number) == (2, "refresh", 1)
    with pytest.raises(UsageError, match="no production version before"):
        project.rollback()
