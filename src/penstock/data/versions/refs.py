"""Versions of a dataset: publish, find, list, tag, compare.

A ref names a version: the branch `main` moves forward by compare-and-set, a tag never moves. What a
version holds is in the store; that it exists and who points to it is in the ledger.
"""

import fcntl
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock.digest import short
from penstock.errors import Conflict, UsageError
from penstock.ledger import Ledger, Reader, Ref, Transaction, Version, node, utc_now
from penstock.store import Manifest, Pin, Store, read_lock, write_lock

if TYPE_CHECKING:
    from penstock.data.versions.comparison import Diff
    from penstock.project import ProjectFile

MAIN = "main"
LOCK_FILE = "penstock.lock"
SHORTEST_PREFIX = 4


def head(reader: Reader, dataset: str, ref: str = MAIN) -> Version | None:
    """The version that a ref points to; None when there is none yet."""
    found = reader.get(Ref, dataset=dataset, name=ref)
    return reader.get(Version, dataset=dataset, commit=found.commit) if found else None


def history(reader: Reader, dataset: str) -> list[Version]:
    """Every published version, each once, the last published first: that is what `main` points to."""
    return list(dict.fromkeys(version for _, version in _publications(reader, dataset)))


def resolve(reader: Reader, text: str) -> Version:
    """The version that `text` means. UsageError when there is none, or when several fit.

    flights               the newest
    flights@before-fix    a tag or a branch
    flights@3f9c2a        a commit, or the beginning of one
    flights@2026-03-31    the newest at the end of that day (UTC); a time of day may follow: 2026-03-31T12:00

    A computed table can come back to a version that it was before. The ledger keeps when a version was first
    published and when `main` came to where it is: what came back and is gone again counts by its first time only.
    """
    dataset, _, at = text.partition("@")
    known = {ref.dataset for ref in reader.find(Ref)}
    if dataset not in known:
        raise UsageError.unknown("dataset", dataset, known, hint="penstock data ingest")
    found = head(reader, dataset, at or MAIN) or _by_time(reader, dataset, at) or _by_prefix(reader, dataset, at)
    if found is None:
        names = [
            *(ref.name for ref in reader.find(Ref, dataset=dataset)),
            *(short(one.commit) for one in history(reader, dataset)),
        ]
        raise UsageError.unknown(f"version of {dataset}", at, names, hint=f"penstock data log {dataset}")
    return found


def tag(tx: Transaction, dataset: str, name: str, commit: str) -> Ref:
    """Give a version a name that never moves. Conflict when the name stands for another version."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name) or name == MAIN:
        raise UsageError(
            f"{name!r} cannot be a tag", expected="a letter, then letters, digits, `_`, `.` or `-`; not main"
        )
    there = tx.get(Ref, dataset=dataset, name=name)
    if there and there.commit != commit:
        raise Conflict(f"{dataset}@{name} is {short(there.commit)} already", expected="a new name: tags never move")
    if there:
        return there
    made = Ref(dataset, name, "tag", commit, utc_now())
    tx.add(made)
    return made


def publish(tx: Transaction, version: Version, *, expected: str | None) -> Version:
    """Move `main` from `expected` (None: it does not exist) to `version`, by compare-and-set.

    Conflict, naming both commits, when it is somewhere else; nothing is changed then. When it points there already,
    it keeps the time at which it came there.
    """
    there = tx.get(Ref, dataset=version.dataset, name=MAIN)
    current = there.commit if there else None
    if current != expected:
        now, then = (short(commit) if commit else "nothing" for commit in (current, expected))
        raise Conflict(
            f"{version.dataset}@{MAIN} is at {now}, not at {then}",
            expected=f"to move it to {short(version.commit)}",
            hint="somebody published meanwhile: run it again",
        )
    if tx.get(Version, dataset=version.dataset, commit=version.commit) is None:
        tx.add(version)
    if current != version.commit:
        tx.put(Ref(version.dataset, MAIN, "branch", version.commit, utc_now()))
    return version


def version_of(dataset: str, commit: str, manifest: Manifest) -> Version:
    """The ledger's record of a commit in the store."""
    return Version(
        commit=commit,
        dataset=dataset,
        content=manifest.content,
        schema=manifest.schema_digest,
        rows=manifest.rows,
        bytes=manifest.bytes,
        producer=manifest.producer,
        created_at=utc_now(),
    )


def publish_derived(ledger: Ledger, store: Store, dataset: str, commit: str, sources: Mapping[str, str]) -> Version:
    """Record a table that was computed from others and point `main` to it; `sources` maps nodes to roles.

    The same inputs give the same commit, so doing it again changes nothing.
    """
    version = version_of(dataset, commit, store.manifest(commit))
    with ledger.write() as tx:
        there = tx.get(Ref, dataset=dataset, name=MAIN)
        publish(tx, version, expected=there.commit if there else None)
        for source, role in sources.items():
            tx.link(source, node("data", commit), role)
    return version


def diff(store: Store, before: str, after: str, *, key: Sequence[str] = ()) -> "Diff":
    """What changed between two commits: schema, parts, rows.

    Rows are matched by `key`, or by the key that the dataset had when it was ingested.
    """
    from penstock.data.versions.comparison import compare

    return compare(store, before, after, key)


def pin(project: "ProjectFile", ledger: Ledger) -> None:
    """Make `penstock.lock` say what every dataset of the project is now. Leaves a file that says so alone."""
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
    heads = {name: head(reader, name) for name in project.config.data.datasets}
    return {name: Pin(at.commit, at.content, at.schema, at.rows, at.bytes) for name, at in heads.items() if at}


def _by_time(reader: Reader, dataset: str, text: str) -> Version | None:
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time", expected="2026-03-31 or 2026-03-31T12:00") from None
    if len(text) == len("2026-03-31"):
        moment = moment.replace(hour=23, minute=59, second=59, microsecond=999999)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return next((version for at, version in _publications(reader, dataset) if at <= moment), None)


def _publications(reader: Reader, dataset: str) -> list[tuple[datetime, Version]]:
    """When which version was published, the last first; one that was there before and is again stands there twice."""
    found = [(version.created_at, version) for version in reader.find(Version, dataset=dataset)]
    main = reader.get(Ref, dataset=dataset, name=MAIN)
    found += [(main.updated_at, version) for _, version in found if main and version.commit == main.commit]
    return sorted(found, key=lambda one: one[0], reverse=True)


def _by_prefix(reader: Reader, dataset: str, prefix: str) -> Version | None:
    if len(prefix) < SHORTEST_PREFIX:
        return None
    found = [version for version in history(reader, dataset) if version.commit.startswith(prefix)]
    if len(found) > 1:
        raise UsageError(
            f"{prefix!r} is the beginning of {len(found)} versions of {dataset}", expected="more of its characters"
        )
    return found[0] if found else None
