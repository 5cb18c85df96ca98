import polars as pl
import pytest

from penstock.data import as_export, masked_rows, quarantined, quarantined_rows
from penstock.errors import UsageError

BAD = "1,2,AA\nx,2,AA\n3,-99,ZZ\n" + "4,4,UA\n" * 60


@pytest.fixture
def aside(flights):
    lab = flights(BAD)
    lab.write("data/b.csv", "id,delay,carrier\n5,-70,AA\n" + "6,6,AA\n" * 30)
    lab.ingest("flights")
    return lab


def rows(lab, **chosen) -> pl.DataFrame:
    return quarantined_rows(lab.project, lab.ledger, lab.store, "flights", **chosen).collect()


def test_the_list_counts_reasons_and_remembers_since_when(aside) -> None:
    (first,) = quarantined(aside.project, aside.ledger, aside.store)
    assert (first.dataset, first.rows) == ("flights", 3)
    assert first.reasons == {"delay: below -60": 2, "carrier: not one of the values": 1, "id: not Int64": 1}
    aside.write("data/c.csv", "id,delay,carrier\n7,-80,AA\n" + "8,8,AA\n" * 30)
    aside.ingest("flights")
    (again,) = quarantined(aside.project, aside.ledger, aside.store)
    assert (again.rows, again.since) == (4, first.since)


def test_without_a_bad_row_there_is_nothing_to_list(flights) -> None:
    lab = flights("1,2,AA\n")
    lab.ingest("flights")
    assert quarantined(lab.project, lab.ledger, lab.store) == ()


def test_rows_by_reason_and_by_file(aside) -> None:
    assert rows(aside, reason="delay: below -60")["id"].to_list() == ["3", "5"]
    assert rows(aside, file="data/b.csv")["__row__"].to_list() == [1]
    with pytest.raises(UsageError, match=r"did you mean 'data/b.csv'"):
        rows(aside, file="data/bb.csv")
    with pytest.raises(UsageError, match="unknown reason in the quarantine 'late'"):
        rows(aside, reason="late")
    with pytest.raises(UsageError, match="dataset with a quarantine"):
        quarantined_rows(aside.project, aside.ledger, aside.store, "flight")


def test_personal_values_are_shown_to_nobody_and_exported_whole(flights) -> None:
    contract = "columns: {id: {type: Int64}, delay: {type: Float64, max: 3, pii: sensitive}, carrier: {type: String}}"
    lab = flights("1,9,AA\n2,,AA\n" + "1,1,AA\n" * 40, contract=contract)
    lab.ingest("flights")
    found = quarantined_rows(lab.project, lab.ledger, lab.store, "flights")
    assert masked_rows(lab.project, "flights", found).collect()["delay"].to_list() == ["***"]
    exported = as_export(found, ".csv").collect()
    assert (exported["delay"].to_list(), exported["__reasons__"].to_list()) == (["9"], ["delay: above 3"])
