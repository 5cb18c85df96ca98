"""Tasks in threads of this process: what they do is done in processes that they start."""

import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from penstock.engine.pool import _RUNNING, Pool, Running, resolve, said
from penstock.errors import UsageError
from penstock.project import Engine, Resources

_DRIVER = Path("/proc/driver/nvidia/gpus")


class Machine(NamedTuple):
    """What there is to share out. `gpus` are the names that CUDA_VISIBLE_DEVICES takes."""

    cpus: int
    gpus: tuple[str, ...]
    memory: int

    @classmethod
    def here(cls) -> "Machine":
        """What this process may use of this machine."""
        import psutil

        cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cls(cpus, tuple(_visible_gpus()), psutil.virtual_memory().total)


def _visible_gpus() -> list[str]:
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [each.strip() for each in allowed.split(",") if each.strip() not in ("", "-1")]
    return [str(number) for number, _ in enumerate(_DRIVER.iterdir())] if _DRIVER.is_dir() else []


class LocalPool(Pool):
    """Runs as many tasks at a time as `workers` and their resources allow."""

    def __init__(self, settings: Engine, machine: Machine | None = None) -> None:
        self._machine = machine or Machine.here()
        super().__init__(settings.workers or self._machine.cpus)
        self._changed = threading.Condition()
        self._turn = threading.Lock()
        self._cpus, self._memory = self._machine.cpus, self._machine.memory
        self._gpus = list(self._machine.gpus)

    def close(self, *, stop: bool = False) -> None:
        """Wait for the tasks; with `stop`, end them first."""
        if stop:
            with self._changed:
                self._stop.set()
                self._changed.notify_all()
        super().close(stop=stop)

    def check(self, wanted: Resources) -> None:
        """UsageError when the machine is too small."""
        there = self._machine
        if (wanted.cpus or 1) > there.cpus or wanted.gpus > len(there.gpus) or (wanted.memory or 0) > there.memory:
            raise UsageError(
                f"a task asks for {said(wanted.cpus or 1, wanted.gpus, wanted.memory or 0)}",
                expected=f"at most what this machine has: {said(there.cpus, len(there.gpus), there.memory)}",
                hint="ask for less in `resources`, or take an engine with larger machines",
            )

    @contextmanager
    def hold(self, wanted: Resources) -> Iterator[None]:
        """Hold resources in the block, as a task does: for what whoever calls does itself."""
        with self._claim(wanted) as variables:
            token = _RUNNING.set(Running(self._stop, variables))
            try:
                yield
            finally:
                _RUNNING.reset(token)

    def _run(self, function: str, argument: Mapping[str, Any], wanted: Resources) -> Any:
        call = resolve(function)
        with self.hold(wanted):
            return call(argument)

    @contextmanager
    def _claim(self, wanted: Resources) -> Iterator[dict[str, str]]:
        """Hold the resources in the block; the variables that show the task its GPUs, if it asks for any."""
        # In turn: small tasks would keep a large one waiting for ever.
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._stop.is_set() or self._fits(wanted))
            if self._stop.is_set():
                raise CancelledError
            gpus = [self._gpus.pop(0) for _ in range(wanted.gpus)]
            self._move(wanted, -1)
        try:
            yield {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}
        finally:
            with self._changed:
                self._gpus.extend(gpus)
                self._move(wanted, 1)
                self._changed.notify_all()

    def _fits(self, wanted: Resources) -> bool:
        return (
            self._cpus >= (wanted.cpus or 1) and len(self._gpus) >= wanted.gpus and self._memory >= (wanted.memory or 0)
        )

    def _move(self, wanted: Resources, sign: int) -> None:
        self._cpus += sign * (wanted.cpus or 1)
        self._memory += sign * (wanted.memory or 0)
