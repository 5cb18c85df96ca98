"""How far an ingest is: a bar on a terminal, a line every few seconds elsewhere. Both on standard error."""

import sys
import time
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from penstock.data import Progress

EVERY = 5.0  # seconds between two lines: what is done sooner says nothing


class Shown:
    """Takes the progress of one dataset after the other, and shows it until it is closed.

    Shown()              on a terminal a bar, elsewhere lines
    Shown(quiet=True)    nothing
    """

    def __init__(self, *, quiet: bool = False, every: float = EVERY) -> None:
        self._quiet = quiet
        self._every = every
        self._dataset = ""
        self._began = self._said = 0.0
        self._bar: Any = None

    def __enter__(self) -> "Shown":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, now: "Progress") -> None:
        """Show how far it is."""
        if self._quiet:
            return
        if now.dataset != self._dataset:
            self.close()
            self._dataset, self._began = now.dataset, time.monotonic()
            self._said = self._began
        if sys.stderr.isatty():
            self._draw(now)
        elif time.monotonic() - self._said >= self._every:
            self._said = time.monotonic()
            typer.echo(line(now, self._said - self._began), err=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
        self._bar, self._dataset = None, ""

    def _draw(self, now: "Progress") -> None:
        if self._bar is None:
            self._bar = _bar()
            self._bar.add_task("", counted="")
            self._bar.start()
        seconds = time.monotonic() - self._began
        counted = f"{now.rows:,} rows{_rate(now, seconds)}"
        # without a size the bar only says that something goes on
        self._bar.update(0, description=_place(now), completed=now.bytes, total=now.total or None, counted=counted)


def line(now: "Progress", seconds: float) -> str:
    """`flights: data/a.csv (1 of 3), 42% of 1,402.0 MB, 3,250,000 rows, 410,000 rows/s, 12 s left`"""
    parts = [_place(now)]
    if now.total:
        parts.append(f"{now.bytes / now.total:.0%} of {now.total / 1e6:,.1f} MB")
    parts.append(f"{now.rows:,} rows{_rate(now, seconds)}")
    if now.total and now.bytes:
        parts.append(f"{seconds * (now.total - now.bytes) / now.bytes:,.0f} s left")
    return ", ".join(parts)


def _place(now: "Progress") -> str:
    return f"{now.dataset}: {now.input}" + (f" ({now.position} of {now.inputs})" if now.inputs > 1 else "")


def _rate(now: "Progress", seconds: float) -> str:
    return f", {now.rows / seconds:,.0f} rows/s" if now.rows and seconds else ""


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[counted]}"))
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
