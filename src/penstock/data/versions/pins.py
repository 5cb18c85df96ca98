"""`penstock.lock`: the version of every dataset that a Git commit means."""

import fcntl
from typing import TYPE_CHECKING

from penstock.data.versions.refs import current
from penstock.ledger import Ledger, Reader
from penstock.store import Pin, read_lock, write_lock

if TYPE_CHECKING:
    from penstock.project import ProjectFile

LOCK_FILE = "penstock.lock"


def pin(project: "ProjectFile", ledger: Ledger) -> None:
    """Make the lock file say what every dataset of the project's branch is now. Leaves one that says so alone."""
    with ledger.read() as reader:
        wanted = _pins(project, reader)
    if read_lock(project.root / LOCK_FILE) == wanted:
        return
    project.home.mkdir(parents=True, exist_ok=True)
    with (project.home / "lock").open("w") as turn:
        # two ingests at once: the one that writes last must have read last
        fcntl.flock(turn, fcntl.LOCK_EX)
        with ledger.read() as reader:
            write_lock(project.root / LOCK_FILE, _pins(project, reader))


def _pins(project: "ProjectFile", reader: Reader) -> dict[str, Pin]:
    heads = {name: current(reader, name, project.branch) for name in project.config.data.datasets}
    return {name: Pin(at.commit, at.content, at.schema, at.rows, at.bytes) for name, at in heads.items() if at}
