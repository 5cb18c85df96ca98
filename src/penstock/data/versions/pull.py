"""Pull: bring versions from a store elsewhere, and move the project's refs to them.

    refs there ─> records ─> manifests ─> rows ─> ONE transaction moves the refs here

Every blob is verified before it gets its name. Of what a version came from only the ids come: its own rows are there
whole, and older ones when somebody asks for them by a lock file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.data.versions.ancestry import ancestors, leads_to
from penstock.data.versions.checkout import is_complete
from penstock.data.versions.pins import LOCK_FILE
from penstock.data.versions.position import QUARANTINE
from penstock.data.versions.push import Moved
from penstock.data.versions.records import Record, remember
from penstock.data.versions.refs import MAIN, current, publish
from penstock.data.versions.transfer import Listener, Tally, at_once, contents
from penstock.digest import short
from penstock.errors import Conflict, UsageError
from penstock.ledger import Ledger, Reader, Ref, Transaction, Version, utc_now
from penstock.store import Store, read_lock
from penstock.store.remote import Remote, record_key

if TYPE_CHECKING:
    from penstock.project import ProjectFile

TRACKING = "remote/"


@dataclass(frozen=True)
class Pulled:
    """What came: refs that moved, versions that the lock file pins, and how much was fetched."""

    remote: str
    refs: tuple[Moved, ...]
    pinned: tuple[str, ...]
    blobs: int
    bytes: int


def pull(project: "ProjectFile", ledger: Ledger, store: Store, url: str, *, progress: Listener | None = None) -> Pulled:
    """Bring the project's branch, the tags, and what the lock file pins, up to the other side.

    A branch that the other side has not is where its `main` is. UsageError when nothing was pushed there. Conflict
    where both sides have what the other has not: no branch has moved then, and what is there can be merged as
    `remote/BRANCH`.
    """
    remote = Remote.open(url, root=project.root)
    names = {*project.config.data.datasets, *project.config.data.transforms}
    found = [ref for ref in _pushed_to(remote) if ref["dataset"] in names]
    own = {ref["dataset"] for ref in found if ref["name"] == project.branch}
    wanted = [
        ref
        for ref in found
        if ref["kind"] == "tag" or ref["name"] == (project.branch if ref["dataset"] in own else MAIN)
    ]
    return _take(project, ledger, store, remote, wanted, progress)


def clone(
    project: "ProjectFile", ledger: Ledger, store: Store, url: str, *, progress: Listener | None = None
) -> Pulled:
    """Bring every branch and tag that the other side has into a project that has no data yet."""
    remote = Remote.open(url, root=project.root)
    with ledger.read() as reader:
        if reader.find(Ref, limit=1):
            raise UsageError("the project has data already", hint=f"penstock data pull {url}")
    return _take(project, ledger, store, remote, _pushed_to(remote), progress)


def _take(
    project: "ProjectFile",
    ledger: Ledger,
    store: Store,
    remote: Remote,
    wanted: list[dict[str, str]],
    progress: Listener | None,
) -> Pulled:
    puller = _Puller(project, store, remote)
    with ledger.read() as reader:
        planned = [puller.planned(reader, ref) for ref in wanted]
    pins = {name: pin.commit for name, pin in read_lock(project.root / LOCK_FILE).items()}
    heads = {ref["commit"] for ref in wanted}
    pins = {name: commit for name, commit in pins.items() if commit not in heads and not is_complete(store, commit)}
    versions = [*((ref["dataset"], ref["commit"]) for ref in wanted), *pins.items(), *puller.between]
    sent, size = puller.fetch([*dict.fromkeys(versions)], progress)
    with ledger.write() as tx:
        for record in puller.records.values():
            remember(tx, record)
        for one, ref in zip(planned, wanted, strict=True):
            puller.publish(tx, one, ref)
    if puller.diverged:
        raise Conflict("; ".join(puller.diverged), hint=f"penstock data merge {TRACKING}{project.branch}")
    pinned = tuple(f"{name}@{commit}" for name, commit in sorted(pins.items()))
    return Pulled(remote.url, tuple(planned), pinned, sent, size)


class _Puller:
    """What the other side has, as far as it was asked."""

    def __init__(self, project: "ProjectFile", store: Store, remote: Remote) -> None:
        self.project = project
        self.store = store
        self.remote = remote
        self.records: dict[tuple[str, str], Record] = {}  # of versions that were fetched
        self._manifests: list[str] = []  # that were fetched
        self.diverged: list[str] = []
        self.between: list[tuple[str, str]] = []  # what a merge needs to find where both began

    def fetch(self, versions: list[tuple[str, str]], progress: Listener | None) -> tuple[int, int]:
        """Fetch records, manifests and rows that are not here; how many blobs, and their bytes."""
        asides = list(self._with_records(versions))
        commits = [commit for _, commit in (*versions, *asides)]
        manifests = [self.store.manifest(commit) for commit in commits]
        every = {digest for one in manifests for digest in contents(one)}
        lacking = sorted(digest for digest in every if not self.store.blobs.renew(digest))
        sizes = {part.digest: part.bytes for one in manifests for part in one.parts}
        tally = Tally(sum(sizes.get(digest, 0) for digest in lacking), progress)

        def fetch(digest: str) -> None:
            self.remote.fetch(digest, self.store.blobs)
            tally.add(self.store.blobs.size(digest))

        count = sum(1 for _ in at_once(fetch, lacking))
        more = sum(self.store.blobs.size(commit) for commit in self._manifests)
        return len(self._manifests) + count, more + tally.done

    def planned(self, reader: Reader, ref: dict[str, str]) -> Moved:
        """What is to become of a ref here."""
        dataset, name, commit = ref["dataset"], ref["name"], ref["commit"]
        there = reader.get(Ref, dataset=dataset, name=name)
        if there is None:
            return Moved(dataset, name, commit, None, "new")
        if there.commit == commit:
            return Moved(dataset, name, commit, commit, "up to date")

        def parents(one: str) -> list[str]:
            return self._parents(dataset, one)

        if ref["kind"] == "branch" and leads_to(parents, there.commit, commit):
            return Moved(dataset, name, commit, there.commit, "moved")
        computed = dataset in self.project.config.data.transforms  # then the next run decides, and has what came
        if not (ref["kind"] == "branch" and (computed or leads_to(parents, commit, there.commit))):
            self.diverged.append(f"{dataset}@{name} is {short(there.commit)} here and {short(commit)} there")
            self.between += [(dataset, one) for one in ancestors(parents, commit) if not self.store.has(one)]
        return Moved(dataset, name, there.commit, there.commit, "ahead")

    def publish(self, tx: Transaction, one: Moved, ref: dict[str, str]) -> None:
        """Move the ref, and with a branch what was set aside. Where any has diverged, keep what is there by name."""
        tracking = Ref(one.dataset, TRACKING + one.name, "remote", ref["commit"], utc_now())
        tx.remove(Ref, dataset=one.dataset, name=tracking.name)
        if self.diverged:
            if ref["kind"] == "branch":
                tx.put(tracking)
        elif one.how in ("new", "moved") and ref["kind"] == "tag":
            tx.add(Ref(one.dataset, one.name, "tag", one.commit, utc_now()))
        elif one.how in ("new", "moved"):
            before = tx.get(Ref, dataset=one.dataset, name=one.name)
            if (before and before.commit) != one.before:
                raise Conflict(f"{one.dataset}@{one.name} was moved meanwhile", hint="pull again")
            _publish(tx, one.dataset, one.commit, one.name)
            if aside := self.store.manifest(one.commit).notes.get("quarantine"):
                _publish(tx, one.dataset + QUARANTINE, aside, one.name)

    def _with_records(self, versions: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Have the records and the manifests of the versions here; what was set aside beside each."""
        asides = []
        for dataset, commit in versions:
            self._take_record(dataset, commit)
            if aside := self.store.manifest(commit).notes.get("quarantine"):
                self._take_record(dataset + QUARANTINE, aside)
                asides.append((dataset + QUARANTINE, aside))
        yield from asides

    def _take_record(self, dataset: str, commit: str) -> None:
        found = self.remote.read(record_key(dataset, commit))
        if found is None:
            what = f"{dataset}@{short(commit)} is not there"
            raise UsageError(what, where=self.remote.url, hint="penstock data push, from where it was made")
        if not self.store.blobs.renew(commit):
            self.remote.fetch(commit, self.store.blobs)
            self._manifests.append(commit)
        self.records[dataset, commit] = found.value

    def _parents(self, dataset: str, commit: str) -> list[str]:
        if self.store.has(commit):
            return list(self.store.manifest(commit).parents)
        found = self.remote.read(record_key(dataset, commit))
        return list(found.value["parents"]) if found else []


def _pushed_to(remote: Remote) -> list[dict[str, Any]]:
    """Every ref there. UsageError when there is none: a name may have a slip."""
    found = dict(at_once(remote.read, remote.keys("refs")))
    refs = [stored.value for _, stored in sorted(found.items()) if stored]
    if not refs:
        raise UsageError("nothing was pushed there yet", where=remote.url, hint="penstock data push")
    return refs


def _publish(tx: Transaction, dataset: str, commit: str, branch: str) -> None:
    there = current(tx, dataset, branch)
    version = tx.get(Version, dataset=dataset, commit=commit)
    assert version is not None  # its record was remembered
    publish(tx, version, expected=there.commit if there else None, branch=branch, at=version.created_at)
