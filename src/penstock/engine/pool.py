"""Tasks that run at the same time: what every engine has in common."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from penstock.errors import UsageError
from penstock.project import Resources, format_size


@dataclass(frozen=True)
class Running:
    """What the code of a task may know of where it runs.

    stop       set when the task is to end: processes that it started are to be ended, and CancelledError raised
    variables  for the environment of processes that it starts
    """

    stop: threading.Event = field(default_factory=threading.Event)
    variables: Mapping[str, str] = field(default_factory=dict)


_NOBODY = Running()  # its event is never set
_RUNNING: ContextVar[Running] = ContextVar("running", default=_NOBODY)


def current() -> Running:
    """Of the task that calls; outside of one, a Running that is never stopped."""
    return _RUNNING.get()


def resolve(function: str) -> Any:
    """The function named `module:function`, of Penstock or of whatever is installed. UsageError when there is none."""
    module, _, name = function.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        what = f"a task's function cannot be loaded: {error}"
        raise UsageError(what, where=function, expected="module:function of an installed package") from None


def said(cpus: int, gpus: int, memory: int) -> str:
    """`2 CPUs, 1 GPU, 4GB of memory`"""
    shown = format_size(int(float(f"{memory:.3g}")))
    parts = {
        f"{cpus} CPU{'s' * (cpus != 1)}": True,
        f"{gpus} GPU{'s' * (gpus != 1)}": gpus,
        f"{shown} of memory": memory,
    }
    return ", ".join(part for part, there in parts.items() if there)


class Pool(ABC):
    """Runs tasks, as many at a time as there is room for. Leaving the block by an error ends those that run.

    with open_pool(project.config.engine) as pool:
        futures = [pool.submit("package.module:function", {"depth": depth}) for depth in (3, 4, 5)]
        results = [future.result() for future in futures]
    """

    def __init__(self, workers: int) -> None:
        self._stop = threading.Event()
        # Threads wait for the work, which is done in processes: theirs, or those of a cluster's nodes.
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="task")

    def submit(
        self, function: str, argument: Mapping[str, Any], *, resources: Resources | None = None
    ) -> "Future[Any]":
        """Have `function` (`module:function`) called with `argument`, soon.

        The future gives what the call returned; an error that it raised is raised, of the same class. UsageError
        when no machine has what the task asks for, CancelledError when the pool was left before it was done.
        Where tasks run elsewhere, the argument and the result must survive pickling, and the function may be called
        again from the start when a node was lost.
        """
        wanted = resources or Resources()
        self.check(wanted)
        return self._threads.submit(self._perform, function, argument, wanted)

    def close(self, *, stop: bool = False) -> None:
        """Wait for the tasks; with `stop`, end them first. Nothing runs afterwards."""
        if stop:
            self._stop.set()
        self._threads.shutdown(wait=True, cancel_futures=stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close(stop=kind is not None)
        except BaseException:  # interrupted while it waited
            self.close(stop=True)
            raise

    def _perform(self, function: str, argument: Mapping[str, Any], wanted: Resources) -> Any:
        if self._stop.is_set():
            raise CancelledError
        return self._run(function, argument, wanted)

    @abstractmethod
    def check(self, wanted: Resources) -> None:
        """UsageError when no machine of this engine has what is wanted."""

    @abstractmethod
    def _run(self, function: str, argument: Mapping[str, Any], wanted: Resources) -> Any:
        """Call the function where there is room, in a thread of this pool; return or raise what it does."""


class Lost(Exception):
    """The node or the process of a task is gone, through no fault of the task."""


class Distant(Pool):
    """Tasks run on machines that may not see the files of this one.

    retries  how often a task whose node was lost begins again
    handles  of bytes that were put: their names -> pieces
    """

    retries: int
    handles: dict[str, list[Any]]

    @abstractmethod
    def put(self, data: bytes) -> Any:
        """Have bytes ready for tasks that have the handle in their argument: `ray_node.take(handle)`."""

    @abstractmethod
    def stream(
        self, function: str, argument: Mapping[str, Any], *, resources: Resources | None = None
    ) -> Generator[Any]:
        """What the generator function `module:function` yields, as it comes; None while nothing comes.

        Lost when the node was lost, CancelledError when the pool was left. The task ends when the iterator is closed.
        """
