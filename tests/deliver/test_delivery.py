import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import toy

from penstock import Project
from penstock.deliver import refresh
from penstock.deliver.serving_state import EndpointState, ServeDirectory, deploy, read_state, refused
from penstock.errors import UsageError
from penstock.ledger import Deployment, ModelVersion
from penstock.serve import ServerProcess


def serve_directory(project: Project) -> Path:
    return project._workspace.serve_directory


def in_production(project: Project) -> EndpointState:
    project.objective.sign(role="owner")
    project.promote(reason="first")
    return read_state(serve_directory(project)).endpoints["parcels"]


def with_newer_depots(project: Project) -> None:
    source = project._workspace.project.root / "pipeline.py"
    source.write_text(source.read_text().replace("range(60)", "range(70)"))
    project.data.ingest("depots")


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


def test_a_refresh_does_not_undo_a_rollback_beside_it(project: Project) -> None:
    in_production(project)
    root = project._workspace.project.root
    second = Project.open(root, actor="ada", sets=["train.params.C=0.5"])
    second.run()
    second.promote("2")
    with_newer_depots(second)
    work = second._workspace

    class Slow(type(work.store)):  # type: ignore[misc]
        """While the rows are read, a person rolls back."""

        def scan(self, commit: str) -> object:
            if second.deliver.models()[0].state == "production":
                second.rollback(reason="it is broken")
            return super().scan(commit)

    assert refresh(work.project, work.ledger, Slow(work.store.blobs), actor="loop") is None
    assert read_state(serve_directory(second)).endpoints["parcels"].current.name == "parcels@1"


def test_nothing_is_written_when_there_are_no_newer_rows(project: Project) -> None:
    state = in_production(project)
    rows = ServeDirectory(serve_directory(project)).view("load", state.current.views["load"])
    before = rows.stat()
    assert project.deliver.refresh() is None
    assert (rows.stat().st_ino, rows.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("mend", [lambda p: p.deliver.follow(), lambda p: p.deliver.refresh(), lambda p: p.promote()])
def test_a_server_that_refused_what_was_not_whole_answers_once_it_is_mended(
    project: Project, mend: Callable[[Project], object]
) -> None:
    state = in_production(project)
    directory = ServeDirectory(serve_directory(project))
    with_newer_depots(project)
    directory.view("load", state.current.views["load"]).write_bytes(b"other bytes")
    (directory.bundle(state.current.bundle) / "model.skops").unlink()
    aside = directory.state.rename(directory.root / "aside")
    with ServerProcess(directory.root) as server, httpx.Client(base_url=server.url) as client:
        aside.rename(directory.state)
        while not refused(directory.root, "parcels", 1):
            assert server.alive
            time.sleep(0.02)
        mend(project)
        told = project.deliver.follow()
        assert told is not None
        assert told.outcome == "applied"
        assert client.get("/ready").status_code == 200


def test_a_view_file_that_is_gone_is_written_again(project: Project) -> None:
    state = in_production(project)
    rows = ServeDirectory(serve_directory(project)).view("load", state.current.views["load"])
    rows.unlink()
    project.deliver.follow()
    assert rows.exists()
    assert read_state(serve_directory(project)).endpoints["parcels"] == state


def test_a_damaged_state_is_told_again_from_the_ledger(project: Project) -> None:
    state = in_production(project)
    ServeDirectory(serve_directory(project)).state.write_text("{")
    project.deliver.follow()
    assert read_state(serve_directory(project)).endpoints["parcels"] == state


def test_an_endpoint_with_a_new_name_is_given_what_is_in_production(project: Project) -> None:
    in_production(project)
    renamed = Project.open(project._workspace.project.root, actor="ada", sets=["deliver.endpoint=letters"])
    promoted = renamed.promote("1")
    assert promoted.deployment is not None
    assert (promoted.deployment.endpoint, promoted.deployment.generation, promoted.deployment.kind) == (
        "letters",
        1,
        "promote",
    )
    assert read_state(serve_directory(project)).endpoints["letters"].current.name == "parcels@1"
    with pytest.raises(UsageError, match="already in production"):
        renamed.promote("1")


def test_a_rollback_goes_back_behind_a_new_name_of_the_endpoint(project: Project) -> None:
    in_production(project)
    root = project._workspace.project.root
    Project.open(root, actor="ada", sets=["train.params.C=0.5"]).run()
    renamed = Project.open(root, actor="ada", sets=["train.params.C=0.5", "deliver.endpoint=letters"])
    project.promote("2", reason="better")
    moved = renamed.promote("2", reason="a better name")
    assert moved.deployment is not None
    assert moved.deployment.reason == "a better name"
    assert renamed.rollback().version.number == 1


def test_a_draft_of_another_delivery_that_goes_away_is_no_error(project: Project) -> None:
    in_production(project)
    root, stop = serve_directory(project), threading.Event()
    draft = root / "views" / ".other.draft"
    draft.parent.mkdir(exist_ok=True)

    def write() -> None:
        while not stop.is_set():
            draft.touch()
            draft.unlink()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        present = read_state(root).endpoints["parcels"]
        for _ in range(200):
            deploy(root, "parcels", present, again=True)
    finally:
        stop.set()
        writer.join()


def test_deciding_and_delivering_load_no_model(project: Project) -> None:
    project.objective.sign(role="owner", note="agreed")
    root = project._workspace.project.root
    script = (
        "import sys; from penstock import Project\n"
        f"promoted = Project.open({str(root)!r}, actor='ada').promote('1', reason='first')\n"
        "print(promoted.version.name, 'skops' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "parcels@1 False\n"
    assert read_state(serve_directory(project)).endpoints["parcels"].current.name == "parcels@1"
