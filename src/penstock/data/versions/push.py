"""Push: bring versions to a store elsewhere, and move its refs to them.

    parts ─> manifests ─> records ─> refs

Each arrow waits until all that is before it would survive a power cut, so a ref never leads to what is not there, and
what a killed push has sent is not sent again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from penstock.data.versions.ancestry import ancestors, leads_to
from penstock.data.versions.checkout import is_complete
from penstock.data.versions.pins import LOCK_FILE
from penstock.data.versions.position import QUARANTINE
from penstock.data.versions.records import record_of
from penstock.data.versions.transfer import Listener, Tally, at_once, contents
from penstock.digest import short
from penstock.errors import Conflict, Damaged
from penstock.ledger import Ledger, Reader, Ref, Version
from penstock.store import Store, read_lock
from penstock.store.remote import Remote, Stored, blob_key, record_key, ref_key

if TYPE_CHECKING:
    from penstock.project import ProjectFile


@dataclass(frozen=True)
class Moved:
    """What became of a ref. `behind`: the other side has something newer, and stays; `ahead`: this side does."""

    dataset: str
    name: str
    commit: str
    before: str | None
    how: Literal["new", "moved", "up to date", "behind", "ahead"]


@dataclass(frozen=True)
class Pushed:
    """`blobs` and `bytes` that were sent; `repaired` names blobs that were damaged there."""

    remote: str
    refs: tuple[Moved, ...]
    blobs: int
    bytes: int
    repaired: tuple[str, ...] = ()


def push(
    project: "ProjectFile",
    ledger: Ledger,
    store: Store,
    url: str,
    *,
    verify: bool = False,
    progress: Listener | None = None,
) -> Pushed:
    """Send what the project's branch, its tags and its lock file point to, with all it came from.

    Conflict, naming both commits, where the other side has what this one has not; nothing is sent then. `verify` reads
    the newest versions there again and sends what is damaged once more.
    """
    remote = Remote.open(url, root=project.root, create=True)
    with ledger.read() as reader:
        pusher = _Pusher(project, store, remote, reader)
        planned = [pusher.planned(ref) for ref in pusher.refs()]
        if pusher.refused:
            raise Conflict("; ".join(pusher.refused), hint="penstock data pull")
        versions = pusher.versions([ref for ref, _, _ in planned])
        records = {record_key(v.dataset, v.commit): record_of(reader, v, store.manifest(v.commit)) for v in versions}
    sent, size = pusher.send(versions, progress)
    for key, record in records.items():  # one by one: a record says that all which its version came from is there too
        remote.write(key, record)
    remote.settle(record_key(ref.dataset, ref.commit) for ref, _, how in planned if how in ("new", "moved"))
    moved = tuple(pusher.move(*plan) for plan in planned)
    newest = {ref.commit for ref, _, _ in planned}
    repaired = _repaired(remote, store, newest) if verify else ()
    return Pushed(remote.url, moved, sent, size, repaired)


_Plan = tuple[Ref, Stored | None, Literal["new", "moved", "up to date", "behind"]]


class _Pusher:
    """What the other side has, asked once, and what it lacks."""

    def __init__(self, project: "ProjectFile", store: Store, remote: Remote, reader: Reader) -> None:
        self.project = project
        self.store = store
        self.remote = remote
        self.reader = reader
        self.refused: list[str] = []
        self._records: dict[tuple[str, str], Any] = {}
        self._there: set[str] = set()  # what versions hold that the other side has

    def refs(self) -> list[Ref]:
        """The branch and the tags of the project's datasets and transforms."""
        data = self.project.config.data
        names = {*data.datasets, *data.transforms}
        found = (ref for ref in self.reader.find(Ref) if ref.dataset in names)
        return [ref for ref in found if ref.kind == "tag" or ref.name == self.project.branch]

    def planned(self, ref: Ref) -> _Plan:
        """What will become of a ref there."""
        there = self.remote.read(ref_key(ref.dataset, ref.name))
        if there is None:
            return ref, None, "new"
        commit = there.value["commit"]
        if commit == ref.commit:
            return ref, there, "up to date"

        def parents(one: str) -> list[str]:
            return self._parents(ref.dataset, one)

        computed = ref.dataset in self.project.config.data.transforms  # and has no history to lose
        if ref.kind == "branch" and (computed or leads_to(parents, commit, ref.commit)):
            return ref, there, "moved"
        if ref.kind == "branch" and leads_to(parents, ref.commit, commit):
            return ref, there, "behind"
        self.refused.append(_differ(ref, commit))
        return ref, there, "behind"

    def versions(self, refs: list[Ref]) -> list[Version]:
        """What the other side lacks, the oldest first, each after what was set aside beside it."""
        pins = read_lock(self.project.root / LOCK_FILE)
        known = {name: pin.commit for name, pin in pins.items() if is_complete(self.store, pin.commit)}
        wanted = [*((ref.dataset, ref.commit) for ref in refs), *known.items()]
        found: dict[tuple[str, str], None] = {}
        for dataset, commit in wanted:
            found |= dict.fromkeys(self._lacking(dataset, commit))
        versions = (self.reader.get(Version, dataset=dataset, commit=one) for dataset, one in found)
        return [version for version in versions if version]

    def send(self, versions: list[Version], progress: Listener | None) -> tuple[int, int]:
        """Send the blobs that are not there: rows first, then the manifests that name them. How many, and bytes."""
        manifests = {version.commit: self.store.manifest(version.commit) for version in versions}
        rows = {digest for one in manifests.values() for digest in contents(one)} - self._there
        sizes = {digest: self.store.blobs.size(digest) for digest in (*rows, *manifests)}
        tally = Tally(sum(sizes.values()), progress)
        sent = [*self._sent(sorted(rows), sizes, tally), *self._sent(list(manifests), sizes, tally)]
        return len(sent), sum(sizes[digest] for digest in sent)

    def move(self, ref: Ref, there: Stored | None, how: Literal["new", "moved", "up to date", "behind"]) -> Moved:
        """Compare and set. Conflict with both commits when somebody else was first."""
        before = there.value["commit"] if there else None
        if how in ("new", "moved"):
            key = ref_key(ref.dataset, ref.name)
            value = {"dataset": ref.dataset, "name": ref.name, "kind": ref.kind, "commit": ref.commit}
            if not self.remote.move(key, value, there):
                now = self.remote.read(key)
                what = f"somebody pushed meanwhile: {_differ(ref, now.value['commit'] if now else '')}"
                raise Conflict(what, where=self.remote.url, hint="penstock data pull, then push again")
        return Moved(ref.dataset, ref.name, ref.commit, before, how)

    def _parents(self, dataset: str, commit: str) -> list[str]:
        if self.store.has(commit):
            return list(self.store.manifest(commit).parents)
        record = self._record(dataset, commit)
        return list(record["parents"]) if record else []

    def _lacking(self, dataset: str, commit: str) -> Iterator[tuple[str, str]]:
        """A version and what it came from, up to what the other side has; the oldest first."""

        def parents(one: str) -> list[str]:
            if self._record(dataset, one):
                return []
            return [parent for parent in self._parents(dataset, one) if is_complete(self.store, parent)]

        for one in reversed(list(ancestors(parents, commit))):
            if self._record(dataset, one):
                self._there |= contents(self.store.manifest(one)) if self.store.has(one) else set()
            else:
                if aside := self.store.manifest(one).notes.get("quarantine"):
                    yield dataset + QUARANTINE, aside
                yield dataset, one

    def _record(self, dataset: str, commit: str) -> Any:
        if (dataset, commit) not in self._records:
            found = self.remote.read(record_key(dataset, commit))
            self._records[dataset, commit] = found.value if found else None
        return self._records[dataset, commit]

    def _sent(self, digests: list[str], sizes: Mapping[str, int], tally: Tally) -> list[str]:
        def send(digest: str) -> bool:
            path = self.store.path(digest)  # verified: damage does not travel
            new = not self.remote.holds(digest, sizes[digest])
            if new:
                self.remote.send(digest, path)
            tally.add(sizes[digest])
            return new

        sent = [digest for digest, new in at_once(send, digests) if new]
        self.remote.settle(map(blob_key, digests))  # those too that somebody has just put there
        return sent


def _differ(ref: Ref, there: str) -> str:
    return f"{ref.dataset}@{ref.name} is {short(ref.commit)} here and {short(there) or 'nothing'} there"


def _repaired(remote: Remote, store: Store, commits: set[str]) -> tuple[str, ...]:
    """Read every blob of some versions there again; what is damaged and whole here is sent once more."""

    def check(digest: str) -> bool:
        try:
            remote.check(digest)
        except Damaged:
            if not store.has(digest):
                raise
            remote.send(digest, store.path(digest))
            return True
        return False

    manifests = [store.manifest(commit) for commit in commits]
    asides = {str(one.notes["quarantine"]) for one in manifests if "quarantine" in one.notes}
    blobs = {*commits, *asides}
    for manifest in (*manifests, *(store.manifest(commit) for commit in asides)):
        blobs |= contents(manifest)
    repaired = sorted(digest for digest, damaged in at_once(check, sorted(blobs)) if damaged)
    remote.settle(map(blob_key, repaired))
    return tuple(repaired)
