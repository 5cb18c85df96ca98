"""Which model answers: an immutable table that a watcher replaces whole.

A request takes the table once, so its answer is of one generation. The watcher polls `state.json`, opens, warms and
proves what is new in its own thread, swaps the table by one assignment and only then says so. What cannot be opened
leaves the route that works in place.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import polars as pl

from penstock.bundle import Bundle, ViewRows, open_bundle
from penstock.deliver.serving_state import (
    AppliedEndpoint,
    EndpointState,
    ServeDirectory,
    ServedModel,
    ServingState,
    read_state,
)
from penstock.digest import digest_file
from penstock.errors import Damaged, PenstockError, Untrusted

POLL_SECONDS = 0.02
RETRY_SECONDS = 0.5  # after a failure; after each one more of a refused generation twice as long, up to the most
MOST_SECONDS = 60.0
INLINE_ROWS = 64
INLINE_SECONDS = 0.02
_log = logging.getLogger("penstock.serve")


@dataclass(frozen=True)
class Opened:
    """A bundle in memory, proven on its probe."""

    bundle: Bundle
    inline_rows: int  # up to so many rows are answered on the event loop
    lock: threading.Lock = field(default_factory=threading.Lock)  # neither models nor user code promise thread safety


@dataclass(frozen=True)
class Route:
    """What one endpoint answers with."""

    endpoint: str
    generation: int
    model: ServedModel
    opened: Opened
    views: Mapping[str, ViewRows]
    role: str = "champion"


@dataclass(frozen=True)
class Table:
    """Every route, and how far each endpoint is. Replaced, never changed."""

    routes: Mapping[str, Route] = field(default_factory=dict)
    endpoints: Mapping[str, AppliedEndpoint] = field(default_factory=dict)
    problem: str | None = None  # why state.json could not be read

    @property
    def ready(self) -> bool:
        """Whether every endpoint that is deployed answers."""
        return bool(self.endpoints) and all(name in self.routes for name in self.endpoints)


class Router:
    """Keeps `table` in step with a serve directory."""

    def __init__(self, root: Path, on_change: Callable[[Table], None]) -> None:
        self.table = Table()
        self._directory = ServeDirectory(root)
        self._on_change = on_change
        self._loader = Loader(self._directory)
        self._state = ServingState()
        self._again = Backoff()
        self._stop = threading.Event()
        # Loading a model takes longer than a request may wait.
        self._thread = threading.Thread(target=self._watch, name="watch-state", daemon=True)

    def start(self) -> None:
        """Watch, from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the table stays."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        seen: object = None
        while not self._stop.is_set():
            stamp = _stamp(self._directory.state)
            if stamp != seen:
                seen = stamp if self._followed(self._follow) else None
                self._again = Backoff()
            elif self._again.due() and self._refused():
                seen = stamp if self._followed(self._retry) else None
                self._again = self._again.after()
            self._stop.wait(POLL_SECONDS)

    def _followed(self, follow: Callable[[], None]) -> bool:
        try:
            follow()
        # A watcher that dies (applied.json on a full disk) would freeze the endpoints without a word.
        except Exception:
            _log.exception("state.json is not followed; trying again")
            self._stop.wait(RETRY_SECONDS)
            return False
        return True

    def _follow(self) -> None:
        try:
            state = read_state(self._directory.root)
        except (PenstockError, OSError) as error:
            self._swap(Table(self.table.routes, self.table.endpoints, str(error)))
            return
        self._state = state
        self._swap(expect(self.table, state))
        for name, target in state.endpoints.items():
            self._swap(self._advance(name, target, state))
        self._loader.keep(state)

    def _refused(self) -> list[str]:
        return [name for name, endpoint in self.table.endpoints.items() if endpoint.error]

    def _retry(self) -> None:
        """What was refused for a missing or a changed file answers once the file is back."""
        for name in self._refused():
            self._swap(self._advance(name, self._state.endpoints[name], self._state))

    def _advance(self, name: str, target: EndpointState, state: ServingState) -> Table:
        present = self.table.routes.get(name)
        if present and present.generation == target.generation:
            return self.table
        try:
            return put(self.table, self._loader.route(name, target, state.trusted))
        # The user's code runs while a bundle is opened and can raise anything; the old route must survive that.
        except Exception as error:
            table = refuse(self.table, name, target.generation, error)
            if table is not self.table:
                _log.exception("generation %d of %s is refused", target.generation, name)
            return table

    def _swap(self, table: Table) -> None:
        if table is not self.table:
            self.table = table
            self._on_change(table)


@dataclass(frozen=True)
class Backoff:
    """When to try again what failed: later each time."""

    seconds: float = RETRY_SECONDS
    since: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self.since + self.seconds

    def after(self) -> "Backoff":
        """The time to wait after one more failure."""
        return Backoff(min(2 * self.seconds, MOST_SECONDS))


