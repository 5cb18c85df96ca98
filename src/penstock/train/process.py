"""One training, one process: started clean, watched, and never left behind.

The child dies with its parent, and a parent that died is told apart from one that still works by
its process id, its start time and its machine.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from penstock.engine import current
from penstock.train.containers.container import Container
from penstock.train.determinism import VARIABLES
from penstock.train.environment.capture import THREAD_VARIABLES, host

Progress = Callable[[str], None]
Watch = Callable[[int | None], object]  # told the id of the process if it runs here; what it raises ends the process

OUTSIDE = 0  # the parent of a process in a container, as it sees it

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 2.0
_CLOCK_SLACK_SECONDS = 2.0
_NOBODY_LEFT = (ProcessLookupError, PermissionError)  # the second on macOS, of those not yet waited for


def child_variables(
    threads: int, base: Mapping[str, str] = os.environ, *, python_path: str | None = None
) -> dict[str, str]:
    """The environment variables of a training: those of this process, with all that moves a result fixed."""
    path = _python_path(base) if python_path is None else python_path
    return {**base, **fixed_variables(threads), "PYTHONPATH": path}


def fixed_variables(threads: int) -> dict[str, str]:
    """Those that move a result, fixed."""
    counts = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {**VARIABLES, **counts, "PYTHONUNBUFFERED": "1"}


def _python_path(base: Mapping[str, str]) -> str:
    """Absolute, since the child works in another directory, and with Penstock in it when it runs from sources."""
    package = Path(__file__).resolve().parents[2]
    own = [] if package.name in {"site-packages", "dist-packages"} else [str(package)]
    given = [os.path.abspath(entry) for entry in base.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return os.pathsep.join(dict.fromkeys([*own, *given]))


def run_child(
    module: str,
    job: Path,
    *,
    directory: Path,
    log: Path,
    threads: int,
    progress: Progress | None = None,
    watch: Watch | None = None,
    python: Path | None = None,
    container: Container | None = None,
) -> int:
    """Run `python -m module job` in `directory` to its end; its output goes to `log`.

    `python` is that of another environment, which is used as it is; without it, this one's with its PYTHONPATH.
    In a `container` it is the Python there.
    Returns the exit code, negative for a signal. Calls `progress` with each line as it is printed, and `watch` a few
    times in a second and once when the child has ended.
    What the child started ends with it, and both are killed when this process is interrupted.
    """
    # -P: the user's directory must not shadow the standard library; faulthandler: a crash leaves a traceback.
    arguments = ["-P", "-X", "faulthandler", "-m", module, str(job)]
    if container:
        command, variables = container.command(arguments, directory, fixed_variables(threads)), None
    else:
        command = [str(python or sys.executable), *arguments]
        variables = {**child_variables(threads, python_path="" if python else None), **current().variables}
    # Polars has system calls go on after SIGINT: Ctrl-C would be heard when the training has ended.
    signal.siginterrupt(signal.SIGINT, True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=directory,
            env=variables,
            stdin=subprocess.PIPE if container else subprocess.DEVNULL,  # see `die_with`
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which decides
        )
    try:
        code = child.wait() if progress is None and watch is None else _follow(child, log, progress, watch, container)
        _ask_to_end(child.pid)
        return code
    finally:
        with suppress(*_NOBODY_LEFT):
            os.killpg(child.pid, signal.SIGKILL)
        if child.wait() and container:
            container.remove()  # its process is no child of ours


def _ask_to_end(group: int) -> None:
    """Give what the child left behind a moment: the trackers of multiprocessing and joblib free shared memory."""
    deadline = time.monotonic() + _GRACE_SECONDS
    with suppress(*_NOBODY_LEFT):
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            os.killpg(group, 0)


def _follow(
    child: "subprocess.Popen[bytes]",
    log: Path,
    progress: Progress | None,
    watch: Watch | None,
    container: Container | None,
) -> int:
    with log.open("rb") as output:
        rest = b""
        started = None if container else child.pid
        while True:
            ended = child.poll() is not None
            *lines, rest = (rest + output.read()).split(b"\n")
            if ended and rest:
                lines.append(rest)
            if progress:
                for line in lines:
                    progress(line.decode(errors="replace"))
            if container and watch and not started:
                started = container.pid()
            if watch and (started or ended):
                watch(started or child.pid)
            if ended:
                return child.returncode
            with suppress(subprocess.TimeoutExpired):
                child.wait(_POLL_SECONDS)


def die_with(parent: int) -> None:
    """Make this process end when `parent`, which started it, ends in whatever way.

    On Linux the parent is the very thread that started it; `run_child` keeps that thread waiting. In a container
    there is no parent (0): there the input is held open by it, and ends with it.
    """
    if parent == OUTSIDE:
        threading.Thread(target=_listen, args=(_take_input(),), daemon=True).start()
    elif sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        # The kernel has no such signal here, so a thread looks now and then.
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it died before the signal was asked for
        os._exit(1)


def _take_input() -> int:
    """The input, moved away: the user's code finds none."""
    held = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return held


def _listen(held: int) -> None:
    while os.read(held, 1):
        pass
    os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def is_gone(pid: int, where: Mapping[str, Any]) -> bool:
    """Whether process `pid` of `host()` `where` has ended.

    False when another machine or container would have to say: in doubt it lives.
    """
    import psutil

    here = host()
    if any(where.get(field) != here[field] for field in ("name", "machine", "pid_namespace")):
        return False
    if where["boot"] != here["boot"]:
        return bool(here["machine"])  # this machine was started again since; without its id it may be another one
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - where["created"]) < _CLOCK_SLACK_SECONDS
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def signal_name(code: int) -> str:
    """`SIGKILL` for the exit code -9."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
