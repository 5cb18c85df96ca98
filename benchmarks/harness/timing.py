"""Processes timed turn by turn, so that whatever else the machine does meets all of them alike."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Job:
    """A process to time, with everything that it starts and waits for. `before` is not timed."""

    command: Sequence[str | Path]
    directory: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Timing:
    """Medians over the turns, in seconds."""

    wall: float
    cpu: float


def interleave(jobs: Mapping[str, Job], *, turns: int, warm: bool = True) -> dict[str, Timing]:
    """Every job once per turn, all of them `turns` times, after one turn that does not count if they are to be warm."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for turn in range(-1 if warm else 0, turns):
        for name, job in jobs.items():
            job.before()
            once = _time(job)
            if turn >= 0:
                taken[name].append(once)
    return {name: Timing(median(w for w, _ in times), median(c for _, c in times)) for name, times in taken.items()}


def show(timings: Mapping[str, Timing]) -> None:
    """A line for each job, beside the claims: on stderr."""
    for name, one in timings.items():
        print(f"  {name:<32} {one.wall:7.3f} s {one.cpu:7.3f} CPU s", file=sys.stderr, flush=True)


def run(job: Job) -> str:
    """Do a job untimed; what it printed. SystemExit with that when it fails."""
    done = subprocess.run(
        job.command,
        cwd=job.directory,
        env=_variables(job.variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, job.command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _time(job: Job) -> tuple[float, float]:
    used, started = _cpu(), time.perf_counter()
    run(job)
    return time.perf_counter() - started, _cpu() - used


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _variables(own: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the caller's environment but where programs and the user's files are: bytecode for all sides alike."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "TMPDIR", "LANG") if name in os.environ}
    return {**kept, "DO_NOT_TRACK": "1", **own}
