from pathlib import Path

import polars as pl
import pytest

from penstock.data import quarantined_rows, readmit
from penstock.errors import Conflict, ContractBroken, UsageError
from penstock.ledger import AuditEntry, Edge, Ledger, Version, node
from penstock.store import read_lock

ROWS = "1,2,AA\nx,2,AA\n3,-99,ZZ\n" + "".join(f"{n},4,UA\n" for n in range(10, 70))
MORE = "id,delay,carrier\n5,-70,AA\n" + "".join(f"{n},6,AA\n" for n in range(100, 140))


@pytest.fixture
def aside(flights, tmp_path):
    """Three rows in quarantine, of two files; a ledger that signs."""
    lab = flights(ROWS, settings=", key: id")
    lab.write("data/b.csv", MORE)
    lab.ledger = Ledger.open(f"sqlite:///{tmp_path}/.penstock/ledger.db", signing_key=tmp_path / ".penstock" / "key")
    lab.ingest("flights")
    return lab


def back(lab, **chosen):
    return readmit(lab.project, lab.ledger, lab.store, "flights", note="they are right", actor="ada", **chosen)


def exported(lab, **changes: str) -> Path:
    """The quarantine as a file, with values replaced."""
    rows = quarantined_rows(lab.project, lab.ledger, lab.store, "flights").drop("__reasons__").collect()
    text = rows.write_csv()
    for before, after in changes.items():
        text = text.replace(before, after)
    return lab.write("corrected.csv", text)


def wider(lab) -> None:
    path = lab.root / "contracts/flights.yaml"
    path.write_text(path.read_text().replace("min: -60", "min: -80"))


def left(lab) -> list[tuple[str, list[str]]]:
    return list(lab.rows("flights.quarantine").select("id", "__reasons__").iter_rows())


def test_rows_that_keep_the_corrected_contract_come_back(aside) -> None:
    before = aside.head("flights")
    wider(aside)
    done = back(aside)
    assert (done.readmitted, done.quarantined, done.rows, done.previous) == (1, 2, before.rows + 1, before.commit)
    assert done.reasons == {"id: not Int64": 1, "delay: below -80": 1, "carrier: not one of the values": 1}
    assert aside.rows("flights").filter(id=5).rows() == [(5, -70.0, "AA")]
    assert left(aside) == [("x", ["id: not Int64"]), ("3", ["delay: below -80", "carrier: not one of the values"])]
    assert read_lock(aside.root / "penstock.lock")["flights"].commit == done.commit
    again = aside.ingest("flights")
    assert (again.why, again.rows, again.quarantined) == ("contract changed", before.rows + 1, 2)


ASKED = """
from pathlib import Path

import polars as pl


def rows(since):
    found = pl.read_csv(Path(__file__).parent / "rows.csv", schema_overrides={"delay": pl.Float64})
    return found if since is None else found.filter(pl.col("id") > since)
"""


def test_rows_that_a_function_gave_at_the_same_place_are_told_apart(aside) -> None:
    aside.write("source.py", ASKED)
    contract = "contract: contracts/flights.yaml, max_quarantined: 100%"
    aside.datasets["asked"] = f'{{source: "source:rows", mode: append, watermark: id, key: id, {contract}}}'
    for rows in ("1,2,AA\n2,-70,AA\n", "1,2,AA\n2,-70,AA\n4,2,ZZ\n"):  # both bad rows are the second that came
        aside.write("rows.csv", "id,delay,carrier\n" + rows)
        aside.ingest("asked")
    places = aside.rows("asked.quarantine").select("id", "__file__", "__row__")
    assert places.rows() == [("2", "source:rows", 2), ("4", "source:rows", 2)]
    wider(aside)
    lab = (aside.project, aside.ledger, aside.store, "asked")
    text = places.head(1).with_columns(delay=2.0, carrier=pl.lit("AA")).write_csv()
    with pytest.raises(UsageError, match="several rows of the quarantine stand at one place: source:rows row 2"):
        readmit(*lab, note="so", actor="ada", corrected=aside.write("corrected.csv", text))
    done = readmit(*lab, note="so", actor="ada", reason="delay: below -60")
    assert (done.readmitted, done.quarantined) == (1, 1)
    assert aside.rows("asked")["id"].to_list() == [1, 2]
    assert aside.rows("asked.quarantine")["id"].to_list() == ["4"]


def test_corrected_rows_come_back_and_stay_until_their_file_changes(aside) -> None:
    done = back(aside, corrected=exported(aside, **{"x,2,AA": "900,2,AA", "-99,ZZ": "9,ZZ"}))
    assert (done.readmitted, done.quarantined) == (1, 2)
    assert aside.rows("flights").filter(id=900).height == 1
    assert left(aside) == [("3", ["carrier: not one of the values"]), ("5", ["delay: below -60"])]
    assert aside.ingest("flights").skipped
    aside.write("data/c.csv", "id,delay,carrier\n800,1,AA\n")
    aside.ingest("flights")
    assert aside.rows("flights").filter(pl.col("id").is_in([800, 900])).height == 2
    aside.write("data/a.csv", "id,delay,carrier\n" + ROWS.replace("1,2,AA", "2,2,AA", 1))
    gone = aside.ingest("flights")
    assert aside.rows("flights").filter(id=900).is_empty()
    assert gone.quarantined == 3


