import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.contracts.marks import Check, broken, counts, marks, said, saying

ROWS = st.lists(st.lists(st.sampled_from([True, False, None]), min_size=70, max_size=70), max_size=8)


def marked(rows: list[list[bool | None]], checks: list[Check]) -> pl.Series:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(map(str, range(70)), pl.Boolean), orient="row")
    return frame.select("0", marks=marks(checks)).get_column("marks")


@given(ROWS, st.lists(st.integers(0, 69), max_size=70), st.integers(1, 70))
def test_rows_counts_and_words_say_the_same(rows: list[list[bool | None]], read: list[int], reasons: int) -> None:
    checks = [Check(f"r{place % reasons}", pl.col(str(column))) for place, column in enumerate(read)]
    expected = [[check.reason for check, column in zip(checks, read, strict=True) if row[column]] for row in rows]
    found = marked(rows, checks)
    assert said(found, checks).to_list() == expected
    assert broken(found).to_list() == [bool(words) for words in expected]
    every = [word for words in expected for word in words]
    assert counts(found, checks) == {word: every.count(word) for word in every}


def test_the_most_frequent_reason_comes_first_and_the_earlier_check_of_equals() -> None:
    checks = [Check(f"over {least}", pl.col("a") > least) for least in (4, 3, 1, 2)]
    found = pl.DataFrame({"a": [2, 4, 4]}).select(marks(checks)).to_series()
    assert list(counts(found, checks).items()) == [("over 1", 3), ("over 3", 2), ("over 2", 2)]


@pytest.mark.parametrize("engine", ["streaming", "in-memory"])
def test_reasons_stay_with_their_rows_however_many_there_are(engine: str) -> None:
    checks = [Check("by 7", pl.col("a") % 7 == 0), Check("by 1000", pl.col("a") % 1000 == 0)]
    numbers = pl.LazyFrame({"a": range(250_000)})
    words = numbers.select("a", saying(checks).alias("said")).collect(engine=engine)
    seven, thousand = (words.filter(pl.col("said").list.contains(reason))["a"] for reason in ("by 7", "by 1000"))
    assert seven.to_list() == list(range(0, 250_000, 7))
    assert thousand.to_list() == list(range(0, 250_000, 1000))
