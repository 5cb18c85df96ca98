"""What a process and its children use of the machine while a run goes on: CPU, memory, GPUs."""

import ctypes
import time
from collections.abc import Iterator
from functools import cache

from penstock.ledger import Point, utc_now

FIRST_SECONDS = 1.0
INTERVAL_SECONDS = 5.0


class Usage:
    """Samples a process with all that it started.

    system.cpu_percent      since the sample before, 100 for one core
    system.memory_mb        resident, pages that two processes share counted twice
    system.gpu0_percent     of NVIDIA's first GPU, whoever uses it
    system.gpu0_memory_mb

    The step of a sample is the number of seconds since the first look.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._started = self._last = time.monotonic()
        self._due = self._started + FIRST_SECONDS
        self._cpu: float | None = None  # from the first look on: it reads every process of the machine

    def sample(self) -> list[Point]:
        """What is used now; empty when it is not time yet, or the process is gone."""
        now = time.monotonic()
        if self._cpu is None:
            self._last, (self._cpu, _) = now, _cpu_and_memory(self._pid)
        if now < self._due:
            return []
        cpu, memory = _cpu_and_memory(self._pid)
        if not memory:
            return []
        percent = 100 * max(0.0, cpu - self._cpu) / (now - self._last)
        values = {"cpu_percent": round(percent, 1), "memory_mb": round(memory / 1e6, 1), **dict(_gpus())}
        self._cpu, self._last, self._due = cpu, now, now + INTERVAL_SECONDS
        step, moment = round(now - self._started), utc_now()
        return [Point(f"system.{name}", value, step, moment) for name, value in values.items()]


def _cpu_and_memory(pid: int) -> tuple[float, int]:
    """Seconds of CPU and bytes of memory of a process and all below it; nothing of what is gone."""
    import psutil

    cpu, memory = 0.0, 0
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return cpu, memory
    for each in family:
        try:
            cpu += sum(each.cpu_times()[:4])  # user, system, and the same of children that have ended
            memory += each.memory_info().rss
        except psutil.Error:
            continue
    return cpu, memory


class _Utilisation(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


def _gpus() -> Iterator[tuple[str, float]]:
    """Of every NVIDIA GPU, how busy it is in percent and how much of its memory is taken."""
    library = _nvml()
    if library is None:
        return
    count, device, busy, memory = ctypes.c_uint(), ctypes.c_void_p(), _Utilisation(), _Memory()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return
    for index in range(count.value):
        if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)):
            continue
        if not library.nvmlDeviceGetUtilizationRates(device, ctypes.byref(busy)):
            yield f"gpu{index}_percent", float(busy.gpu)
        if not library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)):
            yield f"gpu{index}_memory_mb", round(memory.used / 1e6, 1)


@cache
def _nvml() -> ctypes.CDLL | None:
    """NVIDIA's management library, which comes with the driver."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
        return None if library.nvmlInit_v2() else library
    except (OSError, AttributeError):
        return None