class Loader:
    """Opens bundles and views, and keeps in memory what may be wanted again."""

    def __init__(self, directory: ServeDirectory) -> None:
        self._directory = directory
        self._bundles: dict[tuple[str, tuple[str, ...]], Opened] = {}
        self._views: dict[tuple[str, str, str], ViewRows] = {}

    def route(self, endpoint: str, target: EndpointState, trusted: tuple[str, ...]) -> Route:
        """The route to `target`. Whatever is already in memory is not loaded again."""
        model = target.current
        opened = self._open(model.bundle, trusted)
        views = {view: self._view(opened.bundle, view, digest) for view, digest in model.views.items()}
        return Route(endpoint, target.generation, model, opened, MappingProxyType(views))

    def keep(self, state: ServingState) -> None:
        """Have the version before the current one ready, so that a rollback loads nothing; forget the others."""
        wanted = {(model.bundle, state.trusted) for target in state.endpoints.values() for model in _resident(target)}
        for digest, trusted in wanted:
            try:
                self._open(digest, trusted)
            except Exception:
                _log.exception("bundle %s cannot be opened ahead of a rollback", digest)
        self._bundles = {key: opened for key, opened in self._bundles.items() if key in wanted}
        digests = {
            (model.bundle, *item)
            for target in state.endpoints.values()
            for model in _resident(target)
            for item in model.views.items()
        }
        self._views = {key: rows for key, rows in self._views.items() if key in digests}

    def _open(self, digest: str, trusted: tuple[str, ...]) -> Opened:
        key = (digest, trusted)
        if key not in self._bundles:
            self._bundles[key] = open_proven(self._directory.bundle(digest), digest, trusted)
        return self._bundles[key]

    def _view(self, bundle: Bundle, view: str, digest: str) -> ViewRows:
        key = (bundle.id, view, digest)
        if key not in self._views:
            path = self._directory.view(view, digest)
            if not path.exists() or digest_file(path) != digest:
                raise Damaged(
                    f"rows of feature view {view!r} are missing or changed", where=str(path), hint="penstock promote"
                )
            self._views[key] = bundle.features.prepare(view, pl.read_parquet(path))
        return self._views[key]


def open_proven(directory: Path, digest: str, trusted: tuple[str, ...]) -> Opened:
    """Open a bundle, and make it answer its probe as it did when it was sealed."""
    bundle = open_bundle(directory, trusted=trusted)
    if bundle.id != digest:
        raise Untrusted(f"the bundle here is {bundle.id}", where=str(directory), expected=digest)
    if not bundle.check_probe():
        raise Damaged("the model does not answer its probe as it did when it was sealed", where=str(directory))
    return Opened(bundle, INLINE_ROWS if _seconds(bundle) < INLINE_SECONDS else 0)


def _seconds(bundle: Bundle) -> float:
    """How long the probe's first rows take, now that everything is warm."""
    requests, views = bundle.probe()
    rows = bundle.prepare(views)
    started = time.perf_counter()
    bundle.predict(requests.head(INLINE_ROWS), rows)
    return time.perf_counter() - started


# --- tables, pure --------------------------------------------------------------------------------


def expect(table: Table, state: ServingState) -> Table:
    """The table with just the endpoints of `state`, each wanting its generation."""
    endpoints = {}
    for name, target in state.endpoints.items():
        route = table.routes.get(name)
        generation, model = (route.generation, route.model.name) if route else (0, None)
        endpoints[name] = AppliedEndpoint(generation, model, target.generation)
    routes = {name: route for name, route in table.routes.items() if name in endpoints}
    return Table(routes, endpoints)


def put(table: Table, route: Route) -> Table:
    """The table with `route` in force."""
    applied = AppliedEndpoint(route.generation, route.model.name, route.generation)
    return Table({**table.routes, route.endpoint: route}, {**table.endpoints, route.endpoint: applied}, table.problem)


def refuse(table: Table, endpoint: str, generation: int, error: Exception) -> Table:
    """The table with its routes as they are, and why `generation` is not among them; itself when it says so."""
    route = table.routes.get(endpoint)
    why = str(error) or type(error).__name__
    applied = AppliedEndpoint(route.generation if route else 0, route.model.name if route else None, generation, why)
    if table.endpoints.get(endpoint) == applied:
        return table
    return Table(table.routes, {**table.endpoints, endpoint: applied}, table.problem)


def _resident(target: EndpointState) -> tuple[ServedModel, ...]:
    return (target.current, *target.previous[:1])


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except FileNotFoundError:
        return "absent"
    return status.st_mtime_ns, status.st_ino, status.st_size
