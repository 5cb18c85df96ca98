"""Garbage collection keeps what anything leads to: each kind of record by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from penstock.ledger import (
    Artifact,
    Evaluation,
    Execution,
    Ledger,
    ModelVersion,
    Ref,
    Run,
    SealedBundle,
    Transaction,
    Version,
    utc_now,
)
from penstock.pipeline import roots
from penstock.project import load_project
from penstock.store import Manifest, Pin, Store, write_lock

NOW = utc_now()


@dataclass
class Place:
    """A project with nothing but a table, a file and a bundle in its store."""

    root: Path
    ledger: Ledger
    store: Store
    table: str
    file: str
    bundle: str

    def collected(self) -> set[str]:
        """What is left after a sweep that spares nothing for its youth."""
        with self.ledger.read() as reader:
            found = roots(reader, load_project(self.root))
        self.store.collect_garbage(found, grace=timedelta(seconds=-1))
        return set(self.store.blobs.digests())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "penstock.yaml").write_text("name: lab\n")
    store = Store.open(tmp_path / ".penstock" / "store")
    rows = store.write_table(pl.DataFrame({"x": [1, 2, 3]}))
    table = store.commit(Manifest(rows.schema, rows.parts))
    file = store.put_bytes(b"a file")
    bundle = store.put_json({"files": {"model": file}})
    return Place(tmp_path, Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}"), store, table, file, bundle)


def run_of(place: Place) -> Run:
    return Run(
        "r1", 1, "finished", "k", "p:fit", {}, 7, {"flights": place.table}, {}, place.file, None, None, place.file,
        {}, 1, NOW,
    )  # fmt: skip


def version_of(place: Place) -> Version:
    return Version(place.table, "flights", "", "", 3, 1, "", NOW)


RECORDS: dict[str, Callable[[Place], list[object]]] = {
    "branch": lambda p: [version_of(p), Ref("flights", "work", "branch", p.table, NOW)],
    "tag": lambda p: [version_of(p), Ref("flights", "v1", "tag", p.table, NOW)],
    "run": lambda p: [run_of(p)],
    "bundle": lambda p: [SealedBundle(p.bundle, "r1", "skops", 1, "", "", NOW)],
    "model": lambda p: [ModelVersion("m", 1, p.bundle, "r1", None, "archived", "", NOW)],
    "artifact": lambda p: [run_of(p), Artifact("r1", "plot", p.bundle, 1)],
    "evaluation": lambda p: [Evaluation("e1", p.bundle, None, p.table, "", "", "PASS", p.file, NOW)],
    "step": lambda p: [Execution("k1", "cut", {}, {"train": p.table, "more": {"plot": p.file}}, 0.0, NOW)],
}
KEPT = {
    "branch": "table", "tag": "table", "run": "table file", "bundle": "bundle file", "model": "bundle file",
    "artifact": "table file bundle", "evaluation": "table file", "step": "table file",
}  # fmt: skip


def leads_to(place: Place, names: str) -> set[str]:
    parts = {part.digest for part in place.store.manifest(place.table).parts} if "table" in names else set()
    return parts | {getattr(place, name) for name in names.split()}


@pytest.mark.parametrize("kind", RECORDS)
def test_what_a_record_leads_to_stays_and_the_rest_goes(place: Place, kind: str) -> None:
    kept = leads_to(place, KEPT[kind])

    def record(tx: Transaction) -> None:
        tx.add(*RECORDS[kind](place))

    with place.ledger.write() as tx:
        record(tx)
    assert place.collected() == kept


def test_what_the_lock_file_pins_stays_though_no_ledger_knows_it(place: Place) -> None:
    write_lock(place.root / "penstock.lock", {"flights": Pin(place.table, "", "", 3, 1)})
    assert place.collected() == leads_to(place, "table")
    (place.root / "penstock.lock").unlink()
    assert place.collected() == set()
