import sys

import polars as pl
import pytest
from data.conftest import Lab

from penstock.data import lineage_of
from penstock.data.lineage import columns_read
from penstock.errors import UsageError
from penstock.ledger import Execution, utc_now

FLIGHTS = {"id": pl.Int64(), "day": pl.Date(), "delay": pl.Float64(), "carrier": pl.String()}
WEATHER = {"day": pl.Date(), "wind": pl.Float64(), "rain": pl.Float64()}


def test_a_column_is_computed_from_what_polars_reads_for_it() -> None:
    found = columns_read(
        lambda flights: flights.select("id", late=pl.col("delay") > 15, name=pl.col("carrier").str.to_lowercase()),
        {"flights": FLIGHTS},
    )
    assert found == {"id": ["flights.id"], "late": ["flights.delay"], "name": ["flights.carrier"]}


def test_what_decides_the_rows_counts_for_every_column() -> None:
    found = columns_read(lambda flights: flights.filter(pl.col("delay") > 0).select("id"), {"flights": FLIGHTS})
    assert found == {"id": ["flights.delay", "flights.id"]}


def test_columns_are_followed_through_joins_groups_and_new_names() -> None:
    def daily(flights: pl.LazyFrame, weather: pl.LazyFrame) -> pl.LazyFrame:
        rain = weather.group_by("day").agg(pl.col("rain").sum().alias("wet"))
        return flights.join(rain, on="day", how="left").select("day", "wet", worst=pl.col("delay").max())

    found = columns_read(daily, {"flights": FLIGHTS, "weather": WEATHER})
    assert found is not None
    assert "weather.rain" in found["wet"]
    assert "weather.rain" not in found["day"]
    assert "flights.delay" in found["worst"]
    assert not any("wind" in column or "carrier" in column for columns in found.values() for column in columns)


def test_a_python_function_over_whole_frames_is_taken_to_need_every_column() -> None:
    found = columns_read(
        lambda flights: flights.map_batches(lambda frame: frame.select("id"), schema={"id": pl.Int64()}),
        {"flights": FLIGHTS},
    )
    assert found == {"id": [f"flights.{name}" for name in sorted(FLIGHTS)]}


@pytest.mark.parametrize(
    "function",
    [
        lambda flights: flights.collect(),
        lambda flights: flights.select(mean=pl.lit(flights.collect()["delay"].sum())),
        lambda flights: flights.select(pl.col("delay") / flights.collect().item(0, "delay")),
        lambda flights: 3,
    ],
)
def test_what_a_function_computes_before_it_returns_cannot_be_known(function: object) -> None:
    assert columns_read(function, {"flights": FLIGHTS}) is None  # type: ignore[arg-type]


def test_the_function_is_not_heard_twice(capsys: pytest.CaptureFixture[str]) -> None:
    def loud(flights: pl.LazyFrame) -> pl.LazyFrame:
        sys.stdout.write("computing")
        return flights

    assert columns_read(loud, {"flights": FLIGHTS}) is not None
    assert capsys.readouterr().out == ""


def test_the_ledger_knows_the_lineage_of_a_transforms_version_and_of_no_other(lab: Lab) -> None:
    lab.datasets["flights"] = "{source: flights.csv}"
    lab.write("flights.csv", "id,delay\n1,20\n")
    lab.ingest("flights")
    version = lab.head("flights")
    assert version
    with lab.ledger.read() as reader, pytest.raises(UsageError, match="no transform made this version of flights"):
        lineage_of(reader, version)
    outputs = {"commit": version.commit, "columns": {"late": ["flights.delay"]}}
    with lab.ledger.write() as tx:
        tx.put(Execution("key", "transform flights", {}, outputs, 0.1, utc_now()))
    with lab.ledger.read() as reader:
        assert lineage_of(reader, version) == {"late": ["flights.delay"]}
