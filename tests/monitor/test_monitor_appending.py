import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from production import parts

from penstock import Project
from penstock.data import head
from penstock.errors import Conflict
from penstock.monitor import appending, prepare, publish_appended
from penstock.monitor.appending import PART_ROWS, rewritten
from penstock.store import Part


def sizes_after(batches: list[int]) -> tuple[list[int], int]:
    """Rows of each part after appending these batches, and how many rows were written in all."""
    sizes: list[int] = []
    written = 0
    for rows in batches:
        keep = len(sizes) - rewritten([Part("", size, 0) for size in sizes], rows)
        fresh = sum(sizes[keep:]) + rows
        written += fresh
        sizes[keep:] = [min(PART_ROWS, fresh - at) for at in range(0, fresh, PART_ROWS)]
    return sizes, written


@given(st.lists(st.integers(1, PART_ROWS), min_size=1, max_size=60) | st.lists(st.integers(1, 50), max_size=300))
def test_there_are_few_small_parts_and_each_row_is_written_a_few_times(batches: list[int]) -> None:
    sizes, written = sizes_after(batches)
    total = sum(batches)
    assert sum(sizes) == total
    assert len(sizes) <= 2 * total / PART_ROWS + 20
    assert written <= 20 * total


def append(project: Project, values: list[int]) -> None:
    _, ledger, store = parts(project)
    prepared = prepare(ledger, store, "numbers", pl.DataFrame({"n": values}), "test")
    with ledger.write() as tx:
        publish_appended(tx, prepared)


def test_rows_stay_in_order(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appending, "PART_ROWS", 10)
    for start in range(0, 60, 3):
        append(project, [start, start + 1, start + 2])
    assert project.data.show("numbers").collect()["n"].to_list() == list(range(60))
    assert len(project.data.history("numbers")) == 20
    assert project.data.verify() == ()


def test_of_two_that_append_at_once_one_is_told(project: Project) -> None:
    _, ledger, store = parts(project)
    append(project, [1])
    prepared = prepare(ledger, store, "numbers", pl.DataFrame({"n": [2]}), "test")
    append(project, [3])
    with pytest.raises(Conflict), ledger.write() as tx:
        publish_appended(tx, prepared)
    with ledger.read() as reader:
        version = head(reader, "numbers")
        assert version is not None
        assert version.rows == 2
