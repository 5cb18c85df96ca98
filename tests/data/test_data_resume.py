"""What an ingest that did not end has staged, and when it counts."""

import os
from datetime import timedelta

import pytest

from penstock.data import Progress, ingest
from penstock.errors import ContractBroken
from penstock.ledger import Cursor

GOOD = "id,delay,carrier\n{n},2,AA\n{n}1,-99,AA\n"


@pytest.fixture
def stopped(flights):
    """A lab where a.csv and b.csv are staged, and then c.csv ended the ingest."""
    lab = flights("", settings=", max_quarantined: 60%, mode: append")
    for name in "abc":
        lab.write(f"data/{name}.csv", GOOD.format(n=ord(name)))
    with pytest.raises(KeyboardInterrupt):
        ingest(lab.project, lab.ledger, lab.store, "flights", progress=stop_at_c)
    assert lab.head("flights") is None
    return lab


def stop_at_c(told: Progress) -> None:
    if told.input == "data/c.csv":
        raise KeyboardInterrupt


def reads(lab) -> list[str]:
    """The inputs that an ingest reads."""
    told: list[Progress] = []
    done = ingest(lab.project, lab.ledger, lab.store, "flights", progress=told.append)
    assert (done.rows, done.quarantined) == (3, 3)
    assert done.reasons == {"delay: below -60": 3}
    assert lab.rows("flights")["id"].to_list() == [97, 98, 99]
    assert lab.store.verify() == []
    assert [cursor for cursor in cursors(lab) if cursor.startswith("staged:")] == []
    assert {one.inputs for one in told} == {3}
    return list(dict.fromkeys(one.input for one in told))


def cursors(lab) -> list[str]:
    with lab.ledger.read() as reader:
        return [cursor.name for cursor in reader.find(Cursor)]


def blob(lab, name: str) -> str:
    with lab.ledger.read() as reader:
        cursor = reader.get(Cursor, name=f"staged:flights:data/{name}.csv")
    assert cursor is not None
    return cursor.position["good"]["parts"][0]["digest"]


def test_what_is_staged_is_not_read_again(stopped) -> None:
    assert reads(stopped) == ["data/c.csv"]


def test_a_file_that_changed_meanwhile_is_read_again(stopped) -> None:
    stopped.write("data/b.csv", GOOD.format(n=ord("b")).replace(",2,", ",2.0,"))
    assert reads(stopped) == ["data/b.csv", "data/c.csv"]


def test_another_contract_makes_it_void(stopped) -> None:
    contract = stopped.root / "contracts/flights.yaml"
    contract.write_text(contract.read_text() + "allow_new: true\n")
    assert reads(stopped) == ["data/a.csv", "data/b.csv", "data/c.csv"]


def test_other_settings_make_it_void(stopped) -> None:
    stopped.datasets["flights"] = stopped.datasets["flights"].replace("60%", "70%")
    assert reads(stopped) == ["data/a.csv", "data/b.csv", "data/c.csv"]


def test_parts_that_garbage_collection_took_are_read_again(stopped) -> None:
    path = stopped.store.blobs.location(blob(stopped, "a"))
    os.utime(path, (0, 0))
    assert stopped.store.collect_garbage([], grace=timedelta(hours=1)).removed == 1
    assert reads(stopped) == ["data/a.csv", "data/c.csv"]


def test_a_flipped_bit_in_a_staged_part_is_found_and_read_again(stopped) -> None:
    path = stopped.store.blobs.location(blob(stopped, "b"))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(damaged)
    assert reads(stopped) == ["data/b.csv", "data/c.csv"]


def test_without_a_contract_what_the_columns_are_is_found_out_first(lab) -> None:
    lab.datasets["flights"] = "{source: 'data/*.csv'}"
    for name in "abc":
        lab.write(f"data/{name}.csv", f"id\n{ord(name)}\n")
    with pytest.raises(KeyboardInterrupt):
        ingest(lab.project, lab.ledger, lab.store, "flights", progress=stop_at_c)
    told: list[Progress] = []
    ingest(lab.project, lab.ledger, lab.store, "flights", progress=told.append)
    assert {one.input for one in told} == {"data/c.csv"}


def test_a_function_is_asked_again(lab) -> None:
    lab.write("pipeline.py", "import polars as pl\ndef rows():\n    return pl.DataFrame({'id': [1, 2]})\n")
    lab.write("c.yaml", "columns: {id: {type: Int64}}\nrows: {min: 3}")
    lab.datasets["flights"] = "{source: 'pipeline:rows', contract: c.yaml}"
    with pytest.raises(ContractBroken, match="as a whole"):
        lab.ingest("flights")
    assert cursors(lab) == []
