from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.bundle import Target
from penstock.monitor.labels import FEEDBACK, code_of, codes_of, is_label, joined, labels_of, plain, read_plain

START = datetime(2024, 1, 1, tzinfo=UTC)


def feedback(*rows: tuple[str | None, str | None, str, int]) -> pl.DataFrame:
    """Rows of prediction, key, label and the hour when it became known."""
    timed = [(prediction, key, label, START + timedelta(hours=hour)) for prediction, key, label, hour in rows]
    return pl.DataFrame(timed, schema=dict(FEEDBACK), orient="row")


def predictions(*rows: tuple[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={"id": pl.String, "key": pl.String}, orient="row")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (True, "true"),
        ("True", "True"),
        (3, "3"),
        (3.0, "3"),
        ("3.0", "3.0"),
        ("1.10", "1.10"),
        (3.5, "3.5"),
        (0.1, "0.1"),
        (-0.0, "0"),
        ("007", "007"),
        ("1e5", "1e5"),
        (" west ", "west"),
        ("", None),
        (None, None),
        (20130101000123456789, "20130101000123456789"),
        ("20130101000123456789", "20130101000123456789"),
    ],
)
def test_one_text_for_one_value(written: object, text: str | None) -> None:
    assert plain(written) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [("True", "true"), ("false", "false"), ("3", "3"), ("3.0", "3"), ("3.50", "3.5"), ("007", "007"), ("1e5", "1e5")],
)
def test_a_text_that_was_written_for_a_value(written: str, text: str) -> None:
    assert read_plain(written) == text


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_number_and_its_text_are_the_same_key(number: float) -> None:
    assert plain(number) == plain(plain(number))
    if isinstance(number, int):
        assert plain(str(number)) == plain(number)
    assert float(plain(number) or "nan") == float(number)


def test_feedback_joins_by_id_and_by_key() -> None:
    asked = predictions(("p1", "a"), ("p2", "b"), ("p3", None), ("p4", "a"))
    found = joined(asked, feedback(("p2", None, "true", 1), (None, "a", "false", 1), ("p9", "a", "true", 9)))
    assert found["truth"].to_list() == ["false", "true", None, "false"]
    assert found.columns == ["id", "key", "truth"]


@pytest.mark.parametrize(
    ("rows", "truth"),
    [
        ([("p1", None, "old", 1), ("p1", None, "new", 2)], "new"),
        ([("p1", None, "new", 2), ("p1", None, "old", 1)], "new"),
        ([("p1", None, "old", 1), (None, "a", "new", 2)], "new"),
        ([(None, "a", "old", 1), ("p1", None, "new", 2)], "new"),
        ([("p1", None, "by id", 1), (None, "a", "by key", 1)], "by id"),
        ([("p1", None, "first", 1), ("p1", None, "last", 1)], "last"),
    ],
)
def test_the_newest_counts(rows: list[tuple[str | None, str | None, str, int]], truth: str) -> None:
    assert joined(predictions(("p1", "a")), feedback(*rows))["truth"].to_list() == [truth]


entries = st.tuples(st.sampled_from(["p1", "p2", None]), st.sampled_from(["a", "b"]), st.sampled_from("xyz"))


@given(st.permutations(range(8)), st.lists(entries, min_size=8, max_size=8))
def test_the_order_of_arrival_does_not_matter(order: list[int], rows: list[tuple[str | None, str, str]]) -> None:
    timed = [
        (prediction, None if prediction else key, label, hour) for hour, (prediction, key, label) in enumerate(rows)
    ]
    asked = predictions(("p1", "a"), ("p2", "b"), ("p3", "a"))
    in_order, shuffled = feedback(*timed), feedback(*(timed[at] for at in order))
    assert joined(asked, in_order).equals(joined(asked, shuffled))


@given(st.lists(st.tuples(st.sampled_from(["p1", "p2"]), st.sampled_from(["a", None])), max_size=6))
def test_rows_in_are_rows_out_in_order(asked: list[tuple[str, str | None]]) -> None:
    given = predictions(*asked)
    found = joined(given, feedback(("p1", None, "x", 1), (None, "a", "y", 2)))
    assert found.select("id", "key").equals(given)


def test_only_labels_of_the_given_predictions_are_read() -> None:
    rows = feedback(("p1", None, "x", 1), ("p2", None, "x", 1), (None, "a", "y", 2), (None, "b", "y", 2))
    assert labels_of(rows.lazy(), predictions(("p1", "b")))["at"].to_list() == [rows["at"][0], rows["at"][3]]


@pytest.mark.parametrize(
    ("classes", "texts"),
    [
        ((False, True), {"false": 0.0, "0": 0.0, "true": 1.0, "1": 1.0}),
        ((0, 1), {"false": 0.0, "0": 0.0, "true": 1.0, "1": 1.0}),
        ((1, 0), {"true": 0.0, "1": 0.0, "false": 1.0, "0": 1.0}),
        (("no", "yes"), {"no": 0.0, "yes": 1.0}),
        ((2.0, 3.5), {"2": 0.0, "3.5": 1.0}),
    ],
)
def test_what_the_labels_of_a_binary_target_mean(classes: tuple[object, object], texts: dict[str, float]) -> None:
    target = Target("late", "binary", classes[1], classes)  # type: ignore[arg-type]
    assert codes_of(target) == texts
    assert is_label("1", target) == ("1" in texts)
    assert not is_label("perhaps", target)


def test_classes_that_are_texts_are_themselves() -> None:
    """The versions 1.1 and 1.10 had one code."""
    versions = Target("version", "multiclass", None, ("1.1", "1.10", "True"))
    assert [code_of(text, versions) for text in ("1.1", "1.10", "True", "true")] == [0, 1, 2, None]
    truths = Target("late", "binary", True, (False, True))
    assert [code_of(text, truths) for text in ("False", "TRUE", "1.0", "1.1")] == [0, 1, 1, None]


def test_what_can_be_a_label_of_other_targets() -> None:
    assert is_label("a class that training never saw", Target("kind", "multiclass", None, ("a", "b")))
    number = Target("delay", "regression")
    assert all(is_label(text, number) for text in ("3.5", "-1e3", "7"))
    # numbers to Python, not to what measures them: "1_000" and digits of other scripts
    assert not any(is_label(text, number) for text in ("late", "inf", "nan", "1_000", "\uff11\uff12", ""))
