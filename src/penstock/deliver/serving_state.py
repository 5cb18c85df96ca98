"""The serve directory: all that a server needs, and how delivery tells it what to answer with.

    serve/
    ├── state.json                       what each endpoint must answer with   (delivery writes, server reads)
    ├── applied.json                     what the server answers with          (server writes, delivery reads)
    ├── bundles/<digest>/                sealed bundles
    ├── views/<view>-<digest>.parquet    rows of stored feature views
    ├── log/                             predictions and feedback
    └── server.lock, state.lock          held by the running server, by whoever moves the state

Delivery puts bundles and views in place, then moves `state.json` by rename; the server loads what is new,
swaps it in between two requests and answers through `applied.json`. Nothing here knows the ledger or the store.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from penstock.digest import digest_file
from penstock.durable import sync
from penstock.errors import Conflict, Damaged

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

NEW_SECONDS = 3600.0  # a file that no state names is deleted when it is older


@dataclass(frozen=True)
class ServedModel:
    """A model version that an endpoint can answer with, and the view rows that it joins."""

    model: str  # flight-delay
    number: int  # 3
    bundle: str  # digest: bundles/<digest>/
    views: Mapping[str, str] = field(default_factory=dict)  # view -> digest: views/<view>-<digest>.parquet
    data: Mapping[str, str] = field(default_factory=dict)  # dataset -> commit: what the view rows were made from

    @property
    def name(self) -> str:
        """`flight-delay@3`"""
        return f"{self.model}@{self.number}"


@dataclass(frozen=True)
class EndpointState:
    """What one endpoint must answer with. Every change, a rollback too, raises `generation` by one."""

    generation: int
    current: ServedModel
    previous: tuple[ServedModel, ...] = ()  # newest first; the server keeps the first one loaded


@dataclass(frozen=True)
class ServingState:
    """state.json"""

    endpoints: Mapping[str, EndpointState] = field(default_factory=dict)
    trusted: tuple[str, ...] = ()  # public keys whose bundles may be opened


@dataclass(frozen=True)
class AppliedEndpoint:
    """How far the server is with one endpoint. `generation` 0: nothing to answer with yet."""

    generation: int
    model: str | None
    wanted: int  # newest generation that was asked for
    error: str | None = None  # why `wanted` is not in force


@dataclass(frozen=True)
class Applied:
    """applied.json"""

    pid: int
    host: str
    port: int
    started_at: str
    endpoints: Mapping[str, AppliedEndpoint] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:8080`"""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True)
class Waited:
    """What became of a generation.

    applied     the server answers with it (or with a later one)
    refused     the server could not open it and keeps the one before; `detail` says why
    no_server   nobody serves this directory: it will be in force when a server starts
    timed_out   a server runs but has not answered in time
    """

    outcome: Literal["applied", "refused", "no_server", "timed_out"]
    detail: str = ""


@dataclass(frozen=True)
class ServeDirectory:
    """Where things lie in a serve directory."""

    root: Path

    @property
    def state(self) -> Path:
        """state.json"""
        return self.root / "state.json"

    @property
    def applied(self) -> Path:
        """applied.json"""
        return self.root / "applied.json"

    @property
    def log(self) -> Path:
        """The folder of the prediction and feedback log."""
        return self.root / "log"

    def bundle(self, digest: str) -> Path:
        """The folder of a sealed bundle."""
        return self.root / "bundles" / digest

    def view(self, view: str, digest: str) -> Path:
        """The Parquet file of a view's rows."""
        return self.root / "views" / f"{view}-{digest}.parquet"


# --- what must be served -------------------------------------------------------------------------


def read_state(root: Path) -> ServingState:
    """What must be served; empty when nothing was ever deployed. Damaged if the file is not ours."""
    return _read(ServeDirectory(root).state, ServingState) or ServingState()


def deployed(root: Path, endpoint: str) -> EndpointState | None:
    """What an endpoint must answer with; None when nothing was deployed, or the file that says so is damaged."""
    return _readable_state(root).endpoints.get(endpoint)


def write_state(root: Path, state: ServingState) -> None:
    """Move the whole state; atomic and durable."""
    _write(ServeDirectory(root).state, state)


def deploy(
    root: Path, endpoint: str, target: EndpointState, *, trusted: Sequence[str] = (), again: bool = False
) -> bool:
    """Tell `endpoint` to answer with `target`; the other endpoints stay.

    False, and nothing changes, when this or a later generation is already there: of two deliveries that race,
    the one that the ledger numbered last wins, whoever comes here first. `trusted` keys are added. `again`
    writes this generation once more: a server that refused it tries again. A damaged file is replaced.
    """
    with _locked(root / "state.lock", shared=False, seconds=30):
        state = _readable_state(root)
        present = state.endpoints.get(endpoint)
        replaced = target.generation if again else target.generation - 1  # the newest that may be there
        if present and present.generation > replaced:
            return False
        keys = tuple(dict.fromkeys((*state.trusted, *trusted)))
        wanted = replace(state, endpoints={**state.endpoints, endpoint: target}, trusted=keys)
        write_state(root, wanted)
        _clear(ServeDirectory(root), state, wanted)
        return True


