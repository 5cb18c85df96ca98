"""Merging a branch into the one that is checked out.

ours ─ is what theirs came from ─> fast-forward
     └ both added files to what both came from (mode append) ─> a version of both, with both as parents
     └ anything else ─> Conflict, nothing moves
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from penstock.data.versions.ancestry import common_ancestor, leads_to
from penstock.data.versions.pins import pin
from penstock.data.versions.position import QUARANTINE, cursor_name, position_of
from penstock.data.versions.refs import current, head, publish, version_of
from penstock.digest import digest_value, short
from penstock.errors import Conflict, UsageError
from penstock.ledger import Cursor, Execution, Ledger, Reader, Ref, Transaction, Version, node, utc_now
from penstock.store import Manifest, Store

if TYPE_CHECKING:
    from penstock.project import ProjectFile


@dataclass(frozen=True)
class Merged:
    """What became of a dataset: `commit` is its head now, `before` what it was, `other` the head that was merged."""

    dataset: str
    commit: str
    before: str | None
    other: str
    how: Literal["up to date", "fast-forward", "rebased"]


File = dict[str, Any]  # of a position: see ingestion.plan


def merge(
    project: "ProjectFile", ledger: Ledger, store: Store, source: str, dataset: str | None = None, *, actor: str
) -> tuple[Merged, ...]:
    """Bring what the branch `source` has of one dataset, or of every one, into the project's branch.

    Conflict with both commits of each dataset that has diverged and cannot be rebased; nothing has moved then.
    """
    with ledger.read() as reader:
        names = _names(project, reader, source, dataset)
        ends = {name: _ends(reader, name, project.branch, source) for name in names}
        merger = _Merger(project, store, reader, source)
        done = [merger.merged(name, *ends[name]) for name in names]
    if merger.refused:
        raise Conflict("; ".join(merger.refused), hint="bring the sources together, then: penstock data ingest")
    with ledger.write() as tx:
        for one in done:
            merger.publish(tx, one)
        payload = {one.dataset: [one.how, one.commit] for one in done}
        tx.audit("data.merge", f"{source} into {project.branch}", actor=actor, payload=payload)
    pin(project, ledger)
    return tuple(done)


def _names(project: "ProjectFile", reader: Reader, source: str, dataset: str | None) -> list[str]:
    datasets = project.config.data.datasets
    if dataset is not None and dataset not in datasets:
        raise UsageError.unknown("dataset", dataset, datasets)
    known = [ref for ref in reader.find(Ref) if ref.dataset in datasets and dataset in (None, ref.dataset)]
    found = sorted(ref.dataset for ref in known if ref.name == source)
    if not found:
        raise UsageError.unknown("branch", source, {ref.name for ref in known}, hint="penstock data branches")
    return found


def _ends(reader: Reader, dataset: str, branch: str, source: str) -> tuple[Version | None, Version]:
    theirs = head(reader, dataset, source)
    assert theirs is not None  # `_names` has seen its ref in the same snapshot
    return current(reader, dataset, branch), theirs


class _Merger:
    """Writes merged versions into the store and says why others cannot be; `publish` then moves the refs."""

    def __init__(self, project: "ProjectFile", store: Store, reader: Reader, source: str) -> None:
        self.project = project
        self.store = store
        self.source = source
        self.refused: list[str] = []
        self._reader = reader
        self._positions: dict[str, dict[str, Any]] = {}  # of rebased datasets

    def merged(self, dataset: str, ours: Version | None, theirs: Version) -> Merged:
        if ours is None or leads_to(self._parents, ours.commit, theirs.commit):
            how: Literal["up to date", "fast-forward"]
            how = "up to date" if ours and ours.commit == theirs.commit else "fast-forward"
            return Merged(dataset, theirs.commit, ours.commit if ours else None, theirs.commit, how)
        if leads_to(self._parents, theirs.commit, ours.commit):
            return Merged(dataset, ours.commit, ours.commit, theirs.commit, "up to date")
        if why := self._obstacle(dataset, ours.commit, theirs.commit):
            heads = f"{dataset}@{self.project.branch} {short(ours.commit)} and @{self.source} {short(theirs.commit)}"
            self.refused.append(f"{heads} have diverged: {why}")
            return Merged(dataset, ours.commit, ours.commit, theirs.commit, "up to date")
        return self._rebased(dataset, ours.commit, theirs.commit)

    def publish(self, tx: Transaction, one: Merged) -> None:
        """Move the dataset and its quarantine; Conflict when somebody has moved them meanwhile."""
        if one.commit == one.before:
            return
        branch = self.project.branch
        manifest = self.store.manifest(one.commit)
        if one.how == "rebased":
            self._record(tx, one, manifest)
        publish(tx, version_of(one.dataset, one.commit, manifest), expected=one.before, branch=branch)
        if aside := manifest.notes.get("quarantine"):
            name = one.dataset + QUARANTINE
            there = current(tx, name, branch)
            version = version_of(name, aside, self.store.manifest(aside))
            publish(tx, version, expected=there.commit if there else None, branch=branch)

    def _parents(self, commit: str) -> Sequence[str]:
        return self.store.manifest(commit).parents if self.store.has(commit) else ()

    def _obstacle(self, dataset: str, ours: str, theirs: str) -> str | None:
        """Why two versions cannot be made one; None when each only added files to what both came from."""
        if self.project.config.data.datasets[dataset].mode != "append":
            return "only a dataset with `mode: append` can take the rows of both"
        base = common_ancestor(self._parents, ours, theirs)
        if base is None:
            return "they have nothing in common"
        old, one, other = (self.store.manifest(commit) for commit in (base, ours, theirs))
        if one.schema != other.schema:
            return "their columns differ"
        if _parts(old) - _parts(one) or _parts(old) - _parts(other):
            return "rows that both had were replaced"
        files = [{file["name"]: file["digest"] for file in self._files(dataset, end)} for end in (ours, theirs)]
        clash = sorted(name for name in files[0].keys() & files[1].keys() if files[0][name] != files[1][name])
        if clash:
            return f"{clash[0]} is another file on each"
        keyed = bool(one.notes.get("key"))
        for before, here, there in self._ends_of_files(dataset, ours, theirs):
            # a function has no size; what it gave each is new to the other, and a key tells what of it is the same
            if _both_changed(before, here, there) and (here["size"] or not keyed):
                return f"{here['name']} was read on each in another way"
        told = Counter(part for file in self._united(dataset, ours, theirs) for part in file["good"])
        if told != _parts(_union(one, other)):
            return "which file each row came from is not known"
        return self._shared_key(one, other)

    def _shared_key(self, ours: Manifest, theirs: Manifest) -> str | None:
        from penstock.data.versions.comparison import tells_apart

        key = tuple(ours.notes.get("key", ()))
        unique = not key or tells_apart(self.store.rows(_union(ours, theirs)), key)
        return None if unique else f"rows of both would share a {', '.join(key)}"

    def _files(self, dataset: str, commit: str) -> list[File]:
        return list(position_of(self._reader, dataset, commit).get("files", ()))

    def _ends_of_files(self, dataset: str, ours: str, theirs: str) -> Iterator[tuple[File | None, File, File]]:
        """Each of our files as it was in what both came from, as it is here, and as it is there."""
        base = common_ancestor(self._parents, ours, theirs) or ""
        old, new = ({file["digest"]: file for file in self._files(dataset, end)} for end in (base, theirs))
        for file in self._files(dataset, ours):
            yield old.get(file["digest"]), file, new.get(file["digest"], file)

    def _united(self, dataset: str, ours: str, theirs: str) -> list[File]:
        """Our files, then theirs. What both read they may have read more of, where it is read again and again."""
        files = [_both(*ends) for ends in self._ends_of_files(dataset, ours, theirs)]
        known = {file["digest"] for file in files}
        return [*files, *(file for file in self._files(dataset, theirs) if file["digest"] not in known)]

    def _rebased(self, dataset: str, ours: str, theirs: str) -> Merged:
        """A version with the rows of both: theirs behind ours."""
        one, other = self.store.manifest(ours), self.store.manifest(theirs)
        files = self._united(dataset, ours, theirs)
        self._positions[dataset] = {**position_of(self._reader, dataset, ours), "files": files}
        producer = digest_value(_inputs(dataset, ours, theirs))
        aside = self._aside([one.notes["quarantine"], other.notes["quarantine"]], files, producer)
        notes = {**one.notes, "quarantine": aside, "files": [[file["name"], file["digest"]] for file in files]}
        merged = replace(_union(one, other), parents=(ours, theirs), producer=producer, notes=notes)
        return Merged(dataset, self.store.commit(merged), ours, theirs, "rebased")

    def _aside(self, commits: Sequence[str], files: Sequence[File], producer: str) -> str:
        """What is left of both quarantines: a row that one side readmitted is in none any more."""
        one, other = (self.store.manifest(commit) for commit in commits)
        known = {part.digest: part for part in (*one.parts, *other.parts)}
        parts = tuple(known[digest] for file in files for digest in file["bad"])
        parents = tuple(dict.fromkeys(commits))
        return self.store.commit(
            replace(_union(one, other), parts=parts, parents=parents, producer=producer, notes=one.notes)
        )

    def _record(self, tx: Transaction, one: Merged, manifest: Manifest) -> None:
        """How the version came about, and how far its sources are read."""
        assert one.before
        inputs = _inputs(one.dataset, one.before, one.other)
        outputs = {"data": one.commit, "quarantine": manifest.notes["quarantine"]}
        tx.put(Execution(manifest.producer, f"merge {one.dataset}", inputs, outputs, 0.0, utc_now()))
        tx.put(Cursor(cursor_name(one.dataset, one.commit), self._positions[one.dataset], utc_now()))
        for parent in manifest.parents:
            tx.link(node("data", parent), node("data", one.commit), "append")


def _inputs(dataset: str, ours: str, theirs: str) -> dict[str, str]:
    return {"step": "merge", "dataset": dataset, "ours": ours, "theirs": theirs}


def _both(before: File | None, ours: File, theirs: File) -> File:
    """One file with what either side made of it."""
    if not _both_changed(before, ours, theirs):
        changed = theirs if before and _rows(ours) == _rows(before) else ours
        return {**changed, "name": ours["name"]}
    more = {side: [part for part in theirs[side] if part not in ours[side]] for side in ("good", "bad")}
    return {**ours, **{side: [*ours[side], *parts] for side, parts in more.items()}}


def _both_changed(before: File | None, ours: File, theirs: File) -> bool:
    """Whether the rows of a file are neither the same on both sides nor as they were on one of them."""
    return _rows(ours) != _rows(theirs) and (before is None or _rows(before) not in (_rows(ours), _rows(theirs)))


def _rows(file: File) -> tuple[object, object]:
    """The parts of a file's good and of its bad rows."""
    return file["good"], file["bad"]


def _parts(manifest: Manifest) -> Counter[str]:
    return Counter(part.digest for part in manifest.parts)


def _union(ours: Manifest, theirs: Manifest) -> Manifest:
    """Our parts, then those that only they have."""
    fresh = _parts(theirs) - _parts(ours)
    parts = {part.digest: part for part in theirs.parts}
    more = tuple(parts[digest] for digest in fresh.elements())
    packs = dict.fromkeys((*ours.packs, *theirs.packs))
    return Manifest(ours.schema, (*ours.parts, *more), packs=tuple(packs))
