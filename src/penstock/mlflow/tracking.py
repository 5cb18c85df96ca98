"""What a request works with: the ledger and the store of a project, and its file when something is promoted."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.ledger import Ledger
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.project import ProjectFile


@dataclass(frozen=True)
class Tracking:
    """A project that MLflow's clients log to. `actor` is who is written down for what they decide."""

    root: Path
    environment: str | None
    model: str  # the project's own, whose promotion its gates decide
    actor: str
    ledger: Ledger
    store: Store

    def project(self) -> "ProjectFile":
        """The project file as it is now: gates and approvals may have changed since the server started."""
        from penstock.project import load_project

        return load_project(self.root, environment=self.environment)


def open_tracking(root: Path, environment: str | None, actor: str) -> Tracking:
    """Open a project. Raises ConfigError with every problem in its file."""
    from penstock.project import load_project

    project = load_project(root, environment=environment)
    ledger = Ledger.open(project.ledger_url, signing_key=project.signing_key)
    return Tracking(project.root, environment, project.config.name, actor, ledger, Store.open(project.store_path))
