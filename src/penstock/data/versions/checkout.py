"""Going back: a branch is put to the versions that `penstock.lock` of this Git commit pins, or that a ref names.

What was checked out stays until somebody ingests: `penstock run` works on it as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.data.versions.pins import LOCK_FILE, pin
from penstock.data.versions.position import QUARANTINE
from penstock.data.versions.refs import current, publish, version_of
from penstock.data.versions.resolve import resolve
from penstock.digest import short
from penstock.errors import PenstockError, UsageError
from penstock.ledger import Cursor, Ledger, Reader, Transaction, Version, utc_now
from penstock.store import Store, read_lock

if TYPE_CHECKING:
    from penstock.project import ProjectFile


@dataclass(frozen=True)
class CheckedOut:
    """A dataset that is at `commit` now, and was at `before`."""

    dataset: str
    commit: str
    before: str | None
    rows: int


def checkout(
    project: "ProjectFile", ledger: Ledger, store: Store, reference: str | None = None, *, actor: str
) -> tuple[CheckedOut, ...]:
    """Put the datasets of the project's branch to what the lock file pins, or to `reference`: REF or DATASET@REF.

    PenstockError with everything that is not in the store; nothing has moved then.
    """
    with ledger.read() as reader:
        wanted = _named(project, reader, reference) if reference else _pinned(project)
    absent = [f"{name}@{short(commit)}" for name, commit in wanted.items() if not is_complete(store, commit)]
    if absent:
        raise PenstockError(f"not in the store: {', '.join(absent)}", hint="penstock data pull")
    with ledger.write() as tx:
        done = tuple(_put(tx, store, name, commit, project.branch) for name, commit in wanted.items())
        held = _held(tx, project.branch)
        tx.put(Cursor(_cursor(project.branch), {**held, **wanted}, utc_now()))
        tx.audit("data.checkout", f"{project.branch} to {reference or LOCK_FILE}", actor=actor, payload=wanted)
    pin(project, ledger)
    return done


def checked_out(reader: Reader, dataset: str, branch: str) -> Version | None:
    """The version that a checkout has put the dataset to, if it is still there."""
    commit = _held(reader, branch).get(dataset)
    version = current(reader, dataset, branch) if commit else None
    return version if version and version.commit == commit else None


def release(ledger: Ledger, dataset: str, branch: str) -> None:
    """The dataset follows its source again."""
    with ledger.read() as reader:
        if dataset not in _held(reader, branch):
            return
    with ledger.write() as tx:
        held = {name: commit for name, commit in _held(tx, branch).items() if name != dataset}
        tx.put(Cursor(_cursor(branch), held, utc_now()))


def is_complete(store: Store, commit: str) -> bool:
    """Whether a version, all that it holds and what was set aside are in the store; no bytes are looked at."""
    if not store.has(commit):
        return False
    manifest = store.manifest(commit)
    aside = manifest.notes.get("quarantine")
    return all(store.has(digest) for digest, _ in manifest.blobs()) and (aside is None or is_complete(store, aside))


def _pinned(project: "ProjectFile") -> dict[str, str]:
    pins = read_lock(project.root / LOCK_FILE)
    wanted = {name: pins[name].commit for name in project.config.data.datasets if name in pins}
    if not wanted:
        raise UsageError(f"{LOCK_FILE} pins no dataset of the project", hint="penstock data ingest")
    return wanted


def _named(project: "ProjectFile", reader: Reader, reference: str) -> dict[str, str]:
    """What the reference means for each dataset. UsageError with every dataset that has no such version."""
    one, at, ref = reference.partition("@")
    datasets = project.config.data.datasets
    if at and one not in datasets:
        raise UsageError.unknown("dataset", one, datasets)
    names, ref = ([one], ref) if at else (list(datasets), reference)
    found, lacking = {}, []
    for name in names:
        try:
            found[name] = resolve(reader, f"{name}@{ref}", project.branch).commit
        except UsageError as error:
            lacking.append(error.what)
    if lacking:
        raise UsageError("; ".join(lacking), hint="penstock data branches, or name one dataset: DATASET@REF")
    return found


def _put(tx: Transaction, store: Store, dataset: str, commit: str, branch: str) -> CheckedOut:
    before = current(tx, dataset, branch)
    manifest = store.manifest(commit)
    publish(tx, version_of(dataset, commit, manifest), expected=before.commit if before else None, branch=branch)
    if aside := manifest.notes.get("quarantine"):
        _put(tx, store, dataset + QUARANTINE, aside, branch)
    return CheckedOut(dataset, commit, before.commit if before else None, manifest.rows)


def _held(reader: Reader, branch: str) -> Mapping[str, str]:
    found = reader.get(Cursor, name=_cursor(branch))
    return found.position if found else {}


def _cursor(branch: str) -> str:
    return f"checkout:{branch}"
