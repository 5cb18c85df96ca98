import polars as pl
import pytest
from data.planted import clean, found, kinds, only, selected
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.bench import duplicate_rows


@pytest.mark.parametrize("copies", [1, 20, 600])
def test_copied_rows(copies: int) -> None:
    rows = pl.concat([clean(), clean().head(copies)])
    finding = only(found(rows), "duplicate_rows")
    assert (finding.severity, finding.count) == ("warn", 2 * copies)
    assert selected(rows, finding).height == finding.count


def test_copied_rows_under_another_key() -> None:
    rows = pl.concat([clean(), clean().head(20).with_columns(pl.col("id") + "-again")])
    finding = only(found(rows, key=("id",)), "duplicate_rows")
    assert "but for id" in finding.what
    assert finding.count == selected(rows, finding).height == 40


def test_nearly_equal_rows() -> None:
    again = clean().head(20).with_columns(pl.col("shop").str.to_uppercase() + " ", pl.col("size") * 1.000001)
    rows = pl.concat([clean(), again]).drop("id")
    finding = only(found(rows), "duplicate_rows")
    assert "nearly" in finding.what
    assert finding.count == selected(rows, finding).height >= 36


def test_equal_rows_of_few_values_are_no_alarm() -> None:
    rows = clean().select("shop", "age")
    assert kinds(found(rows)) == set()
    assert only(found(rows), "duplicate_rows").severity == "info"


def test_rows_that_follow_one_number_are_not_nearly_equal() -> None:
    rows = clean().select("size", double=pl.col("size") * 2, square=pl.col("size") ** 2)
    assert "duplicate_rows" not in {finding.kind for finding in found(rows)}


def test_counting_slice_by_slice_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.concat([clean(), clean().head(20)])
    monkeypatch.setattr(duplicate_rows, "ROWS_AT_ONCE", 300)
    assert only(found(rows), "duplicate_rows").count == 40


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=40), st.sampled_from([1, 4, 100]))
def test_only_rows_that_agree_are_looked_at_again(pairs: list[tuple[int, int]], slice_of: int) -> None:
    frame = pl.DataFrame(pairs, schema={"a": pl.Int64, "b": pl.Int64}, orient="row").with_row_index("n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicate_rows, "ROWS_AT_ONCE", slice_of)
        patch.setattr(duplicate_rows, "FEW", 0)
        found = duplicate_rows._agreeing(frame.lazy(), frame.height, ["a", "b"])
        counted = duplicate_rows._repeats(frame.lazy(), frame.height, [pl.col("a"), pl.col("b")])
    expected = frame.filter(pl.struct("a", "b").is_duplicated())
    assert (frame.clear() if found is None else found.collect().sort("n")).equals(expected)
    assert counted == (expected.height, expected.select("a", "b").n_unique() if expected.height else 0)
