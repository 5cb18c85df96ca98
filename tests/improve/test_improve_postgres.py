from pathlib import Path

import toy
from production import answer, february, log, noon, outcomes
from services import postgres_server

from penstock import Project


def test_the_loop_turns_with_its_ledger_in_postgresql(tmp_path: Path) -> None:
    root = toy.make_project(tmp_path)
    with postgres_server() as server:
        project = Project.open(root, actor="ada", sets=[f"ledger={server}/postgres", "train.params.C=0.5"])
        project.run()
        project.objective.sign(role="owner")
        project.promote(reason="first")
        rows = february(48)
        log(project, [*answer(project, rows), *outcomes(rows)])
        ticked = project.tick(now=noon(3))
        assert [alert.rule for alert in ticked.look.opened] == ["roc_auc below 0.9999"]
        assert ticked.action is not None
        assert ticked.action.state == "unchanged"
        again = project.tick(now=noon(5))
        assert again.look.points == ()
        assert again.held.endswith("which ended unchanged")
        assert project.monitor.predictions(limit=3)["truth"].null_count() == 0
        assert project.audit.verify().whole
        project._workspace.ledger.close()
