import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import toy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock import Project
from penstock.errors import FunctionError, UsageError
from penstock.pipeline import Expected, Explanation, Turn

# Functions apart from each other, so that a change of one is not a change of all.
FILES = {"depots": ("depots",), "views": ("parcel", "load"), "model": ("fit",)}
TRANSFORMS = """\
  transforms:
    busy: {function: "tables:busy", from: depots}
"""
BUSY = """
import polars as pl


def busy(depots):
    return depots.filter(pl.col("load") >= 0)
"""


def make_project(root: Path) -> Path:
    """The toy project with a transform, and its functions in files of their own."""
    toy.make_project(root)
    imports, *functions = toy.PIPELINE.split("\n\n\ndef ")
    bodies = {body.partition("(")[0]: f"def {body}" for body in functions}
    text = (root / "penstock.yaml").read_text()
    for file, names in FILES.items():
        (root / f"{file}.py").write_text("\n\n\n".join([imports, *(bodies[name] for name in names)]) + "\n")
        for name in names:
            text = text.replace(f"pipeline:{name}", f"{file}:{name}")
    (root / "pipeline.py").unlink()
    (root / "tables.py").write_text(BUSY)
    text = text.replace("from: depots,", "from: busy,").replace(
        "  examples: parcels", f"{TRANSFORMS}  examples: parcels"
    )
    (root / "penstock.yaml").write_text(text)
    return root


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after its first run."""
    root = make_project(tmp_path_factory.mktemp("explained") / "parcels")
    turn = Project.open(root, actor="ada").run()
    assert turn.exit_code == 0, turn.lacks
    return root


@pytest.fixture
def root(done: Path, tmp_path: Path) -> Path:
    return toy.copy_project(done, tmp_path / "parcels")


def explained(root: Path, *sets: str) -> Explanation:
    return Project.open(root, actor="ada", sets=sets).explain()


def ran(root: Path, *sets: str) -> Turn:
    return Project.open(root, actor="ada", sets=sets).run()


def names(explanation: Explanation, state: str) -> list[str]:
    return [step.step for step in explanation.steps if step.state == state]


def step(explanation: Explanation, name: str) -> Expected:
    (found,) = [one for one in explanation.steps if one.step == name]
    return found


def append(root: Path, file: str, text: str = "\n# a thought\n") -> None:
    (root / file).write_text((root / file).read_text() + text)


def replace(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))


def new_rows(root: Path) -> None:
    toy.write_parcels(root, "parcels-2.csv", toy.parcels(100, seed=2, start=toy.START + timedelta(days=26)))


# --- what it says of each kind of change ---------------------------------------------------------


def test_nothing_changed(root: Path) -> None:
    found = explained(root)
    assert names(found, "cached") == [one.step for one in found.steps]
    assert step(found, "register").reasons == ("parcels@1 is registered",)


def test_before_the_first_run_everything_is_new_and_nothing_is_made(tmp_path: Path) -> None:
    root = make_project(tmp_path / "parcels")
    before = sorted(root.rglob("*"))
    found = explained(root)
    assert sorted(root.rglob("*")) == before
    assert {one.reasons[0] for one in found.steps[:-1]} == {"first ingest", "first run"}
    assert names(found, "unknown") == ["register"]


def test_looking_writes_nothing(root: Path) -> None:
    new_rows(root)
    append(root, "model.py")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.suffix != ".db-shm"}
    explained(root, "train.params.C=0.5")
    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.suffix != ".db-shm"}
    assert after == before


def test_a_parameter(root: Path) -> None:
    found = explained(root, "train.params.C=0.5")
    assert names(found, "run") == ["train", "evaluate"]
    assert step(found, "train").reasons == ("params.C 1.0 → 0.5",)
    assert step(found, "evaluate").after == ("train",)
    assert step(found, "register").after == ("train", "evaluate")


def test_code_is_told_to_the_line(root: Path) -> None:
    replace(root, "model.py", "max_iter=500", "max_iter=900")
    (reason,) = step(explained(root), "train").reasons
    assert reason.startswith("model.py:")
    assert " in fit: `return make_pipeline(columns, LogisticRegression(C=C" in reason


def test_a_feature_view_and_its_settings(root: Path) -> None:
    replace(root, "views.py", 'alias("weekday")', 'alias("day")')
    replace(root, "penstock.yaml", "ttl: 40d", "ttl: 20d")
    found = explained(root)
    assert names(found, "run") == ["training set", "train", "evaluate"]
    reasons = step(found, "training set").reasons
    assert any(" in parcel: " in reason for reason in reasons)
    assert "feature view load: ttl 40d → 20d" in reasons


def test_new_data_are_told_by_their_files_and_what_follows_is_open(root: Path) -> None:
    new_rows(root)
    found = explained(root)
    size = (root / "data" / "parcels-2.csv").stat().st_size
    assert step(found, "ingest parcels").reasons == (f"data/parcels-2.csv is new ({size:,} bytes)",)
    assert names(found, "run") == ["ingest parcels"]
    assert step(found, "train") == Expected("train", "unknown", (), ("training set",))


def test_another_version_is_told_with_its_rows(root: Path) -> None:
    new_rows(root)
    Project.open(root, actor="ada").data.ingest("parcels")
    reasons = step(explained(root), "training set").reasons
    assert len(reasons) == 1
    assert "(600 rows) → " in reasons[0]
    assert reasons[0].endswith("(700 rows)")


def test_a_source_function(root: Path) -> None:
    replace(root, "depots.py", "% 10", "% 9")
    found = explained(root)
    (reason,) = step(found, "ingest depots").reasons
    assert reason.startswith("depots.py:")
    assert " in depots: `" in reason
    assert step(found, "transform busy").after == ("ingest depots",)


def test_a_contract_is_told_to_the_line(root: Path) -> None:
    replace(root, "contracts/parcels.yaml", "max: 100", "max: 90")
    (reason,) = step(explained(root), "ingest parcels").reasons
    assert reason.startswith("contracts/parcels.yaml:6: `weight:")


def test_a_file_that_was_only_touched_is_no_change(root: Path) -> None:
    (root / "data" / "parcels-1.csv").touch()
    assert names(explained(root), "run") == []


def test_what_may_come_out_the_same_is_not_promised(root: Path) -> None:
    append(root, "depots.py")  # the function is asked again and gives the same rows
    found = explained(root)
    assert names(found, "run") == ["ingest depots"]
    assert {event.step for event in ran(root).events if event.state == "done"} == set()


def test_a_transform(root: Path) -> None:
    replace(root, "tables.py", ">= 0", ">= 1")
    found = explained(root)
    assert names(found, "run") == ["transform busy", "training set", "train", "evaluate"]
    assert step(found, "transform busy").reasons[0].startswith("tables.py:6 in busy: ")


def test_gates_and_objective(root: Path) -> None:
    assert names(explained(root, "objective.thresholds.roc_auc.min=0.75"), "run") == ["evaluate"]
    (reason,) = step(explained(root, "objective.thresholds.roc_auc.min=0.75"), "evaluate").reasons
    assert reason == "objective.thresholds.roc_auc.min 0.7 → 0.75"
    replace(root, "penstock.yaml", "rule: superior}", "rule: superior, min_n: 50}")
    (reason,) = step(explained(root), "evaluate").reasons
    assert reason == "gate 'log_loss better than baseline': min_n 100 → 50"


def test_a_version_in_production_is_a_new_champion(root: Path) -> None:
    project = Project.open(root, actor="ada")
    project.objective.sign(role="owner")
    ran(root, "train.params.C=0.5")
    project.promote("1")
    (reason,) = step(explained(root, "train.params.C=0.5"), "evaluate").reasons
    assert reason == "champion none → parcels@1"


def test_another_library(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "site" / "toolbox-1.2.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    found = explained(root)
    assert names(found, "run") == ["train", "evaluate"]
    assert step(found, "train").reasons == ("toolbox added",)


def test_what_would_stop_the_run_stops_the_explanation(root: Path) -> None:
    with pytest.raises(FunctionError, match="depth"):
        explained(root, "train.params.depth=3")
    append(root, "data/parcels-1.csv", "x,y\n")
    with pytest.raises(UsageError, match="only ever appends"):
        explained(root)


# --- what it said is what then happens -----------------------------------------------------------

CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "rows": (new_rows, ""),
    "depots": (lambda root: replace(root, "depots.py", "% 10", "% 9"), ""),
    "depots thought": (lambda root: append(root, "depots.py"), ""),
    "transform": (lambda root: replace(root, "tables.py", ">= 0", ">= 1"), ""),
    "views": (lambda root: replace(root, "views.py", 'alias("weekday")', 'alias("day")'), ""),
    "fit": (lambda root: append(root, "model.py"), ""),
    "contract": (lambda root: replace(root, "contracts/parcels.yaml", "max: 100", "max: 90"), ""),
    "touch": (lambda root: (root / "data" / "parcels-1.csv").touch(), ""),
    "parameter": (lambda root: None, "train.params.C=0.5"),
    "seed": (lambda root: None, "train.seed=8"),
    "threshold": (lambda root: None, "objective.thresholds.roc_auc.min=0.72"),
    "ttl": (lambda root: None, "data.features.load.ttl=20d"),
    "bench": (lambda root: None, "data.datasets.parcels.bench.depth=quick"),
    "slices": (lambda root: None, "validate.slices=[]"),
    "costs": (lambda root: None, "objective.costs.false_positive=3"),
    "monitor": (lambda root: None, "monitor.window=1w"),
}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(chosen=st.lists(st.sampled_from(sorted(CHANGES)), unique=True, max_size=4))
def test_what_was_explained_is_what_is_done(done: Path, tmp_path: Path, chosen: list[str]) -> None:
    root = toy.copy_project(done, tmp_path / "changed")
    try:
        for name in chosen:
            CHANGES[name][0](root)
        sets = [CHANGES[name][1] for name in chosen if CHANGES[name][1]]
        found, turn = explained(root, *sets), ran(root, *sets)
        did = {event.step for event in turn.events if event.state == "done"}
        # asking a function again may give the same rows, which the ingest then calls cached
        read = {name for name in names(found, "run") if name.startswith("ingest")}
        assert set(names(found, "run")) - read <= did
        assert did <= set(names(found, "run")) | set(names(found, "unknown"))
        assert names(explained(root, *sets), "run") == names(explained(root, *sets), "unknown") == []
    finally:
        shutil.rmtree(root)