def test_rows_with_one_reason(aside) -> None:
    wider(aside)
    done = back(aside, reason="delay: below -60")
    assert (done.readmitted, done.quarantined) == (1, 2)
    assert left(aside)[0] == ("x", ["id: not Int64"])


def test_who_and_why_are_on_record(aside) -> None:
    quarantine, before = aside.head("flights.quarantine").commit, aside.head("flights").commit
    wider(aside)
    done = back(aside)
    with aside.ledger.read() as reader:
        (entry,) = reader.find(AuditEntry, action="data.readmit")
        edges = {edge.source for edge in reader.find(Edge, target=node("data", done.commit))}
        left = [edge.source for edge in reader.find(Edge, target=node("data", aside.head("flights.quarantine").commit))]
    assert (entry.actor, entry.reason, entry.payload["rows"]) == ("ada", "they are right", 1)
    assert edges == {node("data", quarantine), node("data", before)}
    assert left == [node("data", done.commit)]


def test_values_that_had_types_come_back_as_they_were(aside) -> None:
    aside.write(
        "contracts/flights.yaml",
        'columns: {id: {type: Int64}, at: {type: "Datetime[us]", min: 2013-01-01}, d: {type: Date}, '
        "x: {type: Float64}, b: {type: Boolean}}",
    )
    frame = pl.select(
        id=pl.int_range(40),
        at=pl.datetime(2013, 1, 1, 5, 0, 0, 123456) - pl.duration(days=365 * (pl.int_range(40) == 7)),
        d=pl.date(2013, 1, 1),
        x=pl.int_range(40) / 3,
        b=pl.lit(value=True),
    ).with_columns(pl.col("at").cast(pl.Datetime("us")))
    frame.write_parquet(aside.root / "typed.parquet")
    aside.datasets["flights"] = "{source: typed.parquet, contract: contracts/flights.yaml}"
    assert aside.ingest("flights").quarantined == 1
    path = aside.root / "contracts/flights.yaml"
    path.write_text(
        path.read_text()
        .replace("min: 2013-01-01", "min: 2012-01-01")
        .replace("{type: Date}", '{type: Date, format: "%d.%m.%Y"}')
    )
    back(aside)
    assert aside.rows("flights").sort("id").equals(frame)


def test_a_file_as_a_spreadsheet_saves_it(aside) -> None:
    path = exported(aside, **{"x,2,AA": "900,2,AA"})
    path.write_bytes(path.read_text().replace(",", ";").replace("\n", "\r\n").encode("utf-16"))
    assert back(aside, corrected=path).readmitted == 1


def refused(lab, error, match, **chosen) -> None:
    with lab.ledger.read() as reader:
        before = (lab.head("flights"), lab.head("flights.quarantine"), reader.count(Version))
    with pytest.raises(error, match=match):
        back(lab, **chosen)
    with lab.ledger.read() as reader:
        assert (lab.head("flights"), lab.head("flights.quarantine"), reader.count(Version)) == before


def test_what_cannot_come_back_changes_nothing(aside) -> None:
    refused(aside, ContractBroken, "no chosen row keeps the contract")
    refused(aside, ContractBroken, "id is unique", corrected=exported(aside, **{"x,2,AA": "1,2,AA"}))
    refused(aside, UsageError, "unknown reason", reason="late")
    refused(
        aside,
        UsageError,
        "not in the quarantine: data/a.csv row 222",
        corrected=exported(aside, **{"csv,2\n": "csv,222\n"}),
    )
    refused(
        aside,
        UsageError,
        "without a place, or twice: data/a.csv row 2",
        corrected=exported(aside, **{"csv,3\n": "csv,2\n"}),
    )
    refused(aside, UsageError, "cannot be read", corrected=aside.write("corrected.csv", "__file__,__row__\na,1,2,3\n"))
    refused(aside, UsageError, "cannot be read", corrected=aside.write("corrected.parquet", "PAR1"))
    refused(aside, UsageError, "it lacks delay", corrected=exported(aside, delay="late"))
    (aside.root / "contracts/flights.yaml").write_text("columns: {id: {type: Int64}}")
    refused(aside, UsageError, "gives other columns than flights has")


def test_rows_of_a_version_that_no_ingest_made(aside) -> None:
    from penstock.data import publish_derived
    from penstock.store import Manifest

    table = aside.store.write_table(pl.DataFrame({"id": [1]}))
    publish_derived(aside.ledger, aside.store, "flights", aside.store.commit(Manifest(table.schema, table.parts)), {})
    refused(aside, Conflict, "moved by something else than its ingest")
