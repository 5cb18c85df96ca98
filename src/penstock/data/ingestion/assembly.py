"""A new version's rows: parts just written beside parts that stay."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.data.ingestion.plan import File, Known, Plan
from penstock.digest import digest_file
from penstock.errors import ContractBroken
from penstock.store import Manifest, Part, Store, Table

if TYPE_CHECKING:
    from penstock.data.ingestion.staging import Staged
    from penstock.project import Dataset


@dataclass(frozen=True)
class Assembled:
    """The files with their parts, the tables of good and bad rows that these are, and what became of the rows.

    counts   late        rows that are not after the watermark and were not read before
             inserted, updated, unchanged, superseded (by another row of the same key): rows of an upsert
    """

    files: tuple[File, ...]
    good: Table
    bad: Table
    counts: Mapping[str, int] = field(default_factory=dict)


def assemble(
    store: Store, spec: "Dataset", plan: Plan, known: Known, staged: "Sequence[Staged]", keys: Sequence[str]
) -> Assembled:
    """What stays, and what was staged. ContractBroken when parts that stay have other columns than the new ones."""
    versions = (known.version, known.aside) if known.current else (None, None)
    before = [store.manifest(version.commit) if version else None for version in versions]
    assembly = _Assembly(store, spec, plan.files, {} if plan.everything else known.files, keys)
    assembly.previous = known.version.commit if known.version and not plan.everything else ""
    assembly.good = _side("good", before[0], [one.good for one in staged], plan.files)
    assembly.bad = _side("bad", before[1], [one.bad for one in staged], plan.files)
    for one in staged:
        assembly.add(one)
    files = tuple(assembly.files.values())
    good, bad = assembly.good.table("good", files), assembly.bad.table("bad", files)
    return Assembled(files, good, bad, dict(assembly.counts))


@dataclass
class _Side:
    """The columns of the good or of the bad rows, and every part that files may name."""

    schema: tuple[tuple[str, str], ...] = ()
    parts: dict[str, Part] = field(default_factory=dict)

    def know(self, parts: Iterable[Part]) -> list[str]:
        """The digests of parts, which files may name from now on."""
        known = {part.digest: part for part in parts}
        self.parts |= known
        return list(known)

    def table(self, side: str, files: Iterable[File]) -> Table:
        """The rows of files, in their order."""
        return Table(self.schema, tuple(self.parts[digest] for file in files for digest in file[side]))


class _Assembly:
    """A version on its way: its files, and the parts that they name."""

    def __init__(
        self, store: Store, spec: "Dataset", files: Sequence[File], before: Mapping[str, File], keys: Sequence[str]
    ) -> None:
        self.store = store
        self.spec = spec
        self.before = before
        self.keys = keys
        self.files: dict[str, dict[str, Any]] = {file["name"]: {"good": [], "bad": [], **file} for file in files}
        self.good, self.bad = _Side(), _Side()
        self.turn = max((int(file.get("turn", 0)) for file in files), default=0)
        self.previous = ""
        self.counts: Counter[str] = Counter()

    def add(self, one: "Staged") -> None:
        """The rows of one input."""
        file = self.files[one.input.name]
        added = self._in_place(one.good) if self.spec.mode == "upsert" else one.good.parts
        # a file that upserts is read whole again, and with it what was set aside
        stays = [] if self.spec.mode == "upsert" and not one.news else file["bad"]
        file["good"] = [*file["good"], *self.good.know(added)]
        file["bad"] = [*stays, *self.bad.know(one.bad.parts)]
        if self.spec.mode == "upsert":  # which of two rows is newer, where one is set aside: see replacing.py
            self.turn += 1
            file |= {"turn": self.turn, "before": self.previous}
        if self.spec.mode == "append" and self.spec.watermark:
            self.counts["late"] += max(0, one.passed - _seen(one, self.before.get(one.input.name, {})))
            file["rows"] = one.read

    def _in_place(self, new: Table) -> tuple[Part, ...]:
        """Take away the rows that new ones replace; the parts of those that are new or other than before."""
        from penstock.data.ingestion.upsert import upsert

        there = self.good.table("good", self.files.values())
        done = upsert(self.store, there, new, self.keys, self.spec.watermark)
        for file in self.files.values():
            stays = (done.stays.get(digest, (self.good.parts[digest],)) for digest in file["good"])
            file["good"] = [digest for parts in stays for digest in self.good.know(parts)]
        self.counts.update(done.counts)
        return done.added


def _seen(one: "Staged", before: File) -> int:
    """How many rows of an input were read before; none of one that was written anew, as far as can be told."""
    if one.news:
        return one.again
    seen = int(before.get("rows", 0))
    if one.read < seen:
        return 0
    if one.input.path and one.input.text:
        begins_alike = digest_file(one.input.path, first=before.get("size", 0)) == before.get("digest")
        return seen if begins_alike else 0
    return seen


def _side(side: str, old: Manifest | None, fresh: Sequence[Table], files: Iterable[File]) -> _Side:
    schema = fresh[0].schema if fresh else (old.schema if old else ())
    if old and old.schema != schema and any(file.get(side) for file in files):
        raise ContractBroken(
            "the contract gives other columns than rows have that were appended before and whose files are gone",
            table=_changes(old, schema),
            hint="put the files back, or give the dataset another name",
        )
    return _Side(schema, {part.digest: part for part in (old.parts if old else ())})


def _changes(old: Manifest, schema: Sequence[tuple[str, str]]) -> list[dict[str, object]]:
    was, now = dict(old.schema), dict(schema)
    names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    return [{"column": name, "was": was.get(name, ""), "is": now.get(name, "")} for name in names]
