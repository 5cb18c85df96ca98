import os

import polars as pl
import pytest

from penstock.errors import ConfigError, ContractBroken, UserCodeError

FEED = """
import pathlib, polars as pl
here = pathlib.Path(__file__)

def rows(since=None):
    told = here.with_name("asked.txt")
    told.write_text((told.read_text() if told.exists() else "") + f"{since}\\n")
    found = pl.read_csv(here.with_name("now.csv"), try_parse_dates=True)
    return found if since is None else found.filter(pl.col("at") >= since)

def all_rows():
    return pl.read_csv(here.with_name("now.csv"), try_parse_dates=True)
"""


@pytest.fixture
def log(lab):
    """A file that grows, appended by watermark."""

    def make(rows: str, settings: str = ""):
        lab.write("data/a.csv", "id,at,v\n" + rows)
        lab.datasets["log"] = f"{{source: data/*.csv, mode: append, watermark: at, max_quarantined: 60%{settings}}}"
        return lab

    return make


def ids(lab) -> list[int]:
    return lab.rows("log")["id"].to_list()


def test_of_a_file_that_grew_only_rows_after_the_newest_are_added(log) -> None:
    lab = log("1,10,a\n2,20,a\n")
    first = lab.ingest("log")
    assert first.counts == {"late": 0}
    log("1,10,a\n2,20,a\n3,30,a\n4,40,a\n")
    second = lab.ingest("log")
    assert (second.rows, second.why, second.counts) == (4, "files: 1 changed", {"late": 0})
    assert ids(lab) == [1, 2, 3, 4]
    parts = [part.digest for part in lab.store.manifest(second.commit).parts]
    assert parts[:1] == [part.digest for part in lab.store.manifest(first.commit).parts]
    assert lab.ingest("log").why == "source unchanged"


def test_late_rows_are_counted_and_not_counted_again(log) -> None:
    lab = log("1,10,a\n2,20,a\n")
    lab.ingest("log")
    log("1,10,a\n2,20,a\n7,5,a\n3,30,a\n8,20,a\n")
    assert lab.ingest("log").counts == {"late": 2}
    assert ids(lab) == [1, 2, 3]
    log("1,10,a\n2,20,a\n7,5,a\n3,30,a\n8,20,a\n4,40,a\n")
    assert lab.ingest("log").counts == {"late": 0}
    lab.write("data/b.csv", "id,at,v\n9,1,a\n5,50,a\n")
    assert lab.ingest("log").counts == {"late": 1}
    assert ids(lab) == [1, 2, 3, 4, 5]


def test_late_rows_are_told_when_nothing_else_came(log) -> None:
    lab = log("1,10,a\n")
    lab.ingest("log")
    log("1,10,a\n2,5,a\n")
    done = lab.ingest("log")
    assert (done.skipped, done.counts) == (True, {"late": 1})


def test_at_the_newest_rows_are_told_apart_by_the_key(log) -> None:
    lab = log("1,10,a\n2,20,a\n", ", key: id")
    lab.ingest("log")
    log("1,10,a\n2,20,a\n3,20,a\n4,20,a\n5,10,a\n", ", key: id")
    assert lab.ingest("log").counts == {"late": 1}
    assert ids(lab) == [1, 2, 3, 4]


def test_a_bad_row_is_set_aside_once(log) -> None:
    lab = log("1,10,a\n2,,a\nx,30,a\n0,9,a\n", ", contract: c.yaml")
    lab.write("c.yaml", "columns: {id: {type: Int64, nullable: false}, at: {type: Int64}, v: {type: String}}")
    first = lab.ingest("log")
    assert first.reasons == {"at: missing": 1, "id: not Int64": 1}
    log("1,10,a\n2,,a\nx,30,a\n0,9,a\n3,11,a\ny,40,a\n", ", contract: c.yaml")
    second = lab.ingest("log")
    assert second.reasons == {"id: not Int64": 1}
    assert lab.rows("log.quarantine")["__row__"].to_list() == [2, 3, 6]
    assert ids(lab) == [1, 0, 3]


def test_a_file_that_begins_anew_under_its_old_name_keeps_what_was_there(log) -> None:
    lab = log("1,10,a\n2,20,a\n3,30,a\n")
    lab.ingest("log")
    log("4,40,a\n")
    assert lab.ingest("log").counts == {"late": 0}
    log("5,50,a\n6,35,a\n")
    assert lab.ingest("log").counts == {"late": 1}
    assert ids(lab) == [1, 2, 3, 4, 5]


def test_refresh_takes_everything_again(log) -> None:
    lab = log("1,10,a\n2,20,a\n")
    lab.ingest("log")
    log("1,10,a\n2,20,a\n3,5,a\n")
    lab.ingest("log")
    assert ids(lab) == [1, 2]
    assert lab.ingest("log", refresh=True).rows == 3
    assert ids(lab) == [1, 2, 3]


