"""The tracked runs of one process: started, delivered while they go on, ended at the latest with the program."""

import atexit
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import PenstockError
from penstock.ids import new_id
from penstock.ledger import Ledger, utc_now
from penstock.train.environment.capture import host
from penstock.train.tracking.delivery import deliver, deliver_pending, settle, written
from penstock.train.tracking.journal import SUFFIX, Attached, Context, Ended, Journal, Started, Tags, Values
from penstock.train.tracking.output import Output
from penstock.train.tracking.plain import named, plain, text
from penstock.train.tracking.surroundings import Surroundings, what_runs
from penstock.train.tracking.system import Usage
from penstock.train.tracking.tracked import TrackedRun, status_of

if TYPE_CHECKING:
    from penstock.ledger import Version
    from penstock.store import Store

LOST = "lost_entries"  # the tag of a run of which not everything could be kept
_LOOK_SECONDS = 0.5


@dataclass(eq=False)
class _Active:
    """A run that this process writes."""

    run: TrackedRun
    journal: Journal
    owner: bool
    output: Output | None = None
    usage: Usage | None = None
    told: dict[str, str] = field(default_factory=dict)  # fields of its record that are in the journal
    size: int = 0  # of the journals when they were delivered
    over: bool = False
    ending: threading.Lock = field(default_factory=threading.Lock)


