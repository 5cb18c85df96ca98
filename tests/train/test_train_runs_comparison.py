"""Two runs with one planted difference: it is named, and nothing else."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from train.train_environments import environment, index, only, run_in, wheel
from train.train_runs import add_run
from train.train_toy import MODEL, STEPS, YAML, Toy, examples, opened, toy

from penstock.data import training_set
from penstock.errors import UsageError
from penstock.ledger import Ledger
from penstock.store import Manifest, Store
from penstock.train import Tables, find_run
from penstock.train.runs import RunComparison, compare_runs


@pytest.fixture
def project(tmp_path: Path) -> Toy:
    made = toy(tmp_path / "toy")
    made.train()
    return made


def compared(project: Toy, *names: str) -> RunComparison:
    with project.ledger.read() as reader:
        return compare_runs(reader, project.store, [find_run(reader, name) for name in names or ("1", "2")])


def inputs(found: RunComparison) -> dict[str, tuple[object, ...]]:
    """What went in and is not the same."""
    outcome = ("started", "duration", "content hash")
    rows = (*found.params, *found.data, *found.features, *(row for row in found.facts if row.name not in outcome))
    return {row.name: row.values for row in rows if row.differs}


def test_nothing(project: Toy) -> None:
    project.train()
    found = compared(project)
    assert inputs(found) == {}
    assert (found.code, found.changes, found.environments) == (("",), ((),), ((),))


def test_one_parameter_of_three_runs(project: Toy) -> None:
    project.train()
    project.train(sets=("train.params.depth=5",))
    found = compared(project, "3", "1", "2")
    assert inputs(found) == {"depth": (5, 4, 4)}
    assert [run.number for run in found.runs] == [3, 1, 2]
    assert len(found.code) == len(found.environments) == 2


def test_the_seed(project: Toy) -> None:
    project.train(sets=("train.seed=4",))
    assert inputs(compared(project)) == {"seed": (3, 4)}


def test_the_thread_count(project: Toy) -> None:
    project.train(sets=("train.threads=2",))
    found = compared(project)
    assert inputs(found)["threads"] == (1, 2)
    assert "variables OMP_NUM_THREADS: 1 then, 2 now" in found.environments[0]


def test_one_line_of_code_in_a_module_that_fit_imports(project: Toy) -> None:
    (project.root / "steps.py").write_text(STEPS.replace("SimpleImputer()", 'SimpleImputer(strategy="median")'))
    project.train()
    (patch,) = compared(project).code
    changed = [line for line in patch.splitlines() if line[:1] in "+-"]
    assert [line[:20] for line in changed[:2]] == ["--- run 1/steps.py", "+++ run 2/steps.py"]
    assert [(line[0], "median" in line) for line in changed[2:]] == [("-", False), ("+", True)]


def test_a_module_that_came(project: Toy) -> None:
    (project.root / "more.py").write_text("DEPTH = 3\n")
    (project.root / "pipeline.py").write_text("import more\n" + MODEL)
    project.train()
    (patch,) = compared(project).code
    assert "--- /dev/null\n+++ run 2/more.py\n" in patch
    assert "+DEPTH = 3\n" in patch


def test_one_row_of_the_data(project: Toy) -> None:
    table = project.store.write_table(
        examples(400).with_columns(wind=pl.when(pl.int_range(400) == 7).then(30.5).otherwise("wind"))
    )
    commit = project.store.commit(Manifest(table.schema, table.parts, producer="test"))
    made = training_set(project.project, project.store, {"rows": commit}, examples="rows")
    replace(project, commit=commit, tables=Tables(made.train, made.holdout, made.views)).train()
    found = compared(project)
    assert inputs(found) == {"rows": (project.commit, commit)}
    ((told,),) = found.changes
    assert told.startswith("rows: 1 row added, 1 row removed (penstock data diff rows@")


def test_the_columns_of_requests(project: Toy) -> None:
    (project.root / "penstock.yaml").write_text(
        YAML.replace("request: [distance, wind, carrier]", "request: [wind, carrier]")
    )
    (project.root / "steps.py").write_text(STEPS.replace('["distance", "wind"]', '["wind"]'))
    narrow = opened(project.root)
    narrow.train()
    assert {name: both for name, both in inputs(compared(project)).items() if name.startswith("feature ")} == {
        "feature distance": ("Float64", None)
    }


def test_a_run_that_failed_is_compared_by_what_it_has(project: Toy) -> None:
    (project.root / "pipeline.py").write_text(MODEL.replace("forest =", "raise ValueError\n    forest ="))
    with pytest.raises(Exception, match="ValueError"):
        project.train()
    found = compared(project)
    assert next(row.values for row in found.facts if row.name == "status") == ("finished", "failed")
    assert "+    raise ValueError" in found.code[0]
    assert next(row.values for row in found.metrics if row.name == "rows")[1] is None


ROUNDED = MODEL.replace("import steps", "import rounding\nimport steps").replace(
    "Classifier(10", "Classifier(rounding.TREES"
)
TRAIN = "import sys; from pathlib import Path; from train.train_toy import opened; opened(Path(sys.argv[1])).train()"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A project that was trained in two environments, with two versions of a library that fit imports."""
    wheels = [wheel(tmp_path / "wheels", "rounding", f"{n}.0", f"TREES = {n}\n") for n in (3, 4)]
    monkeypatch.setenv("UV_CONFIG_FILE", str(only(index(tmp_path / "index", *wheels))))
    made = toy(tmp_path / "toy", ROUNDED)
    for number, each in enumerate(wheels):
        run_in(environment(tmp_path / f"environment{number}", each), TRAIN, made.root)
    return opened(made.root)


def test_one_library_version(elsewhere: Toy) -> None:
    assert compared(elsewhere).environments == (("rounding: 3.0 then, 4.0 now",),)


# --- runs of other tools -------------------------------------------------------------------------


@pytest.fixture
def tracked(tmp_path: Path) -> tuple[Ledger, Store]:
    ledger, store = Ledger.open(f"sqlite:///{tmp_path}/ledger.db"), Store.open(tmp_path / "store")
    lines = {"loss": [3.0, 2.0, 1.0], "auc": 0.7}
    add_run(ledger, 1, metrics=lines, kind="tracked", code="", environment="", data={"rows": "a digest of a tool"})
    add_run(ledger, 2, metrics={"loss": 2.5}, kind="tracked", code="", environment="", data={"rows": "another"})
    return ledger, store


def test_runs_that_were_only_tracked(tracked: tuple[Ledger, Store]) -> None:
    ledger, store = tracked
    with ledger.read() as reader:
        found = compare_runs(reader, store, [find_run(reader, "run-1"), find_run(reader, "run-2")])
    assert {row.name: row.values for row in found.metrics} == {"auc": (0.7, None), "loss": (1.0, 2.5)}
    assert [(curve.metric, curve.run, curve.steps, curve.values) for curve in found.curves] == [
        ("loss", 1, (0, 1, 2), (3.0, 2.0, 1.0))
    ]
    assert inputs(found)["rows"] == ("a digest of a tool", "another")


def test_one_run_is_no_comparison(tracked: tuple[Ledger, Store]) -> None:
    ledger, store = tracked
    with ledger.read() as reader, pytest.raises(UsageError, match="two runs or more"):
        compare_runs(reader, store, [find_run(reader, "run-1")] * 2)
