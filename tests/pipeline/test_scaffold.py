import ast
import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets

from penstock.bundle import feature_set
from penstock.data import load_contract, read_file
from penstock.errors import ContractBroken, PenstockError, UsageError
from penstock.pipeline import Scaffolded, scaffold
from penstock.pipeline.draft import python_list, slug, yaml_list, yaml_text
from penstock.project import ProjectFile, call, load_function, load_project
from penstock.project.document import fill_in, read_document


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], *, delimiter: str = ",", bom: bool = False
) -> Path:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
    path.write_text(("\ufeff" if bom else "") + text.getvalue(), encoding="utf-8")
    return path


def made(tmp_path: Path, data: Path, target: str, **options: Any) -> tuple[Scaffolded, ProjectFile]:
    result = scaffold(tmp_path / "made", data, target, **{"name": "made", **options})
    return result, load_project(tmp_path / "made", sets=["train.params.max_iter=5"])


def trained(project: ProjectFile) -> tuple[Any, pl.DataFrame]:
    """Train as `run` would: the transform, the features, fit; returns the estimator and X."""
    config = project.config
    assert config.train is not None
    assert config.objective is not None
    rows, _ = read_file(next((project.root / "data").iterdir()))
    for transform in config.data.transforms.values():
        rows = call(load_function(project.root, transform.function, parameters=transform.inputs), rows.lazy()).collect()
    examples = rows.filter(pl.col(config.objective.target.column).is_not_null())
    X = feature_set(config.data, project.root, examples.schema).vectors(examples, {})
    fit = load_function(
        project.root, config.train.function, parameters=["X", "y"], keywords=["seed", *config.train.params]
    )
    return call(fit, X, examples[config.objective.target.column], seed=7, **config.train.params), X


def answers_single_rows(model: Any, X: pl.DataFrame) -> None:
    for row in (X.head(1), X.tail(1), pl.DataFrame({name: [None] for name in X.columns}, schema=X.schema)):
        assert len(model.predict(row)) == 1


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("iris", "multiclass"),
        ("wine", "multiclass"),
        ("breast_cancer", "binary"),
        ("digits", "multiclass"),
        ("diabetes", "regression"),
    ],
)
def test_the_bundled_sets_of_scikit_learn(tmp_path: Path, name: str, task: str) -> None:
    bundled = getattr(datasets, f"load_{name}")()
    frame = pl.DataFrame({str(column): bundled.data[:, i] for i, column in enumerate(bundled.feature_names)})
    frame.with_columns(pl.Series("target", bundled.target)).head(600).write_csv(tmp_path / f"{name}.csv")

    result, project = made(tmp_path, tmp_path / f"{name}.csv", "target")
    model, X = trained(project)

    assert result.task == task
    assert set(result.files) == {
        "penstock.yaml", "pipeline.py", f"contracts/{name}.yaml", "README.md", ".gitignore", f"data/{name}.csv",
    }  # fmt: skip
    answers_single_rows(model, X)
    if task != "regression":
        assert model.predict_proba(X.head(1)).shape == (1, len(set(bundled.target)))


def hostile(path: Path) -> Path:
    header = [
        "Kunden Nr",
        "Größe",
        "Preis (€)",
        "Farbe",
        "leer",
        "konstant",
        "Alter",
        "wann",
        'it\'s "odd"\t',
        "Notiz",
        "${x}",
        "",
        "gekauft",
    ]
    rows = []
    for i in range(120):
        price = f"{i % 3}.{100 + i},{10 + i % 80}" if i % 2 else f"{i},5"
        age = "unbekannt" if i % 20 == 0 else str(18 + i % 50)
        bought = "" if i % 40 == 0 else "ja" if i % 3 == 0 else "nein"
        colour = ["rot", "grün", ""][i % 3]
        rows.append(
            [
                f"K{i:04}",
                "SML"[i % 3],
                price,
                colour,
                "",
                1,
                age,
                f"{1 + i % 28:02}.0{1 + i % 9}.2023",
                i / 7,
                f"text {i}; {i}",
                i % 5,
                i % 7,
                bought,
            ]
        )
    return write_csv(path, header, [*rows, rows[5], rows[5]], delimiter=";", bom=True)


