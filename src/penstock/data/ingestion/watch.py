"""Watching sources: what arrived is ingested once nobody writes it any more.

    look ─ which inputs are there, of which size and time ─ as the last look saw them? ─ nothing new ─> wait
                                                                 └ a file grew: left out  └ ingest

What breaks its contract is told once, and tried again when an input or the contract has changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.data.ingestion.ingest import ingest
from penstock.data.ingestion.publishing import Ingested
from penstock.data.sources.inputs import is_asked, is_directory
from penstock.data.sources.listing import listed
from penstock.errors import ContractBroken, PenstockError
from penstock.ledger import Ledger
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.project import Dataset, ProjectFile

# by name of an input: whether somebody may still be writing it, and what tells two states of it apart
Seen = Mapping[str, tuple[object, ...]]


@dataclass(frozen=True)
class Arrival:
    """What became of a dataset of which something had arrived: a version, an error that was not told before, or a
    version in which something was found that is one.
    """

    dataset: str
    done: Ingested | None = None
    error: PenstockError | None = None


@dataclass
class _Memory:
    """What the last look saw of a dataset, what was ingested or refused, and the error that was told."""

    seen: Seen = field(default_factory=dict)
    settled: tuple[Seen, object] | None = None
    told: str = ""


class Watch:
    """Looks at the sources of datasets, time after time."""

    def __init__(self, project: "ProjectFile", ledger: Ledger, store: Store, datasets: Sequence[str]) -> None:
        self._project = project
        self._ledger = ledger
        self._store = store
        self._memories = {name: _Memory() for name in datasets}

    def look(self) -> Iterator[Arrival]:
        """Ingest what arrived since the look before and is still. The first look only takes note of files."""
        for name, memory in self._memories.items():
            if (arrival := self._look(name, memory)) is not None:
                yield arrival

    def _look(self, name: str, memory: _Memory) -> Arrival | None:
        try:
            done = self._ingest(name, memory)
        except (PenstockError, OSError) as error:
            # a full disk, a file that nobody may read: the other sources are watched on
            said = error if isinstance(error, PenstockError) else PenstockError(str(error))
            told, memory.told = memory.told, str(said)
            return Arrival(name, error=said) if memory.told != told else None
        memory.told = "" if done else memory.told
        return Arrival(name, done) if done and not done.skipped else None

    def _ingest(self, name: str, memory: _Memory) -> Ingested | None:
        spec, root = self._project.config.data.datasets[name], self._project.root
        seen = _seen(root, spec)
        moving = {one for one, (grows, *_) in seen.items() if grows and memory.seen.get(one) != seen[one]}
        memory.seen = seen
        state = ({one: seen[one] for one in seen if one not in moving}, _written(root, spec))
        asks = spec.mode != "snapshot" and is_asked(spec.source)
        if not state[0] or (is_directory(spec.source) and moving) or (state == memory.settled and not asks):
            return None
        memory.settled = None  # what fails in another way may go well the next time
        try:
            done = ingest(self._project, self._ledger, self._store, name, leave=moving)
        except ContractBroken:
            memory.settled = state
            raise
        memory.settled = state
        return done


def _seen(root: Path, spec: "Dataset") -> Seen:
    if is_directory(spec.source):
        from penstock.data.sources.directory import files_below

        return {path: (True, *state) for path, *state in files_below(root, spec.source).iter_rows()}
    inputs = listed(root, spec.source, may_be_none=True)
    return {one.name: (one.path is not None, one.size, one.mtime_ns, one.digest) for one in inputs}


def _written(root: Path, spec: "Dataset") -> object:
    """When the contract was written: what broke the one before may keep the next."""
    path = root / spec.contract if spec.contract else None
    return path.stat().st_mtime_ns if path and path.exists() else None
