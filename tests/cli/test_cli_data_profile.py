from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
import toy
from cli.command import document, invoke

from penstock.cli.data_profile import _row
from penstock.stats import Profile


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = toy.make_project(tmp_path / "parcels")
    assert invoke("data", "ingest", "-C", root).exit_code == 0
    return root


def test_every_column_of_a_version(root: Path) -> None:
    done = invoke("data", "profile", "parcels", "-C", root)
    assert done.exit_code == 0
    assert "600 rows" in done.stdout
    for column in ("parcel_id", "sent", "depot", "weight", "express"):
        assert column in done.stdout
    assert "2024-01-" in done.stdout


def test_the_json_is_the_profile(root: Path) -> None:
    profile = Profile.from_json(document(invoke("data", "profile", "parcels", "-C", root, "--json")))
    assert (profile.rows, profile.columns["weight"].rows) == (600, 600)


def test_a_version_that_is_not_there(root: Path) -> None:
    done = invoke("data", "profile", "parcels@2001-01-01", "-C", root)
    assert done.exit_code == 2


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1, 2, 3], ["0.0%", "3", "1", "2", "3", ""]),
        ([2_000_000.5, None], ["50.0%", "1", "2,000,000", "2,000,000", "2,000,000", ""]),
        ([None, None], ["100.0%", "0", "-", "-", "-", ""]),
        (list(range(1500)), ["0.0%", "1,500", "0", "749.5", "1,499", ""]),
        (["b", "a", "b", None], ["25.0%", "2", "", "", "", "b 67%, a 33%"]),
        (["a"] * 199 + ["b"], ["0.0%", "2", "", "", "", "a 100%, b <1%"]),
        ([True, False], ["0.0%", "2", "", "", "", "false 50%, true 50%"]),
        ([date(2024, 1, 1)], ["0.0%", "1", *["2024-01-01 00:00"] * 3, ""]),
        ([datetime(1950, 1, 1)], ["0.0%", "1", *["1950-01-01 00:00"] * 3, ""]),
        ([time(0, 0, 30)], ["0.0%", "1", *["30 s"] * 3, ""]),
        ([timedelta(days=2)], ["0.0%", "1", *["172,800 s"] * 3, ""]),
    ],
)  # fmt: skip
def test_a_column_in_a_line(values: list[object], shown: list[object]) -> None:
    dtype = pl.Float64 if values == [None, None] else None
    frame = pl.DataFrame({"x": pl.Series(values, dtype=dtype)})
    assert _row(Profile.build(frame).columns["x"]) == shown
