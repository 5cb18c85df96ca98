"""Tasks of a Ray cluster that this machine has joined (`ray start --address=…`).

The threads of this process wait for the tasks, begin those again whose node was lost, and end those that are
no longer wanted. Ray's own retries are off: only here is it known what a task may be told when it begins again.
"""

import os
import signal
import socket
import threading
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

from penstock.engine.installed import installed
from penstock.engine.pool import Distant, Lost, said
from penstock.engine.ray_node import perform, perform_stream
from penstock.errors import Killed, MissingExtra, PenstockError, UsageError
from penstock.project import Engine, Resources

_LOOK_SECONDS = 0.2
_KNOCK_SECONDS = 10
_GRACE_SECONDS = 5
_AHEAD = 8  # messages of a task that wait to be read; then it waits itself
_START = "ray start --head on one machine, ray start --address=HOST:6379 on the others; then the address in `engine`"


class RayPool(Distant):
    """Runs as many tasks at a time as `workers` allow; which node has room for one is Ray's business."""

    def __init__(self, settings: Engine) -> None:
        self._own = _connect(settings)
        try:
            super().__init__(settings.workers or max(int(_ray().cluster_resources().get("CPU", 1)), 1))
        except BaseException:
            self._disconnect()
            raise
        self.retries = settings.retries
        self.handles: dict[str, list[Any]] = {}
        self._installed = installed()
        self._remote = _ray().remote(perform)
        self._streamed = _ray().remote(perform_stream)

    def close(self, *, stop: bool = False) -> None:
        """Wait for the tasks; with `stop`, end them first. Ends the connection if it was made here."""
        try:
            super().close(stop=stop)
        finally:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._own:
            self._own = False
            _ray().shutdown()

    def put(self, data: bytes) -> Any:
        """Into Ray's object store, which puts on disk what it has no room for."""
        return _ray().put(data)

    def check(self, wanted: Resources) -> None:
        """UsageError when no node is large enough."""
        asked = (wanted.cpus or 1, wanted.gpus, wanted.memory or 0)
        nodes = [node["Resources"] for node in _ray().nodes() if node["Alive"]]
        sizes = [tuple(int(node.get(name, 0)) for name in ("CPU", "GPU", "memory")) for node in nodes]
        if not any(all(map(int.__ge__, size, asked)) for size in sizes):
            shown = {size if wanted.memory else (*size[:2], 0) for size in sizes if size[0]}
            listed = "; ".join(said(*size) for size in sorted(shown, reverse=True)) or "nothing, since none has CPUs"
            raise UsageError(
                f"a task asks for {said(*asked)}",
                expected=f"at most what one node of the cluster has: {listed}",
                hint="ask for less in `resources`, or have a larger node join the cluster",
            )

    def stream(
        self, function: str, argument: Mapping[str, Any], *, resources: Resources | None = None
    ) -> Generator[Any]:
        """As a streaming generator of Ray."""
        wanted = resources or Resources()
        self.check(wanted)
        ray = _ray()
        generator = self._streamed.options(
            **_options(wanted), num_returns="streaming", _generator_backpressure_num_objects=_AHEAD
        ).remote(function, dict(argument), self._installed)
        try:
            while True:
                if self._stop.is_set():
                    raise CancelledError
                if not ray.wait([generator], timeout=_LOOK_SECONDS)[0]:
                    yield None
                    continue
                try:
                    piece = next(generator)
                except StopIteration:
                    return
                yield self._answer(piece)
        finally:
            _end(generator)

    def _run(self, function: str, argument: Mapping[str, Any], wanted: Resources) -> Any:
        for _ in range(self.retries + 1):
            try:
                return self._once(function, argument, wanted)
            except Lost as error:
                lost = error
        raise Killed(f"a task lost its node {self.retries + 1} times: {lost}", where=function)

    def _once(self, function: str, argument: Mapping[str, Any], wanted: Resources) -> Any:
        ray = _ray()
        task = self._remote.options(**_options(wanted)).remote(function, dict(argument), self._installed)
        while not ray.wait([task], timeout=_LOOK_SECONDS)[0]:
            if self._stop.is_set():
                _end(task)
                raise CancelledError
        return self._answer(task)

    def _answer(self, reference: Any) -> Any:
        with _explained():
            error, value = _ray().get(reference)
        if error is not None:
            raise error
        return value


def _options(wanted: Resources) -> dict[str, Any]:
    return {
        "num_cpus": wanted.cpus or 1,
        "num_gpus": wanted.gpus,
        "memory": wanted.memory or None,
        "max_retries": 0,
    }


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports home unless it is told not to
    try:
        import ray
    except ImportError:
        raise MissingExtra("Ray", "ray") from None
    return ray


def _connect(settings: Engine) -> bool:
    """Connect this process; False when whoever calls has done so already."""
    ray = _ray()
    if ray.is_initialized():
        return False
    before = signal.getsignal(signal.SIGTERM)
    try:
        _knock(settings.address)
        ray.init(address=settings.address, log_to_driver=False, logging_level="critical", configure_logging=True)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        ray.shutdown()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else _first(error)
        what = f"no Ray cluster answers at {settings.address}: {reason}"
        raise PenstockError(what, where="engine.address", hint=_START) from None
    finally:
        # Ray takes the signal for itself, and keeps it: whoever runs until it is told to end would not hear it
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)
    return True


def _knock(address: str) -> None:
    """OSError when nobody listens: Ray itself would try for ten minutes."""
    given = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    host, _, port = given.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()


def _end(task: Any) -> None:
    """End a task, if it runs: its function is interrupted, and what that does not end within moments is killed."""
    ray = _ray()
    ended = task.completed() if hasattr(task, "completed") else task
    with suppress(Exception):
        if ray.wait([ended], timeout=0)[0]:
            return
        ray.cancel(task, force=False)
        if not ray.wait([ended], timeout=_GRACE_SECONDS)[0]:
            ray.cancel(task, force=True)
            ray.wait([ended], timeout=_GRACE_SECONDS)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what Ray raises about a task into an error of ours; Lost when the task is not to blame."""
    from ray import exceptions

    try:
        yield
    except (exceptions.NodeDiedError, exceptions.WorkerCrashedError, exceptions.ObjectLostError) as error:
        raise Lost(type(error).__name__) from None
    except exceptions.OutOfMemoryError as error:
        hint = "ask for more in `resources.memory`, so that fewer tasks share a node"
        raise Killed(f"Ray ended a task, since its node ran out of memory: {_first(error)}", hint=hint) from None
    except exceptions.TaskCancelledError:
        raise CancelledError from None
    except exceptions.RayError as error:
        raise PenstockError(f"Ray could not run a task: {_first(error)}") from None


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
