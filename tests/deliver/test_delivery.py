import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import toy

from penstock import Project
from penstock.deliver.serving_state import read_state
from penstock.ledger import Deployment, ModelVersion
from penstock.serve import ServerProcess


def serve_directory(project: Project) -> Path:
    return project._workspace.serve_directory


def test_a_server_changes_over_and_back_without_a_failed_request(project: Project) -> None:
    project.objective.sign(role="owner")
    project.promote(reason="first")
    root = project._workspace.project.root
    second = Project.open(root, actor="ada", sets=["train.params.C=0.5"])
    second.run()
    row = {"parcel_id": "x", "sent": "2024-01-20T10:00:00", "depot": "north", "weight": 3.5, "express": False}
    models = []
    with ServerProcess(serve_directory(project)) as server, httpx.Client(base_url=server.url) as client:

        def ask() -> str:
            reply = client.post("/predict/parcels", json={"rows": [row]})
            assert reply.status_code == 200
            return str(reply.json()["model"])

        models.append(ask())
        promoted = second.promote("2", reason="better")
        assert promoted.serving is not None
        assert promoted.serving.outcome == "applied"
        models.append(ask())
        rolled_back = second.rollback(reason="drill")
        assert rolled_back.serving is not None
        assert rolled_back.serving.outcome == "applied"
        models.append(ask())
        second.deliver.refresh()
    assert models == ["parcels@1", "parcels@2", "parcels@1"]


@pytest.mark.parametrize("patience", [0.3, 0.6, 0.9, 1.2, 1.8])
def test_a_promotion_that_was_killed_is_whole_or_not_there(trained: Path, tmp_path: Path, patience: float) -> None:
    root = toy.copy_project(trained, tmp_path / "parcels")
    project = Project.open(root, actor="ada")
    project.objective.sign(role="owner")
    command = [sys.executable, "-m", "penstock", "promote", "-C", str(root), "-m", "first"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(patience)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with project._workspace.ledger.read() as reader:
        decided = reader.count(Deployment)
        (version,) = reader.find(ModelVersion)
        assert version.state == ("production" if decided else "candidate")
        assert len([e for e in project.audit.log() if e.action.startswith("deliver.")]) == decided
    assert project.audit.verify().whole
    if not decided:
        project.promote(reason="again")
    project.deliver.follow()
    assert read_state(serve_directory(project)).endpoints["parcels"].current.name == "parcels@1"
