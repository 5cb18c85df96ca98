"""Readmission where rows of the same key may have come meanwhile."""

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from data.conftest import Lab
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.data import Readmitted, quarantined_rows, readmit
from penstock.ledger import Ledger
from penstock.store import Store

NARROW = "columns: {id: {type: Int64}, at: {type: Int64}, v: {type: Int64, min: 0}}"
Row = tuple[int, int, int]


def opened(root: Path) -> Lab:
    """A project whose ledger signs."""
    ledger = Ledger.open(f"sqlite:///{root / '.penstock/ledger.db'}", signing_key=root / ".penstock/key")
    return Lab(root, ledger, Store.open(root / ".penstock/store"))


@pytest.fixture
def upserting(tmp_path: Path) -> Lab:
    lab = opened(tmp_path)
    lab.write("c.yaml", NARROW)
    lab.datasets["log"] = settings_of("")
    return lab


def settings_of(more: str) -> str:
    return f"{{source: data/*.csv, mode: upsert, key: id, contract: c.yaml, max_quarantined: 100%{more}}}"


def came(lab: Lab, name: str, *rows: Row) -> None:
    """A file arrives and is ingested."""
    lab.write(f"data/{name}.csv", "id,at,v\n" + "".join(f"{row[0]},{row[1]},{row[2]}\n" for row in rows))
    lab.ingest("log")


def back(lab: Lab, contract: str = NARROW.replace("min: 0", "min: -9")) -> Readmitted:
    lab.write("c.yaml", contract)
    return readmit(lab.project, lab.ledger, lab.store, "log", note="they are right", actor="ada")


def table(lab: Lab) -> list[tuple[object, ...]]:
    return sorted(lab.rows("log").rows())


def test_a_row_that_came_meanwhile_stays_and_an_older_one_goes(upserting) -> None:
    came(upserting, "a", (1, 0, 10), (2, 0, -1), (3, 0, -2))
    came(upserting, "b", (1, 0, -3), (2, 0, 20), (4, 0, 40))
    done = back(upserting)
    assert (done.readmitted, done.superseded, done.quarantined, done.rows) == (2, 1, 0, 4)
    assert table(upserting) == [(1, 0, -3), (2, 0, 20), (3, 0, -2), (4, 0, 40)]
    came(upserting, "c", (3, 0, 30))
    assert table(upserting)[2] == (3, 0, 30)


def test_files_of_one_ingest_count_in_their_order(upserting) -> None:
    upserting.write("data/a.csv", "id,at,v\n1,0,10\n2,0,-1\n")
    came(upserting, "b", (1, 0, -3), (2, 0, 20))
    assert (back(upserting).superseded, table(upserting)) == (1, [(1, 0, -3), (2, 0, 20)])


@pytest.mark.parametrize("rows", [[(1, 0, 10), (1, 0, -3)], [(1, 0, -3), (1, 0, 10)]])
def test_of_one_file_the_row_that_is_there_stays(upserting, rows) -> None:
    came(upserting, "a", *rows)
    assert (back(upserting).superseded, table(upserting)) == (1, [(1, 0, 10)])


def test_a_file_that_is_written_over(upserting) -> None:
    came(upserting, "a", (1, 0, 10), (2, 0, 20))
    came(upserting, "a", (1, 0, -3), (2, 0, 20), (3, 0, 30))
    assert back(upserting).readmitted == 1
    assert table(upserting) == [(1, 0, -3), (2, 0, 20), (3, 0, 30)]


def test_with_a_watermark_the_larger_one_wins_and_of_equal_ones_the_later(upserting) -> None:
    upserting.datasets["log"] = settings_of(", watermark: at")
    came(upserting, "a", (1, 9, -1), (2, 1, -1), (3, 5, 10), (4, 5, -1))
    came(upserting, "b", (1, 8, 10), (2, 2, 20), (3, 5, -2), (4, 5, 40))
    assert back(upserting).superseded == 2
    assert table(upserting) == [(1, 9, -1), (2, 2, 20), (3, 5, -2), (4, 5, 40)]


def test_rows_that_do_not_pass_stay_aside(upserting) -> None:
    came(upserting, "a", (1, 0, -1), (2, 0, -50))
    done = back(upserting)
    assert (done.readmitted, done.quarantined, done.reasons) == (1, 1, {"v: below -9": 1})


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.booleans()), unique_by=lambda row: row[0],
                         min_size=1, max_size=4), min_size=1, max_size=4), st.booleans())  # fmt: skip
def test_a_readmission_gives_what_the_wide_contract_would_have_given(
    files: list[list[tuple[int, int, bool]]], watermark: bool
) -> None:
    values = iter(range(1, 100))
    numbered = [[(key, at, next(values) * (1 if good else -1)) for key, at, good in rows] for rows in files]
    with TemporaryDirectory() as root:
        lab = opened(Path(root))
        lab.write("c.yaml", NARROW)
        lab.datasets["log"] = settings_of(", watermark: at" if watermark else "")
        expected: dict[int, Row] = {}
        for number, rows in enumerate(numbered):
            came(lab, f"f{number}", *rows)
            for row in rows:
                if row[0] not in expected or not watermark or row[1] >= expected[row[0]][1]:
                    expected[row[0]] = row
        if lab.rows("log.quarantine").height:
            back(lab, NARROW.replace("min: 0", "min: -1000"))
        assert table(lab) == sorted(expected.values())
        lab.ledger.close()


def test_a_corrected_row_of_a_file_that_grows_is_not_set_aside_again(upserting) -> None:
    upserting.datasets["log"] = settings_of(", watermark: at").replace("upsert", "append")
    upserting.write("data/a.csv", "id,at,v\n1,10,1\n2,,2\nx,20,3\n")
    upserting.ingest("log")
    rows = quarantined_rows(upserting.project, upserting.ledger, upserting.store, "log").drop("__reasons__").collect()
    mended = rows.with_columns(pl.col("id").replace("x", "3"), pl.col("at").fill_null("15"))
    mended.write_csv(upserting.root / "mended.csv")
    done = readmit(
        upserting.project, upserting.ledger, upserting.store, "log",
        note="asked the source", actor="ada", corrected=upserting.root / "mended.csv",
    )  # fmt: skip
    assert (done.readmitted, done.quarantined) == (2, 0)
    upserting.write("data/a.csv", "id,at,v\n1,10,1\n2,,2\nx,20,3\n4,30,4\ny,40,5\n")
    assert upserting.ingest("log").quarantined == 1
    assert upserting.rows("log")["id"].to_list() == [1, 2, 3, 4]
