import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from train.train_environments import environment, run_in, wheel
from train.train_toy import MODEL, Toy, toy

from penstock.errors import Damaged, UsageError
from penstock.ledger import AuditEntry, Run, utc_now, verify_audit
from penstock.train import TOLERANCE, find_run, reproduce
from penstock.train.launch import Trained
from penstock.train.reproduction.reproduce import changed_metrics, grade, max_difference


def only_run(project: Toy) -> Run:
    with project.ledger.read() as reader:
        return find_run(reader, "1")


def change(project: Toy, **values: object) -> None:
    with project.ledger.write() as transaction:
        assert transaction.change(Run, {"number": 1}, **values)


def test_a_run_is_reproduced_to_the_byte_from_what_was_recorded(trained: Toy) -> None:
    run = only_run(trained)
    before = set(trained.store.blobs.digests())
    again = reproduce(trained.project, trained.ledger, trained.store, run.id[:20], actor="ada")
    assert (again.grade, again.same, again.max_difference) == ("bytes", True, 0.0)
    assert again.differences == again.causes == ()
    assert again.metrics == {}
    assert not again.rebuilt
    assert again.content_hash == run.content_hash
    assert again.run == run
    with trained.ledger.read() as reader:
        (entry,) = reader.find(AuditEntry, action="reproduce")
        assert verify_audit(reader).whole
        assert reader.count(Run) == 2
    assert (entry.actor, entry.subject, entry.payload["grade"]) == ("ada", f"run:{run.id}", "bytes")
    assert set(trained.store.blobs.digests()) == before
    assert list((trained.project.home / "reproductions").iterdir()) == []


def test_numbers_that_the_training_measured_are_compared_and_no_others() -> None:
    then = {"seconds": 3.0, "rows": 9.0, "valid_auc": 0.7, "roc_auc": 0.6}
    assert changed_metrics(then, {"seconds": 4.0, "rows": 9.0, "valid_auc": 0.8}) == {"valid_auc": (0.7, 0.8)}


def test_another_seed_and_another_environment_are_seen(trained: Toy) -> None:
    run = only_run(trained)
    then = trained.store.read_json(run.environment)
    then["python"]["version"] = "3.1.4"
    then["distributions"]["numpy"]["version"] = "1.0"
    change(trained, seed=run.seed + 1, environment=trained.store.put_json(then))
    again = reproduce(trained.project, trained.ledger, trained.store, "1", actor="ada", environment="here")
    change(trained, seed=run.seed, environment=run.environment)
    assert again.grade == "different"
    assert not again.same
    assert again.max_difference is not None
    assert again.max_difference > TOLERANCE
    assert again.differences[0].startswith("numpy: 1.0 then, ")
    assert any(each.startswith("python version: 3.1.4 then, ") for each in again.differences)
    assert again.causes == again.differences
    assert not again.rebuilt


@pytest.mark.parametrize("table", ["train", "holdout", "rows"])
def test_tampered_data_are_named(trained: Toy, table: str) -> None:
    manifest = trained.store.manifest(getattr(trained.tables, table, trained.commit))
    blob = trained.store.blobs.location(manifest.parts[0].digest)
    whole = blob.read_bytes()
    blob.chmod(0o644)
    blob.write_bytes(whole[:-1] + b"?")
    with pytest.raises(Damaged, match="part 1 of 1"):
        reproduce(trained.project, trained.ledger, trained.store, "1", actor="ada")
    blob.write_bytes(whole)


def test_a_run_without_a_model_cannot_be_compared(trained: Toy) -> None:
    change(trained, status="failed")
    with pytest.raises(UsageError, match="run 1 is failed"):
        reproduce(trained.project, trained.ledger, trained.store, "1", actor="ada")
    change(trained, status="finished")


RUN = Run(
    "id", 1, "finished", "key", "p:fit", {}, 1, {}, {}, "code", None, None, "environment", {}, 1, utc_now(),
    content_hash="content", probe_hash="probe",
)  # fmt: skip
TRAINED = Trained("bundle", "skops", 1, "public", "signature", "content", "probe", "environment", {})


@pytest.mark.parametrize(
    ("content", "probe", "largest", "expected"),
    [
        ("content", "probe", 0.0, "bytes"),
        ("other", "probe", 0.0, "bit-equal"),
        ("other", "other", TOLERANCE, "within tolerance"),
        ("content", "other", 1e-15, "within tolerance"),
        ("other", "other", TOLERANCE * 2, "different"),
        ("other", "other", math.nan, "different"),
        ("other", "other", None, "different"),
    ],
)
def test_grades(content: str, probe: str, largest: float | None, expected: str) -> None:
    assert grade(RUN, replace(TRAINED, content_hash=content, probe_hash=probe), largest) == expected


def scores(*values: float) -> pl.DataFrame:
    return pl.DataFrame({"score_0": values}, schema={"score_0": pl.Float64})


def test_the_largest_difference_is_absolute_below_one_and_relative_above() -> None:
    assert max_difference(scores(0.25, 0.5), scores(0.25, 0.75)) == 0.25
    assert max_difference(scores(-1000.0), scores(-1001.0)) == 0.001
    assert max_difference(scores(1.0), scores(1.0, 2.0)) is None
    assert max_difference(scores(), scores()) == 0.0


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_equal_scores_differ_by_nothing(values: list[float]) -> None:
    assert max_difference(scores(*values), scores(*values)) == 0.0


PENSTOCK = "import runpy, sys; sys.argv[0] = 'penstock'; runpy.run_module('penstock', run_name='__main__')"
ADA = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
SHARED = "ledger: sqlite:///${SHARED}/ledger.db\nstore: ${SHARED}/store\n"
ROUNDED = MODEL.replace("import steps", "import rounding\nimport steps").replace(
    "Classifier(10", "Classifier(rounding.TREES"
)
TRAIN = "import sys; from pathlib import Path; from train.train_toy import opened; opened(Path(sys.argv[1])).train()"


@pytest.mark.slow
def test_a_run_of_another_machine_is_reproduced_in_its_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another clone, home and environment, with the ledger and the store in common. Asks uv's cache or its index."""
    monkeypatch.setenv("SHARED", str(tmp_path / "shared"))
    there = toy(tmp_path / "there", ROUNDED, more=SHARED)
    old, new = (wheel(tmp_path / "wheels", "rounding", f"{n}.0", f"TREES = {n}\n") for n in (3, 4))
    for arguments in (["init", "-q"], ["add", "."], [*ADA, "commit", "-qm", "what is trained"]):
        subprocess.run(["git", *arguments], cwd=there.root, check=True)
    run_in(environment(tmp_path / "old", old), TRAIN, there.root)

    here = tmp_path / "home" / "here"
    subprocess.run(["git", "clone", "-q", there.root, here], check=True)
    machine = {"HOME": here.parent, "UV_CACHE_DIR": Path.home() / ".cache" / "uv"}
    python = environment(tmp_path / "new", new)
    told = json.loads(run_in(python, PENSTOCK, "reproduce", "1", "-C", here, "--json", **machine))
    assert [told[name] for name in ("grade", "rebuilt", "differences", "causes")] == ["bytes", True, [], []]
    assert len(list((here / ".penstock" / "environments").iterdir())) == 1

    with pytest.raises(subprocess.CalledProcessError) as another:
        run_in(python, PENSTOCK, "reproduce", "1", "--here", "-C", here, "--json", **machine)
    told = json.loads(another.value.stdout)
    assert told["grade"] == "different"
    assert told["causes"] == ["rounding: 3.0 then, 4.0 now"]