def test_a_hostile_csv(tmp_path: Path) -> None:
    data = hostile(tmp_path / "Süße Daten, März (1).csv")

    result, project = made(tmp_path, data, "gekauft")
    model, X = trained(project)
    answers_single_rows(model, X)

    config = project.config
    assert config.objective is not None
    assert config.objective.target.positive == "ja"
    assert list(config.data.datasets) == ["Susse-Daten-Marz-1"]
    assert set(config.data.request) == {
        "Größe",
        "Preis (€)",
        "Farbe",
        "Alter",
        "wann",
        'it\'s "odd"\t',
        "${x}",
        "column_12",
    }
    assert X["Preis (€)"][0] == 1101.11  # row 0 has no target
    assert X["Alter"].null_count() > 0
    assert {"wann: days", "wann: month", "wann: weekday"} <= set(X.columns)
    said = "\n".join(result.notes)
    expected = (
        "'gekauft' is predicted as yes or no",
        "3 rows without 'gekauft'",
        "'leer' has no value",
        "'konstant' is 1 in every row",
        "'Kunden Nr' has another text",
        "'Preis (€)' has decimal commas",
        "'Alter' holds texts",
        "2 rows repeated exactly",
    )
    assert [note for note in expected if note not in said] == []
    assert load_contract(project.root / "contracts" / "Susse-Daten-Marz-1.yaml").columns["konstant"].type == "Int64"


