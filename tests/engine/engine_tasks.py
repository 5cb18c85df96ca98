"""Functions that the tests have pools call."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.engine import current
from penstock.errors import ConfigError, MissingExtra, Problem


def double(argument: Mapping[str, Any]) -> Any:
    return argument["value"] * 2


def fail(argument: Mapping[str, Any]) -> Any:
    errors = {
        "config": ConfigError([Problem("penstock.yaml:1:1", "wrong")], hint="correct it"),
        "extra": MissingExtra("Ray", "ray"),
        "plain": ValueError("no"),
        "odd": Odd(threading.Lock()),
    }
    raise errors[argument["which"]]


class Odd(Exception):
    """Cannot be pickled."""


def variables(argument: Mapping[str, Any]) -> dict[str, str]:
    time.sleep(argument.get("seconds", 0))
    return dict(current().variables)


def overlap(argument: Mapping[str, Any]) -> tuple[float, float]:
    """When it ran."""
    started = time.monotonic()
    time.sleep(argument["seconds"])
    return started, time.monotonic()


def wait(argument: Mapping[str, Any]) -> str:
    """Tell that it runs, then wait for the end of the pool."""
    Path(argument["file"]).write_text(str(os.getpid()))
    current().stop.wait(60)
    return "stopped"


def sleep_in_process(argument: Mapping[str, Any]) -> str:
    """Start a process that would go on for long, and end it when this call is interrupted."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    Path(argument["file"]).write_text(str(child.pid))
    try:
        child.wait()
    finally:
        child.kill()
        child.wait()
    return "slept"


def mark_and_sleep(argument: Mapping[str, Any]) -> int:
    """Add a line to a file for each time it is called, and take its time."""
    with Path(argument["file"]).open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(argument["seconds"])
    return os.getpid()


def where(argument: Mapping[str, Any]) -> tuple[int, int]:
    """The process, and the one that started it: that of the node."""
    time.sleep(argument["seconds"])
    return os.getpid(), os.getppid()


def end_abruptly(argument: Mapping[str, Any]) -> None:
    os._exit(7)
