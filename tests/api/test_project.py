import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import toy

from penstock import Project
from penstock.deliver.serving_state import Applied, read_applied, server_running
from penstock.errors import UsageError
from penstock.ledger import Execution, SeriesPoint

ROW = {"parcel_id": "new-1", "sent": "2024-01-20T10:00:00", "depot": "south", "weight": 9.5, "express": False}


@pytest.fixture
def served(project: Project) -> Project:
    project.objective.sign(role="owner", note="agreed")
    project.promote(reason="first")
    return project


def ask(url: str, *rows: dict[str, object]) -> dict[str, object]:
    reply = httpx.post(f"{url}/predict/parcels", json={"rows": list(rows) or [ROW]}, timeout=30)
    assert reply.status_code == 200, reply.text
    answer: dict[str, object] = reply.json()
    return answer


def test_trace_goes_from_a_prediction_to_rows_code_and_people(served: Project) -> None:
    from penstock.serve import ServerProcess

    with ServerProcess(served._workspace.serve_directory) as server:
        (answer,) = ask(server.url)["predictions"]  # type: ignore[misc]
    found = served.trace(f"prediction:{answer['id']}")
    assert (found.start.id, found.start.label) == (f"prediction:{answer['id']}", answer["id"])
    assert found.prediction is not None
    assert found.prediction["request"]["depot"] == "south"
    assert found.prediction["vector"]["load"] is not None
    kinds = {node.kind for node in found.upstream}
    assert {"model", "bundle", "run", "data", "code", "environment", "objective", "evaluation"} <= kinds
    assert {"deployment", "signoff"} <= kinds  # who let it answer
    parcels = served.data.version("parcels")
    assert f"data:{parcels.commit}" in {node.id for node in found.upstream}


@pytest.mark.parametrize("text", ["parcels@1", "run:1", "parcels", "parcels@main"])
def test_trace_starts_anywhere(served: Project, text: str) -> None:
    found = served.trace(text)
    assert found.start.label
    assert found.upstream or found.downstream


def test_trace_takes_the_start_of_an_id(served: Project) -> None:
    run = served.train.runs()[0]
    assert served.trace(run.id[:14]).start.label == "run 1"
    bundle = served.deliver.models()[0].bundle
    assert served.trace(bundle[:10]).start.kind == "bundle"


def test_trace_of_nothing_says_what_can_be_traced(served: Project) -> None:
    with pytest.raises(UsageError, match="nothing is named 'nonsense'") as caught:
        served.trace("nonsense")
    assert "prediction id" in (caught.value.expected or "")


@pytest.mark.parametrize("text", ["model:foo", "run:²", "nothing@²", "run:" + "9" * 23, "@" + "9" * 23, "run:-1"])
def test_a_number_that_is_none_names_nothing(project: Project, text: str) -> None:
    with pytest.raises(UsageError, match="nothing is named"):
        project.trace(text)


def test_status_tells_what_runs_why_and_what_is_next(project: Project) -> None:
    before = project.status()
    assert before.production is None
    assert before.candidate is not None
    assert before.due.startswith("a signature under the objective")
    project.objective.sign(role="owner")
    assert project.status().due == "penstock promote 1"
    project.promote(reason="first")
    after = project.status()
    assert after.production is not None
    assert (after.production.version.name, after.production.by, after.production.reason) == (
        "parcels@1",
        "ada",
        "first",
    )
    assert after.signed_by == ("ada (owner)",)
    assert after.serving is None
    assert {version.dataset for version in after.data} == {"parcels", "depots"}
    names = {item.name: item.done for item in after.maturity.items}
    assert names["objective signed"]
    assert not names["monitoring"]
    assert after.maturity.level in (0, 1)


def test_a_number_of_few_rows_says_nothing(served: Project) -> None:
    few, many = (
        SeriesPoint("parcels", "roc_auc", "", start, start + timedelta(days=1), "*", 0.4, n, start)
        for start, n in ((datetime(2024, 2, 2, tzinfo=UTC), 3), (datetime(2024, 2, 1, tzinfo=UTC), 200))
    )
    with served._workspace.ledger.write() as tx:
        tx.put(few)
    assert [(number.holds, number.n) for number in served.status().numbers] == [(None, 3)]
    with served._workspace.ledger.write() as tx:
        tx.put(many)
    assert [(number.holds, number.n) for number in served.status().numbers] == [(False, 200)]


