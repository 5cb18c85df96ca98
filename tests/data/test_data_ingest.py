import os
from collections.abc import Callable

import polars as pl
import pytest

from penstock.data import Progress, ingest
from penstock.errors import ConfigError, ContractBroken, UsageError
from penstock.ledger import Edge, Execution, Version, node
from penstock.store import read_lock

Make = Callable[..., "object"]


def counted(lab, record, **fields):
    with lab.ledger.read() as reader:
        return reader.count(record, **fields)


def test_good_rows_are_published_typed(flights) -> None:
    lab = flights("1,2.5,AA\n2,,UA\n")
    done = lab.ingest("flights")
    assert (done.rows, done.quarantined, done.skipped, done.why) == (2, 0, False, "first ingest")
    assert lab.rows("flights").rows() == [(1, 2.5, "AA"), (2, None, "UA")]
    assert lab.rows("flights").dtypes == [pl.Int64, pl.Float64, pl.String]


def test_bad_rows_are_kept_whole_with_every_reason(flights) -> None:
    lab = flights("1,2,AA\nx,-61,ZZ\n" + "2,2,AA\n" * 20)
    done = lab.ingest("flights")
    assert done.quarantined == 1
    assert done.reasons == {"id: not Int64": 1, "delay: below -60": 1, "carrier: not one of the values": 1}
    assert lab.rows("flights.quarantine").to_dicts() == [
        {
            "id": "x",
            "delay": "-61",
            "carrier": "ZZ",
            "__file__": "data/a.csv",
            "__row__": 2,
            "__reasons__": ["id: not Int64", "delay: below -60", "carrier: not one of the values"],
        }
    ]


def test_no_row_is_lost(flights) -> None:
    lab = flights("".join(f"{n},{n - 65},{'AA' if n % 50 else 'ZZ'}\n" for n in range(100, 1000)))
    done = lab.ingest("flights")
    assert done.rows + done.quarantined == 900
    assert done.quarantined == 18


def test_the_lock_the_execution_and_the_edges_are_written(flights) -> None:
    lab = flights("1,2,AA\n")
    done = lab.ingest("flights")
    pin = read_lock(lab.root / "penstock.lock")["flights"]
    version = lab.head("flights")
    assert (pin.commit, pin.content, pin.rows) == (done.commit, version.content, 1)
    aside = lab.head("flights.quarantine")
    with lab.ledger.read() as reader:
        execution = reader.get(Execution, key=version.producer)
        edge = reader.get(Edge, source=node("data", done.commit), target=node("data", aside.commit))
    assert execution.outputs == {"data": done.commit, "quarantine": aside.commit}
    assert edge.role == "quarantine"
    assert lab.store.manifest(done.commit).notes["quarantine"] == aside.commit


def test_unchanged_input_is_skipped_without_being_read(flights) -> None:
    lab = flights("1,2,AA\n")
    first = lab.ingest("flights")
    path = lab.root / "data/a.csv"
    times = path.stat()
    path.write_bytes(path.read_bytes().replace(b"AA", b"UA"))  # whoever read it would see the difference
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    again = lab.ingest("flights")
    assert (again.skipped, again.commit, again.why) == (True, first.commit, "source unchanged")
    assert counted(lab, Version) == 2


def test_a_new_time_alone_is_no_change_and_is_remembered(flights) -> None:
    lab = flights("1,2,AA\n")
    lab.ingest("flights")
    os.utime(lab.root / "data/a.csv", ns=(1, 1))
    assert lab.ingest("flights").skipped
    assert lab.ingest("flights").why == "source unchanged"


def test_a_lost_lock_file_comes_back(flights) -> None:
    lab = flights("1,2,AA\n")
    lab.ingest("flights")
    (lab.root / "penstock.lock").unlink()
    lab.ingest("flights")
    assert "flights" in read_lock(lab.root / "penstock.lock")


def test_a_snapshot_is_what_the_files_are_now(flights) -> None:
    lab = flights("1,2,AA\n")
    first = lab.ingest("flights")
    lab.write("data/b.csv", "carrier,delay,id\nUA,3,2\n")
    second = lab.ingest("flights")
    assert (second.why, second.previous, second.rows) == ("files: 1 new", first.commit, 2)
    lab.write("data/a.csv", "id,delay,carrier\n9,9,AA\n")
    (lab.root / "data/b.csv").unlink()
    third = lab.ingest("flights")
    assert third.why == "files: 1 changed, 1 gone"
    assert lab.rows("flights")["id"].to_list() == [9]
    assert lab.store.scan(second.commit).collect()["id"].to_list() == [1, 2]
    assert lab.store.manifest(third.commit).parents == (second.commit,)


