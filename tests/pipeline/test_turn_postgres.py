from pathlib import Path

import toy
from services import postgres_server

from penstock import Project


def test_the_same_project_runs_with_its_ledger_in_postgresql(tmp_path: Path) -> None:
    root = toy.make_project(tmp_path)
    with postgres_server() as server:
        project = Project.open(root, actor="ada", sets=[f"ledger={server}/postgres"])
        turn = project.run()
        assert turn.version is not None, turn.lacks
        assert not project.run().changed
        project.objective.sign(role="owner")
        project.promote(reason="first")
        found = project.trace("parcels@1")
        assert {"run", "bundle", "data", "evaluation"} <= {node.kind for node in found.upstream}
        assert project.status().production is not None
        assert project.audit.verify().whole
        project._workspace.ledger.close()
    assert not (root / ".penstock" / "ledger.db").exists()