def test_every_kind_of_parquet_column(tmp_path: Path) -> None:
    n = 60
    start = datetime(2024, 1, 1)
    frame = pl.DataFrame(
        {
            "amount": pl.Series([Decimal(i) / 7 for i in range(n)], dtype=pl.Decimal(12, 3)),
            "kind": pl.Series(["a", "b", None] * (n // 3), dtype=pl.Categorical),
            "flag": [True, False, None] * (n // 3),
            "small": pl.Series([i % 9 for i in range(n)], dtype=pl.UInt8),
            "infinite": [float("inf") if i == 3 else float("nan") if i == 4 else i / 3 for i in range(n)],
            "at": [start + timedelta(hours=i) for i in range(n)],
            "there": pl.Series([start + timedelta(hours=i) for i in range(n)]).dt.replace_time_zone("Asia/Tokyo"),
            "born": [date(1970, 1, 1 + i % 28) for i in range(n)],
            "clock": [time(i % 24) for i in range(n)],
            "took": [timedelta(seconds=i) for i in range(n)],
            "tags": [[i] for i in range(n)],
            "nothing": pl.Series([None] * n, dtype=pl.Null),
            "y": [i * 1.5 for i in range(n)],
        }
    )
    frame.write_parquet(tmp_path / "all.parquet")

    result, project = made(tmp_path, tmp_path / "all.parquet", "y", time="at")
    model, X = trained(project)

    assert result.task == "regression"
    assert set(project.config.data.request) == {"amount", "kind", "flag", "small", "infinite", "at", "there", "born"}
    assert project.config.train is not None
    assert project.config.train.holdout == "last 30%"
    assert {"at: weekday", "at: hour", "there: hour", "born: days"} <= set(X.columns)
    assert X["infinite"].is_infinite().sum() == 0
    answers_single_rows(model, X)


def table(y: Callable[[int], Any], rows: int = 60, **others: Callable[[int], Any]) -> tuple[list[str], list[list[Any]]]:
    columns = {"x": lambda i: i * 37 % 11, **others, "y": y}
    return list(columns), [[column(i) for column in columns.values()] for i in range(rows)]


@pytest.mark.parametrize(
    ("y", "task", "positive"),
    [
        (lambda i: i % 2 == 0, "binary", True),
        (lambda i: i % 2, "binary", 1),
        (lambda i: f"{i % 2}.0", "binary", 1),
        (lambda i: 5 + i % 2, "binary", 6),
        (lambda i: ["no", "Yes"][i % 2], "binary", "Yes"),
        (lambda i: ["ham", "spam"][i % 3 == 0], "binary", "spam"),
        (lambda i: ["a: #1", "${B}", "none"][i % 3], "multiclass", None),
        (lambda i: ["no", "yes", "NA", "?"][i % 4], "binary", "yes"),
        (lambda i: i % 7, "multiclass", None),
        (lambda i: i * i, "regression", None),
        (lambda i: f"{i},5", "regression", None),
        (lambda i: i / 3, "regression", None),
        (lambda i: "n/a" if i == 7 else i / 3, "regression", None),
    ],
)
def test_the_target_decides_the_task(tmp_path: Path, y: Callable[[int], Any], task: str, positive: object) -> None:
    data = write_csv(tmp_path / "data.csv", *table(y), delimiter="\t")

    result, project = made(tmp_path, data, "y")
    model, X = trained(project)

    assert result.task == task
    assert project.config.objective is not None
    target = project.config.objective.target
    assert (target.task, target.positive, type(target.positive)) == (task, positive, type(positive))
    answers_single_rows(model, X)


@pytest.mark.parametrize(
    ("rows", "target", "message"),
    [
        (table(lambda i: i % 2, rows=0), "y", "the file has 0 rows"),
        (table(lambda i: i % 2, rows=1), "y", "the file has 1 row\n"),
        (table(lambda i: i % 2), "z", "there is no column 'z' (there is: x, y)"),
        (table(lambda i: 1), "y", "the target 'y' is 1 in every row: there is nothing to learn"),
        (table(lambda i: ""), "y", "the target 'y' has no value in any row"),
        (table(lambda i: i % 2 if i < 5 else ""), "y", "5 rows have a value of 'y'"),
        (table(lambda i: f"text {i}"), "y", "60 different texts in 60 rows"),
        (table(lambda i: f"class {i % 55}", rows=200), "y", "55 classes"),
        (table(lambda i: f"2024-01-{1 + i % 28:02}"), "y", "the target 'y' is of type Date"),
        (
            (["a", "y"], [[1, i % 2] for i in range(60)]),
            "y",
            "no column is left to predict 'y' from: 'a' is 1 in every row",
        ),
        (
            (["y"], [[i % 2] for i in range(60)]),
            "y",
            "no column is left to predict 'y' from: the file has no other column",
        ),
        (
            (["a", "y"], [[i // 20, i % 2] for i in range(60)]),
            "y",
            "of 60 rows only 3 differ in what is known when a prediction is asked for",
        ),
        ((["a", "a", "y"], [[1, 2, i % 2] for i in range(60)]), "y", "more than once"),
        ((["__row__", "y"], [[i, i % 2] for i in range(60)]), "y", "reserved"),
        (([], []), "y", "empty"),
    ],
)
def test_what_cannot_end_well_ends_at_once_and_leaves_nothing(
    tmp_path: Path, rows: tuple[list[str], list[list[Any]]], target: str, message: str
) -> None:
    data = write_csv(tmp_path / "data.csv", *rows)

    with pytest.raises(PenstockError) as caught:
        scaffold(tmp_path / "new", data, target, name="new")

    assert isinstance(caught.value, UsageError | ContractBroken)
    assert message in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv"]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"time": "day"}, "60 of 60 rows have the oldest 'day'"),
        ({"entity": "who"}, "60 rows have only 2 different values of 'who'"),
    ],
)
def test_rows_that_cannot_be_parted_end_at_once(tmp_path: Path, named: dict[str, str], message: str) -> None:
    rows = [["2024-01-01", i % 2, i * i % 17, i % 2] for i in range(60)]
    data = write_csv(tmp_path / "data.csv", ["day", "who", "x", "y"], rows)

    with pytest.raises(UsageError) as caught:
        scaffold(tmp_path / "new", data, "y", name="new", **named)

    assert message in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv"]


def test_nothing_is_left_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_csv(tmp_path / "data.csv", *table(lambda i: i % 2))
    (tmp_path / "room").mkdir()
    monkeypatch.setattr("shutil.copyfile", lambda *_: (_ for _ in ()).throw(OSError("disk full")))

    with pytest.raises(OSError, match="disk full"):
        scaffold(tmp_path / "room" / "new", data, "y", name="new")

    assert list((tmp_path / "room").iterdir()) == []


def test_an_existing_directory_is_not_touched_unless_it_is_empty(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "data.csv", *table(lambda i: i % 2))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()

    with pytest.raises(UsageError, match="exists and is not empty"):
        scaffold(tmp_path / "full", data, "y", name="full")
    scaffold(tmp_path / "empty", data, "y", name="empty")

    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
    assert (tmp_path / "empty" / "penstock.yaml").is_file()
    assert (tmp_path / "empty").stat().st_mode == (tmp_path / "full").stat().st_mode


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time": "wenn"}, "there is no column 'wenn' (did you mean 'when'?)"),
        ({"time": "x"}, "--time: 'x' holds Int64 such as 0, not dates"),
        ({"time": "gaps"}, "--time: 'gaps' has no value in 10 rows"),
        ({"entity": "y"}, "--entity: 'y' is the target"),
    ],
)
def test_time_and_entity_must_be_able_to_play_their_part(tmp_path: Path, options: dict[str, str], message: str) -> None:
    when = {
        "when": lambda i: f"2024-01-{1 + i % 28:02}",
        "gaps": lambda i: "" if i < 10 else f"2024-02-{1 + i % 28:02}",
    }
    data = write_csv(tmp_path / "data.csv", *table(lambda i: i % 2, **when))

    with pytest.raises(UsageError) as caught:
        scaffold(tmp_path / "new", data, "y", name="new", **options)

    assert message in str(caught.value)


def test_the_entity_names_the_examples_and_time_cuts_them(tmp_path: Path) -> None:
    others = {"customer": lambda i: f"c{i % 9}", "when": lambda i: f"2024-01-{1 + i % 28:02}T08:00:00"}
    data = write_csv(tmp_path / "data.csv", *table(lambda i: i % 2, **others))

    _, project = made(tmp_path, data, "y", time="when", entity="customer")
    _, X = trained(project)

    assert (project.config.data.key, project.config.data.time) == ("customer", "when")
    assert project.config.data.datasets["data"].key == ()
    assert X.columns == ["x", "when: weekday", "when: hour"]


def test_a_column_that_names_the_rows_is_the_key_and_row_numbers_are_left_out(tmp_path: Path) -> None:
    header, rows = table(lambda i: i % 2, order_id=lambda i: 7000 + i * 13, counter=lambda i: i)
    _, project = made(tmp_path, write_csv(tmp_path / "data.csv", header, rows), "y")

    assert project.config.data.key == "order_id"
    assert project.config.data.datasets["data"].key == ("order_id",)
    assert project.config.data.request == ("order_id", "x")


def test_a_column_that_gives_the_target_away_is_mentioned(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "data.csv", *table(lambda i: i % 2, label=lambda i: ["no", "yes"][i % 2]))

    result, _ = made(tmp_path, data, "y")

    assert "'label' tells 'y' by itself: is it really known when a prediction is asked for?" in result.notes


def test_gates_can_be_judged_on_few_rows(tmp_path: Path) -> None:
    few = write_csv(tmp_path / "few.csv", *table(lambda i: i % 2, rows=40))

    _, project = made(tmp_path, few, "y")

    assert project.config.objective is not None
    assert project.config.objective.thresholds == {}
    assert [(gate.metric, gate.min_n) for gate in project.config.validation.gates] == [
        ("roc_auc", 6),
        ("log_loss", 6),
        ("log_loss", 6),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flights", "flights"),
        ("my project", "my-project"),
        ("Süße", "Susse"),
        ("2024-q1", "project-2024-q1"),
        ("数据", "project"),
        ("_", "project"),
    ],
)
def test_any_name_becomes_one_that_the_project_file_takes(name: str, expected: str) -> None:
    assert slug(name, "project") == expected


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(st.lists(names, min_size=1, max_size=20))
def test_any_column_name_survives_yaml_and_python(columns: list[str]) -> None:
    document = fill_in(read_document(f"a: {yaml_list(columns)}\nb: {yaml_text(columns[0])}\n", "f"), {})

    assert document.problems == ()
    assert document.values == {"a": columns, "b": columns[0]}
    assert ast.literal_eval(python_list(columns)) == columns


@pytest.mark.parametrize(
    ("minutes", "window", "said"),
    [
        (10, "1d", "about 144 rows a day"),
        (90, "1w", "about 112 rows a week"),
        (400, "1mo", "about 108 rows a month"),
        (4_000, "1mo", "about 11 rows a month"),
        (None, "1d", "a day with fewer than 100 answers"),
    ],
)
def test_a_window_has_rows_enough_for_an_alert(tmp_path: Path, minutes: int | None, window: str, said: str) -> None:
    """Windows of a day with 14 rows each would never open one, and say nothing."""
    rows = [[i * 37 % 11, datetime(2024, 1, 1) + timedelta(minutes=i * (minutes or 1)), i % 2] for i in range(300)]
    file = write_csv(tmp_path / "rows.csv", ["x", "at", "y"], rows)
    _, project = made(tmp_path, file, "y", **({"time": "at"} if minutes else {}))
    assert project.config.monitor.window == window
    assert said in (tmp_path / "made" / "penstock.yaml").read_text()


def test_large_numbers_are_written_as_people_write_them(tmp_path: Path) -> None:
    rows = [[i * 37 % 11, 250_000 + 1_234.5 * (i * 37 % 211)] for i in range(400)]
    made(tmp_path, write_csv(tmp_path / "rows.csv", ["x", "price"], rows), "price")
    assert "e+0" not in (tmp_path / "made" / "penstock.yaml").read_text()
