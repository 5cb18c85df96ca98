from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.bundle import AVAILABLE, ViewRows
from penstock.bundle.pointintime import microseconds
from penstock.errors import UsageError

START = datetime(2013, 1, 1)
ENTITIES = st.sampled_from(["ewr", "jfk", "lga", None])
MINUTES = st.one_of(st.none(), st.integers(0, 30))


def at(minute: int | None) -> datetime | None:
    return None if minute is None else START + timedelta(minutes=minute)


def frame(rows: list[tuple[str | None, int | None, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {"airport": [r[0] for r in rows], AVAILABLE: [at(r[1]) for r in rows], "wind": [r[2] for r in rows]},
        schema={"airport": pl.String, AVAILABLE: pl.Datetime("us"), "wind": pl.Int64},
    )


def look_up(index: ViewRows, requests: list[tuple[str | None, int | None]]) -> list[int | None]:
    times = pl.Series("when", [at(minute) for _, minute in requests], dtype=pl.Datetime("us"))
    entities = pl.Series("airport", [name for name, _ in requests], dtype=pl.String)
    found = index.at([entities], microseconds(times))
    assert found.height == len(requests)
    return found["wind"].to_list()


def oracle(rows, requests, ttl):
    """For each request walk over all rows: the last of the newest known ones, if it is young enough."""
    answers = []
    for airport, minute in requests:
        known = [
            row for row in rows if None not in (airport, minute, row[1]) and row[0] == airport and row[1] <= minute
        ]
        newest = max((row[1] for row in known), default=None)
        fresh = newest is not None and (ttl is None or minute - newest <= ttl)
        answers.append([row[2] for row in known if row[1] == newest][-1] if fresh else None)
    return answers


@given(
    rows=st.lists(st.tuples(ENTITIES, MINUTES, st.integers(0, 99)), max_size=40),
    requests=st.lists(st.tuples(ENTITIES, MINUTES), max_size=20),
    ttl=st.one_of(st.none(), st.integers(0, 10)),
)
def test_each_request_finds_the_newest_row_known_at_its_time(rows, requests, ttl):
    index = ViewRows.of(frame(rows), ["airport"], ttl_us=None if ttl is None else ttl * 60_000_000)

    together = look_up(index, requests)

    assert together == oracle(rows, requests, ttl)
    assert together == [look_up(index, [request])[0] for request in requests]


@given(
    rows=st.lists(st.tuples(ENTITIES, MINUTES, st.integers(0, 99)), max_size=40),
    requests=st.lists(st.tuples(ENTITIES, MINUTES), max_size=10),
    ttl=st.one_of(st.none(), st.integers(0, 10)),
)
def test_the_rows_that_were_looked_up_answer_alone_as_all_rows_do(rows, requests, ttl):
    ttl_us = None if ttl is None else ttl * 60_000_000
    index = ViewRows.of(frame(rows), ["airport"], ttl_us=ttl_us)
    times = microseconds(pl.Series([at(minute) for _, minute in requests], dtype=pl.Datetime("us")))
    used = index.rows_at([pl.Series([name for name, _ in requests], dtype=pl.String)], times)

    few = ViewRows.of(frame(rows)[used], ["airport"], ttl_us=ttl_us)

    assert look_up(few, requests) == look_up(index, requests)


@given(st.data())
def test_what_happens_later_changes_nothing(data):
    rows = data.draw(st.lists(st.tuples(ENTITIES, MINUTES, st.integers(0, 99)), max_size=40))
    requests = data.draw(st.lists(st.tuples(ENTITIES, st.integers(0, 15)), min_size=1, max_size=10))
    past = [row for row in rows if row[1] is None or row[1] <= 15]

    assert look_up(ViewRows.of(frame(rows), ["airport"]), requests) == look_up(
        ViewRows.of(frame(past), ["airport"]), requests
    )


def test_two_columns_make_an_entity():
    rows = pl.DataFrame({"a": [1, 1, 2], "b": ["x", "y", "x"], AVAILABLE: [START] * 3, "v": [10, 20, 30]})
    index = ViewRows.of(rows, ["a", "b"])

    found = index.at([pl.Series([1, 2, 2]), pl.Series(["y", "x", "y"])], microseconds(pl.Series([START] * 3)))

    assert found["v"].to_list() == [20, 30, None]


def test_times_without_a_zone_are_utc_and_dates_are_midnights():
    naive = pl.Series([datetime(2013, 7, 1, 12)])
    aware = pl.Series([datetime(2013, 7, 1, 12, tzinfo=UTC)]).dt.convert_time_zone("America/New_York")

    assert microseconds(naive) == microseconds(aware)
    assert microseconds(pl.Series([date(2013, 7, 1)])) == microseconds(pl.Series([datetime(2013, 7, 1)]))
    assert microseconds(naive.dt.cast_time_unit("ms")) == microseconds(naive.dt.cast_time_unit("ns"))


def test_a_float_is_no_entity():
    with pytest.raises(UsageError, match="identify nothing"):
        ViewRows.of(pl.DataFrame({"a": [1.5], AVAILABLE: [START], "v": [1]}), ["a"])


def test_text_is_no_time():
    with pytest.raises(UsageError, match="'when' is String"):
        microseconds(pl.Series("when", ["2013-01-01"]))
