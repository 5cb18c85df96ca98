from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from penstock.data import Ingested, head, ingest
from penstock.ledger import Ledger, Version
from penstock.project import ProjectFile, load_project
from penstock.store import Store


@dataclass
class Lab:
    """A project directory with what a test needs of it."""

    root: Path
    ledger: Ledger
    store: Store
    datasets: dict[str, str] = field(default_factory=dict)
    more: str = ""

    @property
    def project(self) -> ProjectFile:
        datasets = "".join(f"    {name}: {settings}\n" for name, settings in self.datasets.items())
        text = f"name: lab\ndata:\n  datasets:\n{datasets}{self.more}"
        (self.root / "penstock.yaml").write_text(text)
        return load_project(self.root)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, dataset: str, *, refresh: bool = False) -> Ingested:
        return ingest(self.project, self.ledger, self.store, dataset, refresh=refresh)

    def head(self, dataset: str) -> Version | None:
        with self.ledger.read() as reader:
            return head(reader, dataset)

    def rows(self, dataset: str) -> pl.DataFrame:
        version = self.head(dataset)
        assert version is not None
        return self.store.scan(version.commit).collect()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    ledger = Ledger.open(f"sqlite:///{tmp_path / '.penstock' / 'ledger.db'}")
    yield Lab(tmp_path, ledger, Store.open(tmp_path / ".penstock" / "store"))
    ledger.close()


@pytest.fixture
def flights(lab: Lab) -> Callable[..., Lab]:
    """A lab with one dataset under a contract, and its CSV file."""

    def make(rows: str, *, contract: str = CONTRACT, settings: str = "") -> Lab:
        lab.write("contracts/flights.yaml", contract)
        lab.write("data/a.csv", "id,delay,carrier\n" + rows)
        lab.datasets["flights"] = f"{{source: data/*.csv, contract: contracts/flights.yaml{settings}}}"
        return lab

    return make


CONTRACT = """\
columns:
  id: {type: Int64, nullable: false}
  delay: {type: Float64, min: -60, max: 3000}
  carrier: {type: String, values: [AA, UA]}
"""