class Tracker:
    """Starts runs in one project. `ledger` and `store` open it when they are first needed.

    A thread delivers what was logged twice in a second: a call that logs must not wait for a database.
    """

    def __init__(
        self,
        root: Path,
        home: Path,
        ledger: Callable[[], Ledger],
        store: "Callable[[], Store]",
        find_data: "Callable[[str], Version]",
    ) -> None:
        self._root = root.resolve()
        self._home = home
        self._ledger = ledger
        self._store = store
        self._find_data = find_data
        self._begin()
        atexit.register(self.close)

    def start(
        self,
        name: str,
        *,
        params: Mapping[str, Any],
        tags: Mapping[str, Any],
        experiment: str,
        system: bool,
        log: bool,
    ) -> TrackedRun:
        """Start a run. UsageError for names that are none; PenstockError when nothing can be written here."""
        given = {key: plain(value) for key, value in named("parameter", params).items()}
        said = {key: text(str(value)) for key, value in named("tag", tags).items()}
        active = self._open(new_id(), owner=True, params=given, log=log)
        known = self._surroundings.known()
        fields = self._fields(active.run.id, text(name), text(experiment), given, known)
        active.told = dict(known)
        active.journal.append(Started(fields))
        if said:
            active.journal.append(Tags(said))
        active.usage = Usage(os.getpid()) if system else None
        self._add(active)
        self._surroundings.begin()
        return active.run

    def attach(self, identifier: str) -> TrackedRun:
        """Log to a run that another process has started."""
        active = self._open(identifier, owner=False, params={}, log=False)
        active.journal.append(self._introduction())
        self._add(active)
        return active.run

    def close(self) -> None:
        """End what is still going on, as the program ends."""
        if self._process != os.getpid():
            return  # they are the parent's
        self._stop.set()
        unhandled = getattr(sys, "last_value", None)
        error = unhandled if unhandled is not self._unhandled else None
        for active in list(self._active):
            active.run.end(status_of(error), error=error)
        for active in list(self._active):
            self._settle(active)

    # --- the thread ---

    def _work(self) -> None:
        stop = self._stop
        while not stop.wait(_LOOK_SECONDS):
            for active in list(self._active):
                with suppress(PenstockError):  # the ledger is away: everything waits in the journals
                    self._look(active)

    def _look(self, active: _Active) -> None:
        if active.over:
            self._settle(active, warn=False)
            return
        if active.usage and (sampled := active.usage.sample()):
            active.journal.append(Values(sampled))
        active.journal.flush()
        size = written(active.journal.path.parent)
        if size != active.size:
            deliver(self._ledger(), active.journal.path.parent)
            active.size = size

    # --- beginning and end of a run ---

    def _open(self, identifier: str, *, owner: bool, params: Mapping[str, Any], log: bool) -> _Active:
        if self._process != os.getpid():
            self._begin()  # a fork inherits what is not its own
        place = self._home / "runs" / identifier
        with _explained(place):
            place.mkdir(parents=True, exist_ok=True)
            journal = Journal(place / f"{new_id()}{SUFFIX}", self._introduction)
            output = Output(place / "log") if log else None
        run = TrackedRun(
            identifier,
            journal,
            store=self._store,
            find_data=self._find_data,
            flush=self._flush,
            end=self._end,
            params=params,
        )
        return _Active(run, journal, owner, output)

    def _fields(
        self, identifier: str, name: str, experiment: str, params: Mapping[str, Any], known: Mapping[str, str]
    ) -> dict[str, Any]:
        return {
            "id": identifier, "number": 0, "status": "running", "key": "", "function": what_runs(self._root),
            "params": params, "seed": 0, "data": {}, "features": {}, "code": "", "git_commit": None, "patch": None,
            "environment": "", "host": {**_host(os.getpid()), "directory": str(self._home / "runs" / identifier)},
            "pid": os.getpid(), "started_at": utc_now(), "kind": "tracked", "name": name,
            "experiment": experiment, **known,
        }  # fmt: skip

    def _introduction(self) -> Attached:
        return Attached(os.getpid(), _host(os.getpid()))

    def _add(self, active: _Active) -> None:
        with self._lock:
            self._active.append(active)
            if self._thread.ident is None:
                self._thread.start()

    def _flush(self, run: TrackedRun) -> None:
        active = next(each for each in self._active if each.run is run)
        active.journal.flush()
        deliver(self._ledger(), active.journal.path.parent)

    def _end(self, run: TrackedRun, status: str, error: BaseException | str | None) -> None:
        active = next(each for each in self._active if each.run is run)
        if active.owner:
            log = self._stop_output(active, error)
            with suppress(OSError, PenstockError):  # without room for them the run ends all the same
                fields = self._surroundings.fields()
                if new := {name: value for name, value in fields.items() if active.told.get(name) != value}:
                    active.journal.append(Context(new))
            active.journal.append(Ended(status, utc_now(), _told(error), log))
        active.over = True
        self._settle(active)

    def _stop_output(self, active: _Active, error: BaseException | str | None) -> str | None:
        """The blob of what was printed, with the traceback of what ended the run."""
        if active.output is None:
            return None
        if isinstance(error, BaseException):
            active.output.keep("".join(traceback.format_exception(error)))
        active.output.stop()
        log = active.journal.path.with_name("log")
        with suppress(OSError, PenstockError):
            return self._store().put_file(log) if log.exists() else None
        return None

    def _settle(self, active: _Active, *, warn: bool = True) -> None:
        """Deliver the last of a run, once; what cannot be delivered is tried again."""
        with active.ending:
            if active in self._active:
                self._deliver_last(active, warn)

    def _deliver_last(self, active: _Active, warn: bool) -> None:
        journal = active.journal
        journal.flush()
        try:
            ledger = self._ledger()
            settle(ledger, journal.path.parent, None if journal.waiting else journal.path)
            if journal.waiting or journal.lost:
                missing = [Tags({LOST: str(journal.lost)})] if journal.lost else []
                deliver_pending(ledger, active.run.id, [*journal.pending(), *missing])
                settle(ledger, journal.path.parent, journal.path)
        except PenstockError as error:
            if warn:
                told = f"run {active.run.id} waits in {journal.path.parent} for the ledger: {error.what}"
                warnings.warn(f"{told}\n  next: penstock train runs", RuntimeWarning, stacklevel=6)
            return
        with self._lock:
            self._active.remove(active)
        journal.close()

    def _begin(self) -> None:
        """The state of a process in which nothing has started."""
        self._process = os.getpid()
        self._surroundings = Surroundings(self._root, self._store)
        self._active: list[_Active] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="penstock-tracking", daemon=True)
        self._unhandled = getattr(sys, "last_value", None)


def _told(error: BaseException | str | None) -> str | None:
    if isinstance(error, BaseException):
        return "".join(traceback.format_exception_only(error)).strip()
    return error


@cache
def _host(pid: int) -> dict[str, Any]:
    """Where process `pid`, this one, runs."""
    return host()


@contextmanager
def _explained(place: Path) -> Iterator[None]:
    """What the system refuses, with what to do about it."""
    try:
        yield
    except OSError as error:
        there = next(parent for parent in place.parents if parent.exists())
        raise PenstockError(
            f"no run can be started here: {error.strerror}", where=str(place), hint=f"df -h {there}"
        ) from error
