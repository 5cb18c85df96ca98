"""What every step works with: the project file, the ledger and the store, opened on first use."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from penstock.ledger import Ledger
from penstock.project import ProjectFile
from penstock.store import Store


class Workspace:
    """An opened project. `actor` is who decides."""

    def __init__(self, project: ProjectFile, actor: str) -> None:
        self.project = project
        self.actor = actor

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, made if there is none."""
        return Ledger.open(self.project.ledger_url, signing_key=self.project.signing_key)

    @contextmanager
    def looked_at(self) -> Iterator[Ledger]:
        """The ledger; where there is no file of it yet an empty one in its stead, so that looking makes none."""
        scheme, _, file = self.project.ledger_url.partition(":///")
        if scheme != "sqlite" or Path(file).exists():
            yield self.ledger
            return
        with TemporaryDirectory(prefix="penstock-") as place:
            empty = Ledger.open(f"sqlite:///{place}/ledger.db")
            try:
                yield empty
            finally:
                empty.close()

    @cached_property
    def store(self) -> Store:
        """The store, made if there is none."""
        return Store.open(self.project.store_path)

    @property
    def serve_directory(self) -> Path:
        """All that the server needs."""
        return self.project.home / "serve"
