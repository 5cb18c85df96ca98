"""What an ingest would do now, told without doing it: nothing is written, and no row is read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.data.ingestion.ingest import known_of, look
from penstock.data.ingestion.job import job_for
from penstock.data.ingestion.plan import File, Known, Plan
from penstock.engine import ABSENT, Change, changes
from penstock.ledger import Ledger, Version
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.project import ProjectFile


@dataclass(frozen=True)
class Preview:
    """What an ingest would do.

    version  the one that is there; None before the first
    reads    whether it would read anything, after which there may be a new version
    why      as the ingest would say it
    changed  settings, and files as {size, mtime_ns, digest}, by name: ("mode",), ("files", "data/a.csv")
    """

    version: Version | None
    reads: bool
    why: str
    changed: tuple[Change, ...] = ()


def preview(project: "ProjectFile", ledger: Ledger, store: Store, dataset: str) -> Preview:
    """Look at a dataset's source as its ingest would. Raises what that would raise before it reads.

    A file whose size or time moved is digested; a database is asked its `changed` query; a directory is listed.
    """
    job = job_for(project, ledger, store, dataset, None)
    known = known_of(job)
    plan = look(job, known)
    if plan.nothing:
        return Preview(known.version, False, plan.why)
    settings = changes(known.settings, job.settings) if known.current else ()
    return Preview(known.version, True, plan.why, (*settings, *_files(plan, known)))


def _files(plan: Plan, known: Known) -> tuple[Change, ...]:
    """Files that are new, gone, or other than they were; before a first version all are, which says nothing."""
    if not known.current:
        return ()
    now = {file["name"]: _state(file) for file in plan.files}
    then = {name: _state(file) for name, file in known.files.items()}
    sides = ((name, then.get(name, ABSENT), now.get(name, ABSENT)) for name in sorted({*then, *now}))
    return tuple(Change(("files", name), *both) for name, *both in sides if len({_digest(one) for one in both}) == 2)


def _digest(state: Any) -> str:
    return ABSENT if state == ABSENT else str(state["digest"])


def _state(file: File) -> dict[str, Any]:
    return {name: file[name] for name in ("size", "mtime_ns", "digest")}
