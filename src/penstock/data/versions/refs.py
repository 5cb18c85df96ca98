"""Refs: the names that point to versions of a dataset.

A branch moves by compare-and-set, a tag never moves. A branch that a dataset does not have yet is where `main` is.
What a version holds is in the store; that it exists, who points to it and since when is in the ledger.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from penstock.digest import short
from penstock.errors import Conflict, UsageError
from penstock.ledger import Ledger, Reader, Ref, RefMove, Transaction, Version, node, utc_now
from penstock.store import Manifest, Store

if TYPE_CHECKING:
    from penstock.data.versions.comparison import Diff

MAIN = "main"


def head(reader: Reader, dataset: str, ref: str = MAIN) -> Version | None:
    """The version that a ref points to; None when there is no such ref."""
    found = reader.get(Ref, dataset=dataset, name=ref)
    return reader.get(Version, dataset=dataset, commit=found.commit) if found else None


def current(reader: Reader, dataset: str, branch: str) -> Version | None:
    """The newest version for who works on `branch`: its head, or that of `main` where the dataset has no such branch.

    So a branch starts where `main` is, and what production writes is seen from every branch.
    """
    return head(reader, dataset, branch) or head(reader, dataset)


def tag(tx: Transaction, dataset: str, name: str, commit: str) -> Ref:
    """Give a version a name that never moves. Conflict when the name stands for another version."""
    there = tx.get(Ref, dataset=dataset, name=name)
    branch = name == MAIN or (there is not None and there.kind != "tag")
    if branch or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name):
        raise UsageError(
            f"{name!r} cannot be a tag", expected="a letter, then letters, digits, `_`, `.` or `-`; no branch's name"
        )
    if there and there.commit != commit:
        raise Conflict(f"{dataset}@{name} is {short(there.commit)} already", expected="a new name: tags never move")
    if there:
        return there
    made = Ref(dataset, name, "tag", commit, utc_now())
    tx.add(made)
    return made


def publish(
    tx: Transaction, version: Version, *, expected: str | None, branch: str = MAIN, at: datetime | None = None
) -> Version:
    """Move `branch` from `expected` (None: the dataset does not exist) to `version`, by compare-and-set.

    Conflict, naming both commits, when it is somewhere else; nothing is changed then. When it points there already,
    it keeps the time at which it came there. UsageError when the name is a tag's. `at` is when it was published, if
    that was elsewhere.
    """
    there = current(tx, version.dataset, branch)
    commit = there.commit if there else None
    if commit != expected:
        now, then = (short(one) if one else "nothing" for one in (commit, expected))
        raise Conflict(
            f"{version.dataset}@{branch} is at {now}, not at {then}",
            expected=f"to move it to {short(version.commit)}",
            hint="somebody published meanwhile: run it again",
        )
    new = tx.get(Version, dataset=version.dataset, commit=version.commit) is None
    if new:
        tx.add(version)
    if commit != version.commit:
        _move(tx, version, branch, start=there, at=at or (version.created_at if new else utc_now()))
    return version


def _move(tx: Transaction, version: Version, branch: str, *, start: Version | None, at: datetime) -> None:
    """Point the branch to `version` and remember that; a branch that begins remembers its `start` too."""
    there = tx.get(Ref, dataset=version.dataset, name=branch)
    if there and there.kind == "tag":
        what = f"{version.dataset}@{branch} is a tag: it never moves"
        raise UsageError(what, hint="give the Git branch another name, or name one in penstock.yaml: data.branch")
    steps = [version.commit] if there or start is None else [start.commit, version.commit]
    before = tx.find(RefMove, dataset=version.dataset, name=branch, order_by="-number", limit=1)
    first = before[0].number + 1 if before else 1
    for number, commit in enumerate(steps, start=first):
        tx.add(RefMove(version.dataset, branch, number, commit, at))
    tx.put(Ref(version.dataset, branch, "branch", version.commit, utc_now()))


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


def publish_derived(
    ledger: Ledger, store: Store, dataset: str, commit: str, sources: Mapping[str, str], *, branch: str = MAIN
) -> Version:
    """Record a table that was computed from others and point `branch` to it; `sources` maps nodes to roles.

    The same inputs give the same commit, so doing it again changes nothing.
    """
    version = version_of(dataset, commit, store.manifest(commit))
    with ledger.write() as tx:
        there = current(tx, dataset, branch)
        publish(tx, version, expected=there.commit if there else None, branch=branch)
        for source, role in sources.items():
            tx.link(source, node("data", commit), role)
    return version


def diff(
    store: Store,
    before: str,
    after: str,
    *,
    key: Sequence[str] = (),
    distribution: bool = False,
    private: Collection[str] = (),
) -> "Diff":
    """What changed between two commits: schema, parts, rows, and with `distribution` how far each column has shifted.

    Rows are matched by `key`, or by the key that the dataset had when it was ingested. How `private` columns have
    shifted is not told.
    """
    from penstock.data.versions.comparison import compare

    found = compare(store, before, after, key)
    if not distribution:
        return found
    from penstock.data.versions.distribution import distribution as shifted

    return replace(found, shifts=shifted(store, before, after, private))
