"""Looks at sources: what is ingested when, and what is told."""

import sqlite3

import pytest

from penstock.data import Arrival, Watch

HEAD = "id,delay,carrier\n"


@pytest.fixture
def lab(flights):
    return flights("1,2,AA\n", settings=", mode: append, max_quarantined: 0%")


class Looks:
    """One look after the other, each in a line."""

    def __init__(self, lab, *datasets: str) -> None:
        self.watch = Watch(lab.project, lab.ledger, lab.store, datasets or ["flights"])

    def __call__(self) -> list[str]:
        return [_told(one) for one in self.watch.look()]


def _told(one: Arrival) -> str:
    return f"{one.done.rows} rows ({one.done.why})" if one.done else str(one.error).splitlines()[0]


def test_a_file_is_ingested_when_two_looks_saw_it_the_same(lab) -> None:
    look = Looks(lab)
    assert look() == []
    assert look() == ["1 rows (first ingest)"]
    assert look() == []


def test_what_the_system_refuses_is_told_and_the_others_are_watched_on(lab) -> None:
    (lab.root / "folder").mkdir()
    lab.datasets = {"broken": "{source: data/*.csv, contract: folder}", **lab.datasets}
    look = Looks(lab, "broken", "flights")
    assert look() == []
    told = look()
    assert "Is a directory" in told[0]
    assert told[1:] == ["1 rows (first ingest)"]
    assert look() == []


def test_a_file_that_grows_waits_and_others_do_not(lab) -> None:
    look = Looks(lab)
    look(), look()
    lab.write("data/b.csv", HEAD + "2,2,AA\n")
    lab.write("data/c.csv", HEAD + "3,2,AA\n")
    assert look() == []
    lab.write("data/c.csv", HEAD + "3,2,AA\n4,2,")  # in the middle of a line
    assert look() == ["2 rows (files: 1 new)"]
    assert lab.rows("flights")["id"].to_list() == [1, 2]
    lab.write("data/c.csv", HEAD + "3,2,AA\n4,2,AA\n")
    assert look() == []
    assert look() == ["4 rows (files: 1 new)"]


def test_a_file_that_is_written_again_keeps_its_rows_meanwhile(lab) -> None:
    lab.datasets["flights"] = lab.datasets["flights"].replace("append", "snapshot")
    look = Looks(lab)
    look(), look()
    lab.write("data/a.csv", HEAD + "7,2,AA\n")
    lab.write("data/b.csv", HEAD + "2,2,AA\n")
    look()
    lab.write("data/a.csv", HEAD + "8,2,AA\n9,")
    look()
    assert sorted(lab.rows("flights")["id"]) == [1, 2]
    lab.write("data/a.csv", HEAD + "8,2,AA\n")
    look(), look()
    assert sorted(lab.rows("flights")["id"]) == [2, 8]


def test_a_broken_contract_is_told_once_until_an_input_or_the_contract_changes(lab) -> None:
    look = Looks(lab)
    look(), look()
    lab.write("data/b.csv", HEAD + "2,-99,AA\n")
    look()
    broken = ["flights: 1 of 1 rows (100.0%) break the contract; 0.0% may"]
    assert look() == broken
    assert look() == look() == []
    lab.write("data/c.csv", HEAD + "3,2,AA\n")
    assert look() == []
    assert look() == ["flights: 1 of 2 rows (50.0%) break the contract; 0.0% may"]
    contract = lab.root / "contracts/flights.yaml"
    contract.write_text(contract.read_text().replace("min: -60", "min: -100"))
    assert look() == ["3 rows (contract changed)"]


def test_what_broke_is_told_again_after_it_was_well(lab) -> None:
    look = Looks(lab)
    look(), look()
    for name, other in (("b", "c"), ("d", "e")):
        lab.write(f"data/{name}.csv", HEAD + "2,-99,AA\n")
        look()
        assert "1 of 1 rows (100.0%) break" in look()[0]
        lab.write(f"data/{name}.csv", HEAD + f"{ord(other)},2,AA\n")
        look()
        assert look()[0].endswith("(files: 1 new)")


def test_another_failure_is_tried_at_every_look_and_told_once(lab) -> None:
    look = Looks(lab)
    look(), look()
    was = lab.write("data/a.csv", HEAD + "1,3,AA\n")
    look()
    assert look() == ["data/a.csv was changed after it was ingested, but its dataset only ever appends"]
    assert look() == []
    was.write_text(HEAD + "1,2,AA\n")
    lab.write("data/b.csv", HEAD + "2,2,AA\n")
    look()
    assert look() == ["2 rows (files: 1 new)"]


def test_no_file_yet_is_no_error_and_one_broken_dataset_stops_no_other(lab) -> None:
    lab.datasets["weather"] = "{source: 'weather/*.csv', contract: contracts/none.yaml}"
    look = Looks(lab, "weather", "flights")
    assert look() == []
    assert look() == ["1 rows (first ingest)"]
    lab.write("weather/a.csv", "id\n1\n")
    look()
    assert "contracts/none.yaml" in look()[0]
    lab.write("data/b.csv", HEAD + "2,2,AA\n")
    look()
    assert look() == ["2 rows (files: 1 new)"]


def test_a_function_is_asked_at_every_look_when_it_may_have_more(lab) -> None:
    lab.write("pipeline.py", "import pathlib, polars as pl\n\ndef rows(since=None):\n"
              "    return pl.read_csv(pathlib.Path(__file__).with_name('now.csv'))\n")  # fmt: skip
    lab.write("now.csv", "id\n1\n")
    lab.datasets["feed"] = "{source: 'pipeline:rows', mode: append, watermark: id}"
    look = Looks(lab, "feed")
    assert look() == ["1 rows (first ingest)"]
    lab.write("now.csv", "id\n1\n2\n")
    assert look() == ["2 rows (asked pipeline:rows)"]
    assert look() == []


def test_a_directory_waits_until_all_of_it_is_still(lab) -> None:
    lab.datasets["images"] = "{source: images/}"
    lab.write("images/a.png", b"a")
    look = Looks(lab, "images")
    look()
    lab.write("images/b.png", b"b")
    assert look() == []
    assert look() == ["2 rows (first ingest)"]
    assert look() == []


def test_a_query_that_does_not_tell_what_changed_is_asked_at_every_look(lab) -> None:
    with sqlite3.connect(lab.root / "a.db") as orders:
        orders.execute("CREATE TABLE orders (id INTEGER)")
        orders.execute("INSERT INTO orders VALUES (1)")
    lab.datasets["orders"] = "{source: {url: 'sqlite:///a.db', table: orders}}"
    look = Looks(lab, "orders")
    assert look() == ["1 rows (first ingest)"]
    assert look() == []
    with sqlite3.connect(lab.root / "a.db") as orders:
        orders.execute("INSERT INTO orders VALUES (2)")
    assert look()[0].startswith("2 rows")
