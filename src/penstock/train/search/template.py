"""A process that has imported what the folds need, and becomes the process of one by a fork.

Importing scikit-learn costs more CPU time than many a fit. What was imported is in memory once, and each fold starts
from it within milliseconds. Nothing but imports happens before a fork: no thread pool was used, no number was drawn,
and the user's own modules are not imported, so a fold is what it would be in a Python of its own. Linux only; where
there is no template, each fold starts Python.

A fold is a connection: the job goes in, its exit code comes out. Closing the connection ends the fold.
"""

import ast
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from penstock.train.process import child_variables, die_with

MODULE = "penstock.train.search.template"
ALWAYS = (
    "numpy", "polars", "blake3", "penstock.bundle.sealing", "penstock.data.training_set", "penstock.project",
    "penstock.store.tables", "penstock.train.search.fold",
)  # fmt: skip
_GRACE_SECONDS = 2.0  # for what a fold left behind: trackers of multiprocessing free shared memory
_LONGEST_JOB = 1 << 20


@contextmanager
def template(modules: Iterable[str], *, seed: int, threads: int, deterministic: bool) -> Iterator[Path | None]:
    """The socket of a template that has imported `modules`; None where there can be none."""
    if sys.platform != "linux":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="penstock-") as directory:
        path = Path(directory) / "fork"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(64)
            told = {"seed": seed, "deterministic": deterministic, "modules": [*modules], "parent": os.getpid()}
            command = [
                sys.executable,
                "-P",
                "-X",
                "faulthandler",
                "-m",
                MODULE,
                str(listener.fileno()),
                json.dumps(told),
            ]
            process = subprocess.Popen(
                command,
                env=child_variables(threads),
                stdin=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        try:
            yield path
        finally:
            path.unlink()  # so that whoever waits for a fold knows that none is wanted any more
            process.kill()
            process.wait()


def ask_template(job: Mapping[str, Any], path: Path, *, log: Path) -> int | None:
    """Have a template do a job, its output in `log`; the exit code, negative for a signal.

    None when the template has died. CancelledError when it was ended.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps({**job, "log": str(log)}).encode() + b"\n")
            answer = connection.makefile("rb").readline()
        except OSError:
            answer = b""
    if not answer and not path.exists():
        raise CancelledError
    return int(answer) if answer else None


def needed_modules(sources: Iterable[Path]) -> tuple[str, ...]:
    """What the user's files import at their top, apart from the user's own modules."""
    files = [*sources]
    own = {file.stem for file in files} | {file.parent.name for file in files}
    named = (name for file in files for name in _imports(file))
    return tuple(dict.fromkeys(name for name in named if name.partition(".")[0] not in own))


def _imports(file: Path) -> Iterator[str]:
    try:
        body = ast.parse(file.read_bytes()).body
    except (SyntaxError, ValueError):
        return  # the fold will say so
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


# --- in the process ------------------------------------------------------------------------------


@dataclass
class _Folds:
    """The folds that run: process id -> connection; and the groups of processes that ended ones left behind."""

    listener: socket.socket
    selector: selectors.BaseSelector
    running: dict[int, socket.socket] = field(default_factory=dict)
    left: dict[int, float] = field(default_factory=dict)

    def serve(self) -> None:
        """Fork at every word, for ever: the template dies with its parent."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select(_GRACE_SECONDS if self.left else None):
                if key.fileobj is self.listener:
                    self._begin(self.listener.accept()[0])
                elif key.fileobj == woken:
                    os.read(woken, 4096)
                else:
                    self._heard(key.fileobj)  # type: ignore[arg-type]
            self._end()

    def _begin(self, connection: socket.socket) -> None:
        text = b""
        while not text.endswith(b"\n"):
            part = connection.recv(65536)
            text += part
            if not part or len(text) > _LONGEST_JOB:
                connection.close()
                return
        process = os.fork()
        if process == 0:
            self._become(json.loads(text))
        self.running[process] = connection
        self.selector.register(connection, selectors.EVENT_READ)

    def _become(self, job: dict[str, Any]) -> None:
        """Be the process of a fold; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.selector.close()
            for each in (self.listener, *self.running.values()):
                each.close()
            os.setsid()
            _write_to(Path(job.pop("log")))
            die_with(os.getppid())
            _perform(job)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _heard(self, connection: socket.socket) -> None:
        """Whoever asked has gone: the fold is not wanted any more."""
        for process, asking in self.running.items():
            if asking is connection:
                _signal(process, signal.SIGKILL)
        self.selector.unregister(connection)

    def _end(self) -> None:
        """Answer for the folds that have ended, and kill what was left behind and had its time."""
        while self.running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                break
            connection = self.running.pop(process)
            with suppress(KeyError, ValueError):
                self.selector.unregister(connection)
            with suppress(OSError):
                connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            connection.close()
            if _signal(process, signal.SIGTERM):
                self.left[process] = time.monotonic() + _GRACE_SECONDS
        for group, until in [*self.left.items()]:
            if time.monotonic() > until:
                _signal(group, signal.SIGKILL)
                del self.left[group]


def _signal(group: int, number: int) -> bool:
    """Whether there is anybody in the group."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _write_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _perform(job: Mapping[str, Any]) -> None:
    from penstock.train.search.fold import FoldJob, perform

    told = FoldJob.from_json(job)
    os.chdir(told.code)
    perform(told)


def main(arguments: list[str]) -> None:
    """Import, then fork until the parent ends."""
    from penstock.bundle import provide
    from penstock.train.determinism import set_up_libraries

    told = json.loads(arguments[1])
    die_with(told["parent"])
    listener = socket.socket(fileno=int(arguments[0]))
    provide()
    set_up_libraries(told["seed"], deterministic=told["deterministic"])
    for name in (*ALWAYS, *told["modules"]):
        with suppress(Exception):  # the fold that needs it will say so
            import_module(name)
    gc.freeze()  # so that no collection touches, and copies, what is shared
    _Folds(listener, selectors.DefaultSelector()).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
