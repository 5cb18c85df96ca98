"""A training on whatever node has room for it, followed from here as if its process ran here.

What the process prints and reports appears in the run's place, what it seals in the store. When the node is lost, the
training begins again on another: the same recipe gives the same model.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.engine import open_pool
from penstock.engine.local import LocalPool
from penstock.engine.pool import Distant, Lost, Pool
from penstock.errors import Killed
from penstock.ids import new_id
from penstock.project import Engine, Resources
from penstock.signing import load_signer
from penstock.train.cluster.node import TOKEN, pieces_of
from penstock.train.launch import Trained, launch
from penstock.train.process import Progress, Watch
from penstock.train.recipe import Recipe

if TYPE_CHECKING:
    from penstock.store import Store

_FUNCTION = "penstock.train.cluster.node:train"


@dataclass(frozen=True)
class Room:
    """Where a training may run, and what it holds there."""

    pool: Pool
    resources: Resources


@contextmanager
def room_for(engine: Engine, wanted: Resources, *, threads: int) -> Iterator[Room]:
    """Room for a training with so many threads. On a node it holds a CPU for each, unless more or fewer are wanted.

    UsageError when no machine of the engine has what the training asks for, and what `open_pool` raises.
    """
    with open_pool(engine) as pool:
        cpus = wanted.cpus or (threads if isinstance(pool, Distant) else None)
        resources = wanted.model_copy(update={"cpus": cpus})
        pool.check(resources)
        with pool.hold(resources) if isinstance(pool, LocalPool) else nullcontext():
            yield Room(pool, resources)


def launch_in(
    room: Room,
    recipe: Recipe,
    *,
    run: str,
    store: "Store",
    signing_key: Path,
    place: Path,
    progress: Progress | None = None,
    watch: Watch | None = None,
    image: str | None = None,
) -> Trained:
    """Train in a fresh process where there is room: of this machine, or of a node. As `launch` does."""
    if isinstance(room.pool, Distant):
        return train_on_node(
            room.pool, recipe, run=run, store=store, signing_key=signing_key, place=place,
            resources=room.resources, progress=progress, watch=watch,
        )  # fmt: skip
    return launch(
        recipe, run=run, store=store, output=store, signing_key=signing_key, place=place, progress=progress,
        watch=watch, image=image,
    )  # fmt: skip


def train_on_node(
    pool: Distant,
    recipe: Recipe,
    *,
    run: str,
    store: "Store",
    signing_key: Path,
    place: Path,
    resources: Resources,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train on a node of `pool` and seal into `store`; everything else is as in `launch`.

    Raises what `launch` does, and Killed when a node was lost more than `pool.retries` times.
    """
    asked = _Asked(pool, recipe, run, store, place.resolve(), resources)
    lost = []
    for attempt in range(1, pool.retries + 2):
        try:
            trained = asked.attempt(attempt, _Printed(place / "log", progress), watch)
        except Lost as error:
            lost.append(f"node {asked.node} was lost ({error}): the training began again\n")
            continue
        with (place / "log").open("a") as log:
            log.writelines(lost)
        return _signed(trained, store, signing_key)
    raise Killed(f"the training lost its node {pool.retries + 1} times", hint="are the nodes of the cluster well?")


class _Asked:
    """One training that is asked of the cluster, until it is done."""

    def __init__(
        self, pool: Distant, recipe: Recipe, run: str, store: "Store", place: Path, resources: Resources
    ) -> None:
        self._pool = pool
        self._store = store
        self._place = place
        self._resources = resources
        self._blobs = [*dict.fromkeys(needed(store, recipe))]
        self._facts = {
            "recipe": recipe.to_json(),
            "run": run,
            "store": str(store.blobs.root.resolve()),
            "place": str(place),
            "blobs": self._blobs,
        }
        self.node = ""

    def attempt(self, attempt: int, printed: "_Printed", watch: Watch | None) -> Trained:
        """Ask until a node has all it needs and the training has ended there. Lost when the node was lost."""
        token = self._cleared()
        while True:
            handles = {digest: self._pool.handles[digest] for digest in self._blobs if digest in self._pool.handles}
            argument = {**self._facts, "token": token, "handles": handles}
            with closing(self._pool.stream(_FUNCTION, argument, resources=self._resources)) as messages:
                for message in messages:
                    trained = self._heed(message, messages, attempt)
                    printed.tell(final=trained is not None)
                    if watch:
                        watch(None)
                    if trained:
                        return trained

    def _cleared(self) -> str:
        """Make the place ready for the process: what another one has left must not be in its way."""
        self._place.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._place / "code", ignore_errors=True)
        for name in ("log", "report.json"):
            (self._place / name).unlink(missing_ok=True)
        token = new_id()
        (self._place / TOKEN).write_text(token)
        return token

    def _heed(self, message: Any, messages: Iterator[Any], attempt: int) -> Trained | None:
        match message:
            case ("lacking", digests):
                for digest in digests:
                    self._pool.handles[digest] = [self._pool.put(piece) for piece in pieces_of(self._store, digest)]
            case ("node", name):
                self.node = name
            case ("piece", file, data):
                with self._place.joinpath(_name(file, attempt)).open("ab") as here:
                    here.write(data)
            case ("blob", digest, count):
                parts = _parts(messages, count)
                self._store.blobs.receive(digest, parts, source=f"sent by node {self.node}", hint="penstock run")
            case ("trained", facts):
                return replace(Trained(**facts), node=self.node)
        return None


def _name(file: str, attempt: int) -> str:
    """A journal of another attempt is another journal: the ledger knows how far each was read."""
    path = Path(file)
    return file if attempt == 1 or path.suffix == "" else f"{path.stem}{attempt}{path.suffix}"


def _parts(messages: Iterator[Any], count: int) -> Iterator[bytes]:
    while count:
        message = next(messages)
        if message is not None:
            count -= 1
            yield message[1]


class _Printed:
    """Tells whoever wants to know each line of the log once."""

    def __init__(self, log: Path, progress: Progress | None) -> None:
        self._log = log
        self._progress = progress
        self._at = 0
        self._rest = b""

    def tell(self, *, final: bool = False) -> None:
        if self._progress is None or not self._log.exists():
            return
        with self._log.open("rb") as file:
            file.seek(self._at)
            new = file.read()
        self._at += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        if final and self._rest:
            lines.append(self._rest)
        for line in lines:
            self._progress(line.decode(errors="replace"))


def needed(store: "Store", recipe: Recipe) -> Iterator[str]:
    """Every blob that a training reads."""
    tables = recipe.tables
    yield from needed_by_fit(store, recipe)
    for commit in (tables.holdout, store.manifest(tables.train).notes["examples"], *tables.views.values()):
        yield from _table(store, commit)


def needed_by_fit(store: "Store", recipe: Recipe) -> Iterator[str]:
    """The blobs of these that fit sees: the sources, and the rows to learn from."""
    yield recipe.code
    yield from store.read_json(recipe.code).values()
    yield from _table(store, recipe.tables.train)


def _table(store: "Store", commit: str) -> Iterator[str]:
    yield commit
    yield from (digest for digest, _ in store.manifest(commit).blobs())


def _signed(trained: Trained, store: "Store", signing_key: Path) -> Trained:
    """Signed with the project's key, which no node has."""
    signer = load_signer(signing_key)
    signature = signer.sign(store.read_bytes(trained.bundle))
    return replace(trained, public_key=signer.public, signature=signature)
