from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from production import answer, february, log, noon, values

from penstock import Project
from penstock.bundle import Target
from penstock.errors import UsageError
from penstock.improve.feedback import feedback_rows, read_labels
from penstock.monitor import plain

NOW = datetime(2024, 3, 1, tzinfo=UTC)
BINARY = Target("late", "binary", True, (False, True))


def written(directory: Path, text: str, name: str = "labels.csv") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def rows_of(path: Path, target: Target | None = BINARY) -> list[tuple[object, ...]]:
    return feedback_rows(read_labels(path), str(path), NOW, target).rows()


def test_a_file_of_labels_joins_the_predictions(live: Project, tmp_path: Path) -> None:
    rows = february(24)
    log(live, answer(live, rows))
    live.monitor.look(now=noon(2))
    file = tmp_path / "outcomes.csv"
    rows.select(key="parcel_id", label="late").write_csv(file)
    assert live.improve.feedback(file) == 24
    live.monitor.look(now=noon(2))
    assert values(live, "labelled") == [(1, 1.0, 24)]
    before = values(live, "roc_auc")
    assert live.improve.feedback(file) == 24
    live.monitor.look(now=noon(2))
    assert values(live, "roc_auc") == before


def test_a_bad_file_changes_nothing(live: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        live.improve.feedback(written(tmp_path, "key,label\np1,true\np2,perhaps\n,false\n"))
    assert "row 2: the label 'perhaps' is not one of False, True" in refused.value.what
    assert "row 3 names neither a prediction nor a key" in refused.value.what
    assert live.improve.feedback(written(tmp_path, "key,label\np1,\n")) == 0
    with pytest.raises(UsageError, match=r"feedback\.parcels"):
        live.data.version("feedback.parcels")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key,label\n007,true\n", [(None, "007", "true", NOW)]),
        ("key;label\nab;1\n", [(None, "ab", "1", NOW)]),
        ("\ufeffkey,label\nab,TRUE\n", [(None, "ab", "true", NOW)]),
        ("label,prediction\n0,abc\n,xyz\n", [("abc", None, "0", NOW)]),
        ("key,label,at\na,1,2024-02-03\n", [(None, "a", "1", datetime(2024, 2, 3, tzinfo=UTC))]),
        ("key,label,at\na,1,2024-02-03T10:00:00+02:00\n", [(None, "a", "1", datetime(2024, 2, 3, 8, tzinfo=UTC))]),
        ("key,label,at\na,1,\n", [(None, "a", "1", NOW)]),
    ],
)
def test_labels_as_people_write_them(tmp_path: Path, text: str, expected: list[tuple[object, ...]]) -> None:
    assert rows_of(written(tmp_path, text)) == expected


def test_keys_that_are_texts_are_compared_as_they_are(tmp_path: Path) -> None:
    """`2024.1` and `2024.10` got one label."""
    table = read_labels(written(tmp_path, "key,label\n2024.10,1\n3.0,0\n"))
    assert feedback_rows(table, "here", NOW, BINARY)["key"].to_list() == ["2024.10", "3.0"]
    assert feedback_rows(table, "here", NOW, BINARY, key_is_text=False)["key"].to_list() == ["2024.1", "3"]


@pytest.mark.parametrize("at", [datetime(2024, 2, 3), datetime(2024, 2, 3, 2, tzinfo=UTC) - timedelta(hours=2)])
def test_a_parquet_file(tmp_path: Path, at: datetime) -> None:
    table = pl.DataFrame({"key": [1, 2], "label": [True, None], "at": [at, at]})
    table.write_parquet(tmp_path / "labels.parquet")
    assert rows_of(tmp_path / "labels.parquet") == [(None, "1", "true", datetime(2024, 2, 3, tzinfo=UTC))]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("id,label\n1,2\n", "columns id, label are no feedback"),
        ("key,truth\n1,2\n", "columns key, truth are no feedback"),
        ("key,label,at\na,1,0001-01-01T00:00:00+05:00\n", "row 1: `at` is not a time such as 2013-05-01T12:00:00Z"),
        ("key,label,at\na,1,soon\n", "row 1: `at` is not a time such as 2013-05-01T12:00:00Z"),
        ("", "cannot be read"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(UsageError) as refused:
        rows_of(written(tmp_path, text))
    assert what in refused.value.what


def test_many_problems_are_counted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="and 30 more"):
        rows_of(written(tmp_path, "key,label\n" + "a,perhaps\n" * 40))


def test_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_labels(tmp_path / "nothing.csv")


def test_labels_of_a_regression_are_numbers(tmp_path: Path) -> None:
    target = Target("delay", "regression")
    assert rows_of(written(tmp_path, "key,label\na,1e3\n"), target)[0][2] == "1e3"
    with pytest.raises(UsageError, match="is not a number"):
        rows_of(written(tmp_path, "key,label\na,late\n"), target)


@given(st.lists(st.tuples(st.integers(), st.booleans()), min_size=1, max_size=10))
def test_a_csv_and_a_table_say_the_same(labels: list[tuple[int, bool]]) -> None:
    typed = pl.DataFrame(labels, schema={"key": pl.Object, "label": pl.Boolean}, orient="row")
    texts = pl.DataFrame([(str(key), str(label)) for key, label in labels], schema=["key", "label"], orient="row")
    found = [feedback_rows(table, "here", NOW, BINARY).rows() for table in (typed, texts)]
    assert found[0] == found[1]
    assert [row[1] for row in found[0]] == [plain(key) for key, _ in labels]
