"""Two runs with one planted difference: it is named."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from train.train_environments import environment, index, only, run_in, wheel
from train.train_toy import MODEL, STEPS, Toy, examples, opened, toy

from penstock.data import training_set
from penstock.errors import UsageError
from penstock.store import Manifest
from penstock.train import Recipe, Tables, find_run, reproduce, run_differences
from penstock.train.launch import Trained
from penstock.train.reproduction.causes import environment_causes, likely_causes, recipe_differences, recorded_recipe

NOTHING = Trained("bundle", "skops", 1, "public", "signature", "content", "probe", "environment", {})


def differences(project: Toy) -> tuple[str, ...]:
    with project.ledger.read() as reader:
        return run_differences(reader, project.store, find_run(reader, "1"), find_run(reader, "2"))


@pytest.fixture
def project(tmp_path: Path) -> Toy:
    made = toy(tmp_path / "toy")
    made.train()
    return made


def test_nothing(project: Toy) -> None:
    project.train()
    assert differences(project) == ()


def test_one_parameter(project: Toy) -> None:
    project.train(sets=("train.params.depth=5",))
    assert differences(project) == ("params depth: 4 then, 5 now",)


def test_the_seed(project: Toy) -> None:
    project.train(sets=("train.seed=4",))
    assert differences(project) == ("seed: 3 then, 4 now",)


def test_the_thread_count(project: Toy) -> None:
    project.train(sets=("train.threads=2",))
    first, *others = differences(project)
    assert first == "threads: 1 then, 2 now"
    assert any(other.startswith("native threads: ") for other in others)
    assert "variables OMP_NUM_THREADS: 1 then, 2 now" in others


def test_one_line_of_code_in_a_module_that_fit_imports(project: Toy) -> None:
    (project.root / "steps.py").write_text(STEPS.replace("SimpleImputer()", 'SimpleImputer(strategy="median")'))
    project.train()
    line = 1 + next(number for number, text in enumerate(STEPS.splitlines()) if "SimpleImputer()" in text)
    before = '(make_pipeline(SimpleImputer(), StandardScaler()), ["distance", "wind"]),'
    after = before.replace("SimpleImputer()", 'SimpleImputer(strategy="median")')
    assert differences(project) == (f"code steps.py:{line}: `{before}` then, `{after}` now",)


def test_one_row_of_the_data(project: Toy) -> None:
    table = project.store.write_table(
        examples(400).with_columns(wind=pl.when(pl.int_range(400) == 7).then(30.5).otherwise("wind"))
    )
    commit = project.store.commit(Manifest(table.schema, table.parts, producer="test"))
    made = training_set(project.project, project.store, {"rows": commit}, examples="rows")
    replace(project, commit=commit, tables=Tables(made.train, made.holdout, made.views)).train()
    (told,) = differences(project)
    assert told.startswith("data rows: 1 row added, 1 row removed (penstock data diff rows@")


def test_columns_and_settings_of_the_features(project: Toy) -> None:
    recipe = replace(
        recorded(project),
        features={
            "request": [["a", "Int64"]],
            "outputs": [["a", "Int64"]],
            "time": None,
            "key": None,
            "views": [{"name": "weather", "code": "1", "ttl_s": 60.0}],
        },
    )
    other = replace(
        recipe,
        features={
            "request": [["a", "String"]],
            "outputs": [["b", "Int64"]],
            "time": "at",
            "key": None,
            "views": [{"name": "weather", "code": "2", "ttl_s": 90.0}],
        },
    )
    assert [*recipe_differences(project.store, recipe, other)] == [
        "request column a: Int64 then, String now",
        "feature a: Int64 then, unset now",
        "feature b: unset then, Int64 now",
        "data time: None then, at now",
        "feature view weather ttl_s: 60.0 then, 90.0 now",
    ]


def recorded(project: Toy) -> Recipe:
    with project.ledger.read() as reader:
        return recorded_recipe(reader, project.store, find_run(reader, "1"))


def test_what_a_training_did_not_load_is_no_cause() -> None:
    then = {"distributions": {name: {"version": "1", "digest": "x"} for name in ("numpy", "pytest")}}
    now = {"distributions": {name: {"version": "2", "digest": "y"} for name in ("numpy", "pytest")}}
    assert environment_causes(then, now, ["numpy"]) == ("numpy: 1 then, 2 now",)


def test_if_nothing_differs_it_is_something_else() -> None:
    (cause,) = likely_causes({}, {}, NOTHING)
    assert cause.startswith("fit depends on something that is neither in X, y, params and seed")


def test_a_run_without_a_model_is_told(project: Toy) -> None:
    (project.root / "pipeline.py").write_text(MODEL.replace("forest =", "raise ValueError\n    forest ="))
    with pytest.raises(Exception, match="ValueError"):
        project.train()
    with pytest.raises(UsageError, match="run 2 is failed"):
        differences(project)


UNSEEDED = """
import numpy as np
from sklearn.dummy import DummyClassifier


def fit(X, y, *, seed, depth=3):
    noise = np.random.default_rng().random(len(y))
    return DummyClassifier(strategy="prior").fit(X, y.to_numpy() ^ (noise > 0.5))
"""


def test_a_line_that_is_not_seeded_is_the_cause_of_another_model(tmp_path: Path) -> None:
    made = toy(tmp_path / "toy", UNSEEDED)
    made.train()
    again = reproduce(made.project, made.ledger, made.store, "1", actor="ada")
    assert again.grade == "different"
    assert again.differences == ()
    assert again.causes == ("pipeline.py:7 takes random bits from the system, which no seed determines",)


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
    assert differences(elsewhere) == ("rounding: 3.0 then, 4.0 now",)