def test_a_renamed_file_is_not_read_again_and_may_grow(log) -> None:
    lab = log("1,10,a\n")
    lab.ingest("log")
    os.rename(lab.root / "data/a.csv", lab.root / "data/a.csv.1.csv")
    assert lab.ingest("log").skipped
    lab.write("data/a.csv", "id,at,v\n2,20,a\n")
    assert lab.ingest("log").counts == {"late": 0}
    assert ids(lab) == [1, 2]


# --- functions -----------------------------------------------------------------------------------


@pytest.fixture
def feed(lab):
    lab.write("pipeline.py", FEED)
    lab.write("now.csv", "id,at\n1,2024-01-01T00:00:00\n2,2024-01-02T00:00:00\n")
    lab.datasets["log"] = "{source: 'pipeline:rows', mode: append, watermark: at, key: id}"
    return lab


def test_a_function_is_asked_for_what_is_new_since_the_newest_kept(feed) -> None:
    feed.ingest("log")
    feed.write("now.csv", "id,at\n2,2024-01-02T00:00:00\n3,2024-01-02T00:00:00\n4,2024-01-03T00:00:00\n")
    second = feed.ingest("log")
    # row 2 is given once more, because it is at the newest watermark: that is not too late
    assert (second.why, second.counts) == ("asked pipeline:rows", {"late": 0})
    assert ids(feed) == [1, 2, 3, 4]
    assert feed.ingest("log").why == "asked pipeline:rows, but the rows are the same"
    feed.ingest("log", refresh=True)
    asked = (feed.root / "asked.txt").read_text().split("\n")
    assert asked == ["None", "2024-01-02 00:00:00", "2024-01-03 00:00:00", "None", ""]
    assert ids(feed) == [2, 3, 4]


def test_without_a_key_as_many_rows_as_are_kept_at_the_newest_are_no_late_ones(feed) -> None:
    feed.datasets["log"] = "{source: 'pipeline:rows', mode: append, watermark: at}"
    feed.ingest("log")
    newest = (feed.root / "now.csv").read_text().strip().rsplit("\n", 1)[1]
    feed.write("now.csv", f"id,at\n{newest}\n")
    assert feed.ingest("log").counts == {"late": 0}
    feed.write("now.csv", f"id,at\n{newest}\n9,{newest.partition(',')[2]}\n")
    assert feed.ingest("log").counts == {"late": 1}


def test_a_function_may_give_everything_each_time(feed) -> None:
    feed.datasets["log"] = "{source: 'pipeline:all_rows', mode: append, watermark: at}"
    feed.ingest("log")
    feed.write("now.csv", (feed.root / "now.csv").read_text() + "3,2024-01-01T12:00:00\n4,2024-01-03T00:00:00\n")
    assert feed.ingest("log").counts == {"late": 1}
    assert ids(feed) == [1, 2, 4]


def test_what_a_function_raises_names_its_line_and_leaves_all_as_it_was(feed) -> None:
    first = feed.ingest("log")
    feed.write("now.csv", "")
    with pytest.raises(UserCodeError, match=r"pipeline.py:8"):
        feed.ingest("log")
    assert feed.head("log").commit == first.commit


# --- what stops it -------------------------------------------------------------------------------


def test_a_watermark_that_is_no_column_or_has_no_order(log) -> None:
    lab = log("1,10,a\n", ", contract: c.yaml")
    lab.write("c.yaml", "columns: {id: {type: Int64}, att: {type: Int64}, v: {type: String}}")
    with pytest.raises(ConfigError, match=r"no column 'at'.*att"):
        lab.ingest("log")
    lab.write("c.yaml", "columns: {id: {type: Int64}, at: {type: Boolean}, v: {type: String}}")
    with pytest.raises(ConfigError, match="column 'at' is Boolean"):
        lab.ingest("log")


def test_appending_from_a_function_needs_a_watermark(feed) -> None:
    feed.datasets["log"] = "{source: 'pipeline:rows', mode: append}"
    with pytest.raises(ConfigError, match="append mode needs files or a watermark"):
        feed.ingest("log")


def test_the_same_key_after_the_newest_breaks_the_contract(log) -> None:
    lab = log("1,10,a\n", ", key: id")
    lab.ingest("log")
    log("1,10,a\n1,20,a\n", ", key: id")
    with pytest.raises(ContractBroken, match="as a whole"):
        lab.ingest("log")


def test_times_finer_than_python_knows(lab) -> None:
    def write(*nanoseconds: int) -> None:
        values = pl.Series(nanoseconds).cast(pl.Datetime("ns"))
        pl.DataFrame({"id": range(len(nanoseconds)), "at": values}).write_parquet(lab.root / "a.parquet")

    lab.datasets["log"] = "{source: a.parquet, mode: append, watermark: at}"
    write(1, 2)
    lab.ingest("log")
    write(1, 2, 3)
    lab.ingest("log")
    assert ids(lab) == [0, 1, 2]
