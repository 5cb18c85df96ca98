"""What each exit code means, by a real case of it."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import toy
from cli.command import PENSTOCK, document, ends, invoke, replaced

from penstock import Project
from penstock.deliver.serving_state import hold_server
from penstock.ledger import hold_lease


@pytest.fixture
def root(project: Project) -> Path:
    return project._workspace.project.root


def test_0_done(root: Path) -> None:
    assert invoke("status", "-C", root).exit_code == 0
    done = invoke("run", "-C", root, "--json")
    assert (done.exit_code, document(done)["evaluation"]["verdict"]) == (0, "PASS")


def test_1_failed_when_the_users_code_did(root: Path) -> None:
    replaced(root / "pipeline.py", ('    print("fitting"', '    raise ValueError("no")\n    print("fitting"'))
    failed = invoke("run", "-C", root)
    assert failed.exit_code == 1
    assert "error: pipeline.py:39: pipeline:fit raised ValueError: no" in failed.stderr
    assert "next: penstock train log 2" in failed.stderr


def test_1_failed_when_something_was_tampered_with(root: Path) -> None:
    blob = next(path for path in (root / ".penstock" / "store" / "blobs").rglob("*") if path.is_file())
    blob.chmod(0o644)
    blob.write_bytes(b"something else")
    found = invoke("data", "verify", "-C", root)
    assert found.exit_code == 1
    assert blob.name[:12] in found.stdout


def test_2_a_wrong_call(root: Path) -> None:
    for call in (["nonsense"], ["promote", "--nonsense"], ["trace"], ["train", "show", "7", "-C", root]):
        assert invoke(*call).exit_code == 2, call
    assert ends("status", cwd=Path("/")) == (
        2, "", "error: /: no penstock.yaml in this directory or above it\n"
        "  next: penstock init NAME --data FILE.csv --target COLUMN\n",
    )  # fmt: skip


def test_2_a_wrong_file_with_every_problem_at_its_place(root: Path) -> None:
    changes = ("mode: append", "mod: append"), ("holdout: last 25%", "holdout: lots")
    replaced(root / "penstock.yaml", *changes)
    wrong = invoke("run", "-C", root)
    assert wrong.exit_code == 2
    assert wrong.stderr.splitlines() == [
        "error: penstock.yaml:13:43: unknown key 'mod' in `data.datasets.parcels` (did you mean 'mode'?)",
        "penstock.yaml:25:12: `train.holdout` is 'lots' (expected `last 20%`, `last 31d` or `random 20%`)",
        f"  next: correct {root / 'penstock.yaml'}",
    ]
    problems = document(invoke("run", "-C", root, "--json"))["problems"]
    assert [problem["where"] for problem in problems] == [
        "penstock.yaml:13:43",
        "penstock.yaml:25:12",
    ]


def test_3_a_promotion_that_nobody_signed(root: Path) -> None:
    refused = invoke("promote", "-C", root, "--as", "ada")
    assert refused.exit_code == 3
    assert "lacks: a signature under the objective: penstock objective sign --as NAME --role ROLE" in refused.stderr
    assert document(invoke("promote", "-C", root, "--json"))["lacks"]
    assert invoke("deliver", "lacks", "-C", root).exit_code == 3
    invoke("objective", "sign", "-C", root, "--as", "ada", "--role", "owner")
    assert invoke("promote", "-C", root, "--as", "ada").exit_code == 0


def test_3_a_model_that_the_gates_refuse(root: Path) -> None:
    replaced(root / "penstock.yaml", ("roc_auc: {min: 0.7}", "roc_auc: {min: 0.9999}"))
    refused = invoke("run", "-C", root)
    assert refused.exit_code == 3
    assert "✗ roc_auc at least 0.9999" in refused.stdout
    assert "the gates refuse parcels@1 now; it stays registered" in refused.stdout
    assert invoke("validate", "show", "-C", root).exit_code == 3


def test_4_data_that_break_their_contract(root: Path) -> None:
    (root / "data" / "parcels-2.csv").write_text("parcel_id,sent,depot,weight,express\nx,2024-03-01,north,1,true\n")
    for command in (["data", "ingest"], ["run"]):
        broken = invoke(*command, "-C", root)
        assert broken.exit_code == 4
        assert "file: data/parcels-2.csv, column: late, change: missing" in broken.stderr
        assert "read by: the target, means: there is no answer to learn from" in broken.stderr
        assert "edit contracts/parcels.yaml" in broken.stderr
    file = root / "data" / "parcels-2.csv"
    assert invoke("data", "check", file, "--dataset", "parcels", "-C", root, "--json").exit_code == 4
    assert document(invoke("data", "log", "parcels", "-C", root, "--json"))[0]["rows"] == 600


def test_5_the_loop_is_at_work_elsewhere(project: Project, root: Path) -> None:
    with hold_lease(project._workspace.ledger, "loop:parcels"):
        busy = invoke("improve", "tick", "-C", root)
    assert busy.exit_code == 5
    assert "is being done by" in busy.stderr
    assert "next: wait for it to end" in busy.stderr


def test_5_the_directory_is_served_already(project: Project, root: Path) -> None:
    invoke("deliver", "refresh", "-C", root)
    with hold_server(project._workspace.serve_directory):
        code, output, errors = ends("serve", "-C", root, "--port", "0")
    assert (code, output) == (5, "")
    assert "already serves this directory" in errors


def test_5_a_tag_never_moves(root: Path) -> None:
    assert invoke("data", "tag", "parcels", "first", "-C", root).exit_code == 0
    toy.write_parcels(root, "parcels-2.csv", toy.parcels(50, seed=2, start=toy.START + timedelta(days=40)))
    assert invoke("data", "ingest", "-C", root).exit_code == 0
    moved = invoke("data", "tag", "parcels", "first", "-C", root)
    assert moved.exit_code == 5, moved.stderr


def test_1_a_document_that_cannot_be_written(root: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [*PENSTOCK, "data", "show", "parcels", "-n", "600", "--json", "-C", str(root)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "error: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