def test_a_fresh_project_has_a_status(tmp_path: Path) -> None:
    state = Project.open(toy.make_project(tmp_path), actor="ada").status()
    assert (state.production, state.candidate, state.due) == (None, None, "penstock run")
    assert state.maturity.level == 0


def test_a_run_is_reproduced_to_the_byte(project: Project) -> None:
    result = project.reproduce("1")
    assert result.grade == "bytes"
    assert result.differences == ()


def test_garbage_collection_keeps_what_anything_leads_to(served: Project) -> None:
    before = {run.id for run in served.train.runs()}
    served._workspace.store.collect_garbage(set())  # nothing is older than the grace time
    swept = served.data.collect()
    assert swept.removed == 0
    assert served.data.verify() == ()
    assert {run.id for run in served.train.runs()} == before
    assert served.run().changed is False


def test_up_serves_and_ticks_until_it_is_told_to_stop(served: Project) -> None:
    root = served._workspace.project.root
    command = [sys.executable, "-m", "penstock", "up", "-C", str(root), "--port", "0"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not _answers(applied := read_applied(served._workspace.serve_directory)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert applied is not None
        assert ask(applied.url)["model"] == "parcels@1"
    finally:
        os.kill(child.pid, signal.SIGTERM)
        output = child.communicate(timeout=60)[0].decode()
    assert child.returncode == 0, output
    assert "serving on http://127.0.0.1:" in output


def test_up_gives_a_training_under_way_up_when_told_to_stop(served: Project) -> None:
    root = served._workspace.project.root
    begun = root / "begun"
    pipeline = root / "pipeline.py"
    wait = f"    import pathlib, time\n    pathlib.Path({str(begun)!r}).touch()\n    time.sleep(600)\n"
    pipeline.write_text(pipeline.read_text().replace('    print("fitting"', wait + '    print("fitting"'))
    toy.write_parcels(root, "parcels-2.csv", toy.parcels(100, seed=2, start=toy.START + timedelta(days=40)))
    command = [sys.executable, "-m", "penstock", "up", "-C", str(root), "--port", "0"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not begun.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        os.kill(child.pid, signal.SIGTERM)
        output = child.communicate(timeout=60)[0].decode()
    assert child.returncode == 0, output
    assert not server_running(served._workspace.serve_directory)
    assert [model.number for model in served.deliver.models()] == [1]


def _answers(applied: Applied | None) -> bool:
    return applied is not None and any(endpoint.generation > 0 for endpoint in applied.endpoints.values())


def test_verify_misses_what_the_ledger_says_was_stored(served: Project) -> None:
    store = served._workspace.store
    (bundle,) = served.deliver.models()
    version = served.data.version("parcels")
    model = next(file["blake3"] for path, file in store.read_json(bundle.bundle)["files"].items() if "model" in path)
    part = store.manifest(version.commit).parts[0].digest
    for digest in (model, part):
        store.blobs.location(digest).unlink()
    damage = {one.digest: one for one in served.data.verify()}
    assert set(damage) == {model, part}
    assert "missing" in damage[part].why
    assert damage[part].parts
    with served._workspace.ledger.read() as reader:
        (cut,) = reader.find(Execution, step="training set")
    for digest in (bundle.bundle, str(cut.outputs["train"])):
        store.blobs.location(digest).unlink()
        assert digest in {one.digest for one in served.data.verify()}


def test_status_tells_the_rest_when_code_is_missing_from_the_store(project: Project) -> None:
    root = project._workspace.project.root
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    assert "code under version control" not in [item.name for item in project.status().maturity.missing]
    store = project._workspace.store
    store.blobs.location(project.train.runs()[0].code).unlink()
    assert "code under version control" in [item.name for item in project.status().maturity.missing]


def test_a_user_without_a_name_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert Project.open(toy.make_project(tmp_path)).objective.sign(role="owner").name == f"uid {os.getuid()}"
