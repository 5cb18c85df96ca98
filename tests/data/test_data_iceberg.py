"""With PyIceberg, which is large, these run in `make test-iceberg`; without it what comes before it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from penstock.data import export_iceberg
from penstock.errors import MissingExtra, PenstockError, UsageError
from penstock.store import Manifest, Store

with_iceberg = pytest.mark.skipif(find_spec("pyiceberg") is None, reason="runs in make test-iceberg")
ROWS = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "name": ["a", None, "c"],
        "at": [datetime(2024, 1, 1, tzinfo=UTC)] * 3,
        "local": [datetime(2024, 1, 1)] * 3,
        "day": [date(2024, 1, 1)] * 3,
        "ok": [True, False, None],
        "ratio": [0.5, float("nan"), None],
        "price": [Decimal("1.50"), Decimal("2.25"), None],
        "tags": [["x"], [], None],
    },
    schema_overrides={"at": pl.Datetime("us", "UTC"), "price": pl.Decimal(10, 2)},
)


class Lake:
    """A store, and a catalog in SQLite."""

    def __init__(self, root: Path) -> None:
        self.store = Store.open(root / "store")
        self.catalog = f"sqlite:///{root}/catalog.db"
        self.warehouse = f"file://{root}/warehouse"

    def commit(self, *frames: pl.DataFrame) -> str:
        tables = [self.store.write_table(frame) for frame in frames]
        parts = tuple(part for table in tables for part in table.parts)
        return self.store.commit(Manifest(tables[-1].schema, parts))

    def export(self, commit: str) -> Any:
        return export_iceberg(self.store, commit, "lab.rows", self.catalog, warehouse=self.warehouse)

    @property
    def table(self) -> Any:
        from pyiceberg.catalog import load_catalog

        return load_catalog("default", type="sql", uri=self.catalog, warehouse=self.warehouse).load_table("lab.rows")

    def rows(self) -> list[dict[str, Any]]:
        return sorted(self.table.scan().to_arrow().to_pylist(), key=lambda row: row["id"])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@with_iceberg
def test_an_iceberg_reader_finds_every_value(lake: Lake) -> None:
    done = lake.export(lake.commit(ROWS))
    assert (done.rows, done.added, done.replaced) == (3, 1, False)
    found = pl.DataFrame(lake.rows(), schema=ROWS.schema)
    assert found.equals(ROWS)


@with_iceberg
def test_no_row_is_copied_and_the_snapshot_names_the_version(lake: Lake, tmp_path: Path) -> None:
    commit = lake.commit(ROWS)
    lake.export(commit)
    (file,) = lake.table.inspect.files().to_pylist()
    assert file["file_path"] == f"file://{lake.store.path(lake.store.manifest(commit).parts[0].digest)}"
    assert lake.table.current_snapshot().summary.additional_properties["penstock.commit"] == commit
    assert not list((tmp_path / "warehouse").rglob("*.parquet"))


@with_iceberg
def test_a_version_with_more_parts_adds_them_and_the_same_one_nothing(lake: Lake) -> None:
    more = ROWS.with_columns(pl.col("id") + 10)
    lake.export(lake.commit(ROWS))
    assert lake.export(second := lake.commit(ROWS, more)).added == 1
    assert lake.export(second).added == 0
    assert [row["id"] for row in lake.rows()] == [1, 2, 3, 11, 12, 13]


@with_iceberg
def test_an_older_version_takes_what_came_later_out_again(lake: Lake) -> None:
    first = lake.commit(ROWS)
    lake.export(lake.commit(ROWS, ROWS.with_columns(pl.col("id") + 10)))
    assert lake.export(first).replaced
    assert [row["id"] for row in lake.rows()] == [1, 2, 3]
    assert lake.store.verify() == []


@with_iceberg
def test_columns_come_and_go(lake: Lake) -> None:
    lake.export(lake.commit(ROWS))
    lake.export(lake.commit(ROWS.drop("tags").with_columns(new=pl.lit("n"))))
    (row, *_) = lake.rows()
    assert row["new"] == "n"
    assert "tags" not in row


@with_iceberg
def test_a_catalog_that_nobody_knows_is_told(lake: Lake) -> None:
    with pytest.raises(PenstockError, match="the Iceberg catalog refused"):
        export_iceberg(lake.store, lake.commit(ROWS), "lab.rows", "nowhere")


@pytest.mark.skipif(find_spec("pyiceberg") is not None, reason="it is installed here")
def test_without_pyiceberg_the_extra_is_named(lake: Lake) -> None:
    with pytest.raises(MissingExtra, match=r"penstock\[iceberg\]"):
        lake.export(lake.commit(ROWS))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS.select(pl.col("id").cast(pl.UInt32)), "no unsigned numbers: id"),
        (ROWS.clear(), "the version has no rows"),
    ],
)
def test_what_iceberg_cannot_hold_is_told(lake: Lake, rows: pl.DataFrame, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        lake.export(lake.commit(rows))


def test_a_name_without_a_namespace_is_told(lake: Lake) -> None:
    with pytest.raises(UsageError, match="no name of an Iceberg table"):
        export_iceberg(lake.store, lake.commit(ROWS), "rows", lake.catalog)