def _clear(directory: ServeDirectory, *states: ServingState) -> None:
    """Delete bundles and view rows that no state names, the one before included: a server may still be switching.

    What is new stays too: another delivery may have put it there and be about to name it.
    """
    models = [model for state in states for one in state.endpoints.values() for model in (one.current, *one.previous)]
    named = {directory.bundle(model.bundle) for model in models}
    named |= {directory.view(view, digest) for model in models for view, digest in model.views.items()}
    for path in [*(directory.root / "bundles").glob("*"), *(directory.root / "views").glob("*")]:
        with suppress(FileNotFoundError):  # the draft of another delivery, which has its name now
            if path not in named and path.stat().st_mtime < time.time() - NEW_SECONDS:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def write_view(root: Path, view: str, rows: "pl.DataFrame") -> str:
    """Put a view's rows where the server finds them; the digest of the file, for `ServedModel.views`."""
    folder = root / "views"
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{view}.{os.getpid()}.{time.monotonic_ns()}"
    try:
        rows.write_parquet(draft)
        sync(draft)
        digest = digest_file(draft)
        draft.replace(ServeDirectory(root).view(view, digest))
        sync(folder)
    finally:
        draft.unlink(missing_ok=True)
    return digest


def complete(root: Path, model: ServedModel) -> bool:
    """Whether the files of a model are there. What is in them the server checks."""
    directory = ServeDirectory(root)
    views = (directory.view(view, digest) for view, digest in model.views.items())
    return directory.bundle(model.bundle).is_dir() and all(path.exists() for path in views)


def _readable_state(root: Path) -> ServingState:
    """What must be served; of a damaged file nothing, for whoever can say it again."""
    try:
        return read_state(root)
    except Damaged:
        return ServingState()


# --- what is served ------------------------------------------------------------------------------


def read_applied(root: Path) -> Applied | None:
    """What the server said last; None when none ever did. It may be dead: ask `server_running`."""
    return _read(ServeDirectory(root).applied, Applied)


def write_applied(root: Path, applied: Applied) -> None:
    """The server's answer."""
    _write(ServeDirectory(root).applied, applied)


def server_running(root: Path) -> bool:
    """Whether a live server holds the directory.

    A lock, unlike a process id, is given back by the system however the server ends and never names a stranger.
    """
    if not (root / "server.lock").exists():
        return False
    try:
        with _locked(root / "server.lock", shared=True, seconds=0):
            return False
    except Conflict:
        return True


@contextmanager
def hold_server(root: Path) -> Iterator[None]:
    """Be the one server of a directory. Conflict when another one is."""
    with ExitStack() as stack:
        try:
            # `server_running` holds the lock for an instant: wait that out.
            stack.enter_context(_locked(root / "server.lock", shared=False, seconds=2))
        except Conflict:
            other = read_applied(root)
            named = f"process {other.pid} at {other.url}" if other else "another process"
            what = f"{named} already serves this directory"
            raise Conflict(what, where=str(root), hint="stop it first, or use the one that runs") from None
        yield


def wait_applied(root: Path, endpoint: str, generation: int, timeout: float = 10.0) -> Waited:
    """Wait until the server answers with `generation` of `endpoint`, or cannot, or none runs."""
    deadline = time.monotonic() + timeout
    while True:
        outcome = _judge(_answer(root, endpoint), generation)
        if outcome is None and not server_running(root):
            return Waited("no_server", "no server runs: the change is in force when one starts")
        if outcome:
            return outcome if server_running(root) else Waited("no_server", "the server has stopped")
        if time.monotonic() >= deadline:
            return Waited("timed_out", f"the server has not answered within {timeout:g} s")
        time.sleep(0.01)


def refused(root: Path, endpoint: str, generation: int) -> bool:
    """Whether a server runs that could not open `generation` of `endpoint`."""
    outcome = _judge(_answer(root, endpoint), generation)
    return outcome is not None and outcome.outcome == "refused" and server_running(root)


def _answer(root: Path, endpoint: str) -> AppliedEndpoint | None:
    """What the server says about an endpoint; None while it has not looked at `state.json` as it stands."""
    directory = ServeDirectory(root)
    asked_at, answered_at = _written_at(directory.state), _written_at(directory.applied)
    applied = read_applied(root)
    return applied.endpoints.get(endpoint) if applied and answered_at >= asked_at else None


def _judge(endpoint: AppliedEndpoint | None, generation: int) -> Waited | None:
    if endpoint is None:
        return None
    if endpoint.generation >= generation:
        return Waited("applied", f"{endpoint.model} answers")
    if endpoint.wanted >= generation and endpoint.error:
        return Waited("refused", endpoint.error)
    return None


# --- files ---------------------------------------------------------------------------------------


def _read(path: Path, kind: type[T]) -> T | None:
    import msgspec

    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise Damaged(str(error), where=str(path), hint="deploy again: penstock promote") from error


def _write(path: Path, value: object) -> None:
    import msgspec

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(value)) + b"\n")
        sync(draft)
        draft.replace(path)
        sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _written_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@contextmanager
def _locked(path: Path, *, shared: bool, seconds: float) -> Iterator[None]:
    """Hold a lock file; Conflict when it is not free within `seconds`."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Conflict("locked by another process", where=str(path)) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)
