from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.data.ingestion.upsert import upsert
from penstock.errors import ConfigError, ContractBroken
from penstock.ledger import Execution
from penstock.store import Store, Table

SCHEMA = {"id": pl.Int64, "at": pl.Int64, "v": pl.Float64}
ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 3), st.sampled_from([None, 1.0, float("nan")])), max_size=12
)
Row = tuple[int, int, float | None]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(tmp_path_factory.mktemp("store"))


def written(store: Store, rows: list[Row], per_part: int = 1_000_000) -> Table:
    return store.write_table(pl.DataFrame(rows, schema=SCHEMA, orient="row"), rows_per_part=per_part)


def one_by_one(there: dict[int, Row], rows: list[Row], watermark: bool) -> dict[int, Row]:
    """What an upsert means."""
    for row in rows:
        before = there.get(row[0])
        if before is None or not watermark or row[1] >= before[1]:
            there = {**there, row[0]: row}
    return there


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(ROWS, ROWS, st.booleans(), st.integers(1, 4))
def test_it_is_what_one_row_after_another_would_be(
    store: Store, first: list[Row], second: list[Row], watermark: bool, per_part: int
) -> None:
    expected = one_by_one({}, first, watermark)
    there = written(store, list(expected.values()), per_part)
    done = upsert(store, there, written(store, second, per_part), ["id"], "at" if watermark else None)
    parts = [left for part in there.parts for left in done.stays.get(part.digest, (part,))]
    after = store.rows(Table(there.schema, (*parts, *done.added))).collect()
    wanted = one_by_one(expected, second, watermark)
    assert sorted(map(repr, after.rows())) == sorted(map(repr, wanted.values()))
    assert sum(done.counts.values()) == len(second)
    assert done.counts["inserted"] == len(wanted) - len(expected)
    untouched = {part.digest for part in there.parts} - done.stays.keys()
    assert untouched <= {part.digest for part in parts}


def test_only_parts_with_a_row_that_changes_are_written_again(store: Store) -> None:
    there = written(store, [(n, 0, 1.0) for n in range(100)], per_part=10)
    done = upsert(store, there, written(store, [(25, 0, 9.0), (41, 0, 1.0), (500, 0, 1.0)]), ["id"], None)
    assert list(done.stays) == [there.parts[2].digest]
    assert done.counts == {"inserted": 1, "updated": 1, "unchanged": 1, "superseded": 0}
    assert store.rows(Table(there.schema, done.added)).collect()["id"].to_list() == [25, 500]


# --- as a mode of a dataset ----------------------------------------------------------------------


@pytest.fixture
def upserting(flights) -> Callable[..., object]:
    return lambda rows, more="": flights(rows, settings=f", mode: upsert, key: id, max_quarantined: 60%{more}")


def table(lab) -> list[tuple[object, ...]]:
    return sorted(lab.rows("flights").rows())


def test_rows_of_new_and_of_changed_files_replace_those_of_the_same_key(upserting) -> None:
    lab = upserting("1,2,AA\n2,2,AA\n2,3,AA\n3,3,AA\n")
    first = lab.ingest("flights")
    assert first.counts == {"inserted": 3, "updated": 0, "unchanged": 0, "superseded": 1}
    lab.write("data/b.csv", "id,delay,carrier\n3,4,UA\n4,4,UA\n")
    second = lab.ingest("flights")
    assert (second.why, second.rows) == ("files: 1 new", 4)
    assert second.counts == {"inserted": 1, "updated": 1, "unchanged": 0, "superseded": 0}
    lab.write("data/a.csv", "id,delay,carrier\n1,9,AA\n2,3,AA\n")
    third = lab.ingest("flights")
    assert (third.why, third.counts["updated"], third.counts["unchanged"]) == ("files: 1 changed", 1, 1)
    assert table(lab) == [(1, 9, "AA"), (2, 3, "AA"), (3, 4, "UA"), (4, 4, "UA")]
    with lab.ledger.read() as reader:
        (execution,) = reader.find(Execution, key=lab.head("flights").producer)
    assert execution.outputs["rows"] == third.counts


