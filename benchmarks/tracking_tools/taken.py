"""How long a call takes, in milliseconds: the median of many, for the benchmark to read."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median


def taken(call: Callable[[], object], times: int) -> float:
    """The median of `times` calls, after one that does not count."""
    call()
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return 1000 * median(found)


def busy(seconds: float = 1.0) -> None:
    """A function that trains: it computes in Python for so long."""
    end = time.thread_time() + seconds  # of this thread: what runs beside it is what is measured
    while time.thread_time() < end:
        sum(range(1000))


def tell(numbers: dict[str, float]) -> None:
    Path(sys.argv[1]).write_text(json.dumps(numbers))