def test_other_bytes_with_the_same_rows_make_no_version(flights) -> None:
    lab = flights("1,2,AA\n")
    first = lab.ingest("flights")
    lab.write("data/a.csv", "id;delay;carrier\n1;2.0;AA\n")
    again = lab.ingest("flights")
    assert (again.skipped, again.commit) == (True, first.commit)
    assert again.why == "files: 1 changed, but the rows are the same"
    assert lab.ingest("flights").why == "source unchanged"


def test_going_back_to_old_data_is_a_new_version_with_the_old_content(flights) -> None:
    lab = flights("1,2,AA\n")
    first, before = lab.ingest("flights"), lab.head("flights")
    lab.write("data/a.csv", "id,delay,carrier\n2,2,AA\n")
    lab.ingest("flights")
    lab.write("data/a.csv", "id,delay,carrier\n1,2,AA\n")
    third, after = lab.ingest("flights"), lab.head("flights")
    assert third.commit != first.commit
    assert after.content == before.content


# --- append --------------------------------------------------------------------------------------


def test_append_adds_files_and_shares_the_parts_that_are_there(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append")
    first = lab.ingest("flights")
    lab.write("data/b.csv", "id,delay,carrier\n2,2,AA\n")
    (lab.root / "data/a.csv").unlink()  # archived elsewhere: its rows stay
    second = lab.ingest("flights")
    assert lab.rows("flights")["id"].to_list() == [1, 2]
    (lab.root / "data/b.csv").rename(lab.root / "b.csv")
    assert lab.ingest("flights").skipped
    (lab.root / "b.csv").rename(lab.root / "data/b.csv")
    parts = [part.digest for part in lab.store.manifest(second.commit).parts]
    assert parts[:1] == [part.digest for part in lab.store.manifest(first.commit).parts]
    assert lab.ingest("flights").skipped


def test_appending_one_percent_stores_about_one_percent(flights) -> None:
    def rows(start: int, count: int) -> str:
        return "".join(f"{n},{(n * 7919) % 2999 + n / 1e5},AA\n" for n in range(start, start + count))

    def size() -> int:
        return sum(path.stat().st_size for path in (lab.root / ".penstock/store").rglob("*") if path.is_file())

    lab = flights(rows(0, 200_000), settings=", mode: append")
    lab.ingest("flights")
    before = size()
    lab.write("data/b.csv", "id,delay,carrier\n" + rows(200_000, 2_000))
    lab.ingest("flights")
    assert (size() - before) / before < 0.03


def test_an_appended_file_that_changed_is_refused(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append")
    first = lab.ingest("flights")
    lab.write("data/a.csv", "id,delay,carrier\n1,3,AA\n")
    with pytest.raises(UsageError, match=r"data/a.csv was changed after it was ingested"):
        lab.ingest("flights")
    assert lab.head("flights").commit == first.commit
    assert lab.ingest("flights", refresh=True).rows == 1
    assert lab.rows("flights")["delay"].to_list() == [3.0]


def test_a_renamed_file_is_not_appended_again(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append")
    lab.ingest("flights")
    (lab.root / "data/a.csv").rename(lab.root / "data/z.csv")
    assert lab.ingest("flights").skipped
    assert lab.ingest("flights").why == "source unchanged"
    assert lab.rows("flights").height == 1


def test_equal_files_that_are_renamed_are_each_known_again(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append")
    lab.write("data/b.csv", (lab.root / "data/a.csv").read_text())
    assert lab.ingest("flights").rows == 2
    for name in ("a", "b"):
        (lab.root / f"data/{name}.csv").rename(lab.root / f"data/{name}-old.csv")
    assert lab.ingest("flights").skipped
    assert lab.rows("flights").height == 2


def test_a_new_contract_is_held_against_all_files_that_are_there(flights) -> None:
    lab = flights("1,2,AA\n2,50,UA\n", settings=", mode: append, max_quarantined: 60%")
    lab.ingest("flights")
    contract = lab.root / "contracts/flights.yaml"
    contract.write_text(contract.read_text().replace("max: 3000", "max: 10"))
    done = lab.ingest("flights")
    assert (done.why, done.rows, done.quarantined) == ("contract changed", 1, 1)


def test_rows_of_files_that_are_gone_cannot_get_other_columns(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append")
    lab.ingest("flights")
    (lab.root / "data/a.csv").rename(lab.root / "a.csv")
    lab.write("data/b.csv", "id,delay,carrier,gate\n2,2,AA,B2\n")
    contract = lab.root / "contracts/flights.yaml"
    contract.write_text(contract.read_text() + "  gate: {type: String}\n")
    with pytest.raises(ContractBroken, match="whose files are gone"):
        lab.ingest("flights")
    assert lab.rows("flights").width == 3


def test_a_column_without_a_name(lab) -> None:
    pl.DataFrame({"": [1], "b": [2]}).write_parquet(lab.root / "a.parquet")
    lab.datasets["a"] = "{source: a.parquet}"
    assert lab.ingest("a").rows == 1


# --- what stops an ingest ------------------------------------------------------------------------


def untouched(lab, call, error, match):
    """The error is raised, and refs, versions and lock are what they were."""
    before = (lab.head("flights"), counted(lab, Version), (lab.root / "penstock.lock").read_bytes())
    with pytest.raises(error, match=match) as raised:
        call()
    assert (lab.head("flights"), counted(lab, Version), (lab.root / "penstock.lock").read_bytes()) == before
    return raised.value


def test_a_broken_schema_stops_with_a_table_of_all_files(flights) -> None:
    lab = flights("1,2,AA\n")
    lab.ingest("flights")
    lab.write("data/b.csv", "id,late,carrier\n1,2,AA\n")
    lab.write("data/c.csv", "id,delay,carrier\nAB1,2,AA\nAB2,2,AA\n")
    broken = untouched(lab, lambda: lab.ingest("flights"), ContractBroken, "the schema broke: 3 columns are not")
    assert [(row["file"], row["column"], row["change"]) for row in broken.table] == [
        ("data/b.csv", "delay", "missing"),
        ("data/b.csv", "late", "added"),
        ("data/c.csv", "id", "type changed"),
    ]
    assert "contracts/flights.yaml" in str(broken.hint)


def test_a_declared_type_that_changed_stops_before_it_is_cast(lab) -> None:
    lab.datasets["flights"] = "{source: a.parquet, contract: c.yaml}"
    lab.write("c.yaml", "columns: {id: {type: Int64}}")
    pl.DataFrame({"id": [1, 2]}).write_parquet(lab.root / "a.parquet")
    lab.ingest("flights")
    pl.DataFrame({"id": ["1", "2"]}).write_parquet(lab.root / "a.parquet")
    broken = untouched(lab, lambda: lab.ingest("flights"), ContractBroken, "the schema broke: 1 column is not")
    assert broken.table[0] == {
        "file": "a.parquet",
        "column": "id",
        "change": "type changed",
        "contract": "Int64",
        "found": "String",
    }


def test_too_many_bad_rows_stop(flights) -> None:
    lab = flights("1,2,AA\n")
    lab.ingest("flights")
    lab.write("data/b.csv", "id,delay,carrier\n1,2,AA\n2,-99,AA\n3,-98,ZZ\n")
    broken = untouched(lab, lambda: lab.ingest("flights"), ContractBroken, r"2 of 3 rows \(66.7%\) break")
    assert broken.table[0] == {"reason": "delay: below -60", "rows": 2, "first": "data/b.csv row 2"}


def test_a_key_that_is_there_twice_stops_also_across_files(flights) -> None:
    lab = flights("1,2,AA\n", settings=", mode: append, key: id")
    lab.ingest("flights")
    lab.write("data/b.csv", "id,delay,carrier\n1,3,UA\n")
    broken = untouched(lab, lambda: lab.ingest("flights"), ContractBroken, "as a whole")
    assert broken.table[0]["example"] == "id=1 (2 times)"


def test_a_new_rule_about_the_whole_is_held_against_rows_that_are_there(flights) -> None:
    lab = flights("1,2,AA\n1,3,AA\n")
    lab.ingest("flights")
    contract = lab.root / "contracts/flights.yaml"
    contract.write_text(contract.read_text() + "keys: [id]\n")
    untouched(lab, lambda: lab.ingest("flights"), ContractBroken, "as a whole")
    contract.write_text(contract.read_text().replace("keys: [id]", "keys: [id, delay]"))
    assert lab.ingest("flights").why == "contract changed, but the rows are the same"
    assert lab.ingest("flights").why == "source unchanged"


def test_too_few_rows_and_a_fatal_rule_stop(flights) -> None:
    contract = (
        "columns: {id: {type: Int64}, delay: {type: Float64}, carrier: {type: String}}\nrows: {min: 2}\n"
        "rules: [{name: sane, expression: delay < 1e4, severity: error}]\n"
    )
    lab = flights("1,2,AA\n2,2,AA\n", contract=contract)
    lab.ingest("flights")
    lab.write("data/a.csv", "id,delay,carrier\n1,2,AA\n")
    untouched(lab, lambda: lab.ingest("flights"), ContractBroken, "as a whole")
    lab.write("data/a.csv", "id,delay,carrier\n" + "1,2,AA\n" * 99 + "2,10001,AA\n")
    broken = untouched(lab, lambda: lab.ingest("flights"), ContractBroken, "more rows break a rule than may")
    assert broken.table == ({"reason": "sane", "rows": 1, "first": "data/a.csv row 100"},)


def test_warnings_are_counted_and_stop_nothing(flights) -> None:
    contract = (
        "columns: {id: {type: Int64}, delay: {type: Float64}, carrier: {type: String}}\n"
        "rules: [{name: early, expression: delay >= 0, severity: warn}]\n"
    )
    done = flights("1,-2,AA\n2,2,AA\n", contract=contract).ingest("flights")
    assert (done.rows, done.quarantined, done.warnings) == (2, 0, {"early": 1})


def test_a_file_that_is_still_being_written_stops(flights) -> None:
    lab = flights("1,2,AA\n")

    def append(_: Progress) -> None:
        with (lab.root / "data/a.csv").open("a") as file:
            file.write("2,2,AA\n")

    with pytest.raises(ContractBroken, match="changed while it was read"):
        ingest(lab.project, lab.ledger, lab.store, "flights", progress=append)
    assert lab.head("flights") is None


def test_stale_data_stop(flights) -> None:
    columns = "id: {type: Int64}, delay: {type: Float64}, carrier: {type: String}, t: {type: Date}"
    contract = f"columns: {{{columns}}}\nfreshness: 31d\n"
    lab = flights("", contract=contract, settings=", time: t")
    lab.write("data/a.csv", "id,delay,carrier,t\n1,2,AA,2013-01-01\n")
    with pytest.raises(ContractBroken, match="as a whole") as broken:
        lab.ingest("flights")
    assert broken.value.table[0]["rule"] == "freshness"


def test_settings_that_name_what_is_not_there(flights) -> None:
    lab = flights("1,2,AA\n", settings=", key: idd, time: carrier")
    with pytest.raises(ConfigError) as error:
        lab.ingest("flights")
    assert [problem.where.split(":")[0] for problem in error.value.problems] == ["penstock.yaml"] * 2
    assert "did you mean 'id'?" in str(error.value)
    with pytest.raises(UsageError, match="did you mean 'flights'"):
        ingest(lab.project, lab.ledger, lab.store, "flight")


def test_a_function_cannot_append(lab) -> None:
    lab.datasets["flights"] = "{source: 'pipeline:rows', mode: append}"
    with pytest.raises(ConfigError, match="append mode needs files"):
        lab.ingest("flights")


# --- without a contract, other sources -----------------------------------------------------------


def test_without_a_contract_text_gets_the_types_that_fit(lab) -> None:
    lab.datasets["flights"] = "{source: 'data/*.csv'}"
    lab.write("data/a.csv", "id,day,empty,odd name\n1,2013-01-01,,x\n")
    lab.write("data/b.csv", "id,day,empty,odd name\n2.5,2013-01-02,,7\n")
    lab.ingest("flights")
    assert lab.rows("flights").schema == {"id": pl.Float64, "day": pl.Date, "empty": pl.String, "odd name": pl.String}
    lab.write("data/b.csv", "id,day,empty,odd name\n2,2013-01-02,,7\n")
    lab.ingest("flights")
    assert lab.rows("flights").schema["id"] == pl.Int64


def test_without_a_contract_a_column_has_the_type_of_the_first_file_that_has_values_in_it(lab) -> None:
    for name, values in (("a", [None]), ("b", [7]), ("c", [None])):
        pl.DataFrame({"id": [1], "gate": values, "never": [None]}).write_parquet(lab.root / f"{name}.parquet")
    lab.datasets["flights"] = "{source: '*.parquet'}"
    lab.ingest("flights")
    assert lab.rows("flights")["gate"].to_list() == [None, 7, None]
    assert lab.rows("flights").dtypes == [pl.Int64, pl.Int64, pl.String]


def test_without_a_contract_appended_rows_keep_the_columns_that_are_there(lab) -> None:
    lab.datasets["flights"] = "{source: 'data/*.csv', mode: append, max_quarantined: 50%}"
    lab.write("data/a.csv", "id\n1\n")
    lab.ingest("flights")
    lab.write("data/b.csv", "id\n2\n2.5\n")
    assert lab.ingest("flights").reasons == {"id: not Int64": 1}
    lab.write("data/c.csv", "id,gate\n3,B2\n")
    with pytest.raises(ContractBroken, match="1 column is not"):
        lab.ingest("flights")


def test_ndjson_and_parquet_under_one_contract(lab) -> None:
    lab.write("c.yaml", "columns: {id: {type: Int64}, t: {type: 'Datetime[us]'}}")
    lab.write("data/a.ndjson", '{"t": "2013-01-01T05:00:00", "id": 1}\n{"id": 2}\n')
    pl.DataFrame({"id": [3], "t": [None]}, schema={"id": pl.Int64, "t": pl.Datetime("us")}).write_parquet(
        lab.root / "data/b.parquet"
    )
    lab.datasets["flights"] = "{source: 'data/*', contract: c.yaml}"
    lab.ingest("flights")
    assert lab.rows("flights")["id"].to_list() == [1, 2, 3]
    assert lab.rows("flights")["t"].null_count() == 2


def test_types_that_are_not_text_reach_the_quarantine(lab) -> None:
    (lab.root / "pipeline.py").write_text(
        "import polars as pl\nfrom datetime import date\n"
        "def rows():\n"
        "    return pl.DataFrame({'id': [None, 2], 'l': [[1], [2]], 's': [{'a': 1}, None], 'b': [b'x', b'y'],"
        " 'd': [date(2013, 1, 1)] * 2})\n"
    )
    lab.write(
        "c.yaml",
        "columns: {id: {type: Int64, nullable: false}, l: {type: List(Int64)}, s: {type: \"Struct({'a': Int64})\"},"
        " b: {type: Binary}, d: {type: Date}}",
    )
    lab.datasets["flights"] = "{source: 'pipeline:rows', contract: c.yaml, max_quarantined: 50%}"
    lab.ingest("flights")
    (row,) = lab.rows("flights.quarantine").to_dicts()
    assert (row["id"], row["l"], row["s"], row["d"]) == (None, '{"l":[1]}', '{"a":1}', "2013-01-01")


def test_a_function_runs_again_only_when_its_code_changed_or_when_asked(lab) -> None:
    code = (
        "import pathlib, polars as pl\n"
        "def rows():\n"
        "    ran = pathlib.Path(__file__).with_name('ran')\n"
        "    ran.write_text(ran.read_text() + 'x' if ran.exists() else 'x')\n"
        "    return pl.DataFrame({'n': [len(ran.read_text())]})\n"
    )
    (lab.root / "pipeline.py").write_text(code)
    lab.datasets["flights"] = "{source: 'pipeline:rows'}"
    first = lab.ingest("flights")
    assert lab.ingest("flights").skipped
    assert lab.rows("flights")["n"].to_list() == [1]
    assert lab.ingest("flights", refresh=True).why == "asked for again"
    assert lab.rows("flights")["n"].to_list() == [2]
    (lab.root / "pipeline.py").write_text(code + "# changed\n")
    assert lab.ingest("flights").why == "code of pipeline:rows changed"
    with lab.ledger.read() as reader:
        (edge,) = reader.find(Edge, target=node("data", first.commit), role="source")
    assert edge.source.startswith("code:")


def test_progress_is_told(flights) -> None:
    lab = flights("1,2,AA\n2,2,AA\n")
    lab.write("data/b.csv", "id,delay,carrier\n3,2,AA\n")
    told: list[Progress] = []
    ingest(lab.project, lab.ledger, lab.store, "flights", progress=told.append)
    a, b = ((lab.root / name).stat().st_size for name in ("data/a.csv", "data/b.csv"))
    assert told[0] == Progress("flights", "data/a.csv", 1, 2, 0, 0, a + b)
    assert told[-1] == Progress("flights", "data/b.csv", 2, 2, 3, told[-1].bytes, a + b)
    assert a < told[-1].bytes <= a + b
    assert [one.bytes for one in told] == sorted(one.bytes for one in told)


def test_what_a_function_gives_has_no_size(lab) -> None:
    lab.write("pipeline.py", "import polars as pl\ndef rows():\n    return pl.DataFrame({'n': [1, 2]})\n")
    lab.datasets["flights"] = "{source: 'pipeline:rows'}"
    told: list[Progress] = []
    ingest(lab.project, lab.ledger, lab.store, "flights", progress=told.append)
    assert told[-1] == Progress("flights", "pipeline:rows", 1, 1, 2, 0, None)


def test_the_same_input_gives_the_same_commit_elsewhere(flights, tmp_path_factory) -> None:
    from penstock.ledger import Ledger
    from penstock.store import Store

    lab = flights("1,2,AA\n2,-61,AA\n" + "3,2,AA\n" * 50)
    first = lab.ingest("flights").commit
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    other = Ledger.open(f"sqlite:///{elsewhere / 'ledger.db'}")
    again = ingest(lab.project, other, Store.open(elsewhere / "store"), "flights")
    other.close()
    assert again.commit == first


def test_a_tolerated_error_sets_rows_aside_and_ratios_are_of_the_version(flights) -> None:
    contract = (
        "columns: {id: {type: Int64}, delay: {type: Float64, max: 9, severity: error, tolerance: 10%}, "
        "carrier: {type: String}}\nratios: [{name: united, expression: carrier = 'UA', max: 40%, tolerance: 5%}]\n"
    )
    lab = flights("1,10,AA\n" + "2,2,AA\n" * 9, contract=contract, settings=", max_quarantined: 50%")
    assert lab.ingest("flights").quarantined == 1
    lab.write("data/b.csv", "id,delay,carrier\n" + "3,3,UA\n" * 7)
    warned = lab.ingest("flights")
    assert dict(warned.warnings) == {"united: 43.75% of the rows, expected at most 40%": 7}
    lab.write("data/c.csv", "id,delay,carrier\n" + "3,3,UA\n" * 2)
    broken = untouched(lab, lambda: lab.ingest("flights"), ContractBroken, "as a whole")
    assert broken.table == ({"rule": "united", "expected": "at most 40%", "found": "50% of the rows"},)
    lab.write("data/c.csv", "id,delay,carrier\n" + "3,10,AA\n" * 2 + "4,4,AA\n" * 8)
    untouched(lab, lambda: lab.ingest("flights"), ContractBroken, "more rows break a rule than may")


def test_without_a_contract_the_file_that_cannot_be_read_is_named(lab) -> None:
    lab.write("data/a.csv", "id\n1\n")
    lab.write("data/b.csv", "id\n7,8,9\n")
    lab.datasets["flights"] = "{source: 'data/*.csv'}"
    with pytest.raises(ContractBroken, match=r"data/b.csv: cannot be read: line 2 has 3 cells, the header 1"):
        lab.ingest("flights")


def test_keys_that_come_again_in_later_files_are_what_upsert_is_for(flights) -> None:
    lab = flights("1,2,AA\n2,2,AA\n", settings=", key: id, mode: append")
    lab.ingest("flights")
    lab.write("data/b.csv", "id,delay,carrier\n2,3,AA\n")
    with pytest.raises(ContractBroken) as raised:
        lab.ingest("flights")
    assert raised.value.hint is not None
    assert "`mode: upsert` in data.datasets.flights" in raised.value.hint
    lab.write("data/b.csv", "id,delay,carrier\n3,3,AA\n3,4,AA\n")
    with pytest.raises(ContractBroken) as raised:
        lab.ingest("flights")
    assert "upsert" not in str(raised.value.hint)