def test_the_same_rows_again_make_no_version(upserting) -> None:
    lab = upserting("1,2,AA\n2,2,AA\n")
    first = lab.ingest("flights")
    lab.write("data/b.csv", "id,delay,carrier\n2,2,AA\n1,2.0,AA\n")
    again = lab.ingest("flights")
    assert (again.skipped, again.commit) == (True, first.commit)
    assert again.why == "files: 1 new, but the rows are the same"
    assert lab.ingest("flights").why == "source unchanged"


def test_with_a_watermark_the_larger_one_wins_in_whatever_order_they_come(lab) -> None:
    lab.write("data/a.csv", "id,at,v\n1,5,new\n2,5,new\n")
    lab.write("data/b.csv", "id,at,v\n1,4,old\n2,6,newer\n2,6,last\n3,1,only\n")
    lab.datasets["flights"] = "{source: data/*.csv, mode: upsert, key: id, watermark: at}"
    done = lab.ingest("flights")
    assert table(lab) == [(1, 5, "new"), (2, 6, "last"), (3, 1, "only")]
    assert done.counts == {"inserted": 3, "updated": 1, "unchanged": 0, "superseded": 2}


def test_a_file_that_is_gone_keeps_its_rows_and_one_that_changed_its_quarantine_is_new(upserting) -> None:
    lab = upserting("1,2,AA\nx,2,AA\n")
    lab.ingest("flights")
    lab.write("data/b.csv", "id,delay,carrier\n2,2,AA\n")
    lab.write("data/a.csv", "id,delay,carrier\n1,2,AA\n7,2,AA\n")
    assert lab.ingest("flights").quarantined == 0
    (lab.root / "data/a.csv").unlink()
    lab.write("data/b.csv", "id,delay,carrier\n2,3,AA\n")
    lab.ingest("flights")
    assert table(lab) == [(1, 2, "AA"), (2, 3, "AA"), (7, 2, "AA")]


def test_refresh_takes_the_files_that_are_there_as_they_are(upserting) -> None:
    lab = upserting("1,2,AA\n2,2,AA\n")
    lab.ingest("flights")
    lab.write("data/a.csv", "id,delay,carrier\n1,3,AA\n")
    assert lab.ingest("flights", refresh=True).rows == 1
    assert table(lab) == [(1, 3, "AA")]


def test_a_function_is_asked_every_time_and_its_rows_replace_others(lab) -> None:
    lab.write(
        "pipeline.py",
        "import pathlib, polars as pl\n"
        "def rows():\n"
        "    return pl.read_csv(pathlib.Path(__file__).with_name('now.csv'))\n",
    )
    lab.write("now.csv", "id,v\n1,a\n2,a\n")
    lab.datasets["flights"] = "{source: 'pipeline:rows', mode: upsert, key: id}"
    lab.ingest("flights")
    assert lab.ingest("flights").why == "asked pipeline:rows, but the rows are the same"
    lab.write("now.csv", "id,v\n2,b\n3,b\n")
    assert lab.ingest("flights").counts == {"inserted": 1, "updated": 1, "unchanged": 0, "superseded": 0}
    assert table(lab) == [(1, "a"), (2, "b"), (3, "b")]


def test_an_upsert_without_a_key_and_a_watermark_of_a_snapshot_are_refused(lab) -> None:
    lab.datasets["flights"] = "{source: data/*.csv, mode: upsert}"
    lab.datasets["weather"] = "{source: data/*.csv, watermark: at}"
    with pytest.raises(ConfigError) as raised:
        lab.ingest("flights")
    assert [(problem.where.rpartition("/")[2], problem.what) for problem in raised.value.problems] == [
        (
            "penstock.yaml:4:41",
            "`data.datasets.flights.mode`: upsert needs `key`: the columns that say which row is replaced",
        ),
        (
            "penstock.yaml:5:46",
            "`data.datasets.weather.watermark`: a snapshot takes every row: it needs mode append or upsert",
        ),
    ]


def test_what_breaks_the_contract_leaves_all_as_it_was(upserting) -> None:
    lab = upserting("1,2,AA\n")
    first = lab.ingest("flights")
    lab.write("data/b.csv", "id,delay,carrier\n1,-99,AA\n2,-99,AA\n")
    with pytest.raises(ContractBroken, match=r"2 of 2 rows"):
        lab.ingest("flights")
    assert lab.head("flights").commit == first.commit
