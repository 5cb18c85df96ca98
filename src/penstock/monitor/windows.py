"""Windows: predictions by the time they are about, in pieces that do not overlap, and which of them to measure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

import polars as pl

FUTURE = 10_000  # windows that have not begun; of more, the nearest are remembered
LATEST = 100  # windows whose silence is noticed


@dataclass(frozen=True)
class Window:
    """From `start` up to, not including, `end`; UTC."""

    start: datetime
    end: datetime

    def over(self, now: datetime) -> bool:
        """Whether all of it lies in the past."""
        return self.end <= now

    def due(self, now: datetime, labels_after: timedelta) -> bool:
        """Whether its labels should have come."""
        return self.end + labels_after <= now


def window_starts(times: pl.Expr, every: str) -> pl.Expr:
    """The start of each time's window. Weeks begin on Monday, months on the first, days at midnight UTC."""
    return times.dt.truncate(every)


def windows_of(starts: Iterable[datetime], every: str) -> list[Window]:
    """The windows that begin at `starts`, oldest first; without those that end after the year 9999."""
    begin = pl.Series(sorted(starts), dtype=pl.Datetime("us", "UTC"))
    windows = pl.DataFrame({"start": begin, "end": begin.dt.offset_by(every)})
    formed = windows.filter(pl.col("end").dt.year() <= datetime.max.year)
    return [Window(start.astimezone(UTC), end.astimezone(UTC)) for start, end in formed.iter_rows()]


def latest_windows(first: datetime, now: datetime, every: str) -> list[Window]:
    """The windows that are over at `now`, from the one at `first` on, oldest first; of more than LATEST, the latest."""
    (length,) = (window.end - window.start for window in windows_of([now], every))
    since = now - LATEST * length if now - first > LATEST * length else min(first, now)
    begin, end = (pl.lit(moment).dt.truncate(every) for moment in (since, now))
    starts = pl.select(pl.datetime_range(begin, end, every, closed="left")).to_series()
    return [window for window in windows_of(starts, every) if window.over(now)][-LATEST:]


class Stage(IntEnum):
    """How far a window is measured."""

    CHANGED = 0  # not at all since its rows or labels changed
    SERVICE = 1  # all but its quality, whose labels are not due yet
    QUALITY = 2  # whole


@dataclass(frozen=True)
class Progress:
    """What the monitors have looked at.

    every          length of the windows; with another one everything is measured anew
    predictions    rows of the datasets that were looked at: they only ever grow at the end
    feedback
    waiting        the windows that are not measured whole, by their start
    """

    every: str
    predictions: int = 0
    feedback: int = 0
    waiting: Mapping[datetime, Stage] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], every: str) -> "Progress":
        """What `to_json` wrote; from the beginning when that was nothing, or about other windows."""
        if value.get("every") != every:
            return cls(every)
        waiting = {datetime.fromisoformat(start): Stage(stage) for start, stage in value["waiting"].items()}
        return cls(every, value["predictions"], value["feedback"], waiting)

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        waiting = {start.isoformat(): int(stage) for start, stage in sorted(self.waiting.items())}
        return {
            "every": self.every,
            "predictions": self.predictions,
            "feedback": self.feedback,
            "waiting": waiting,
        }

    def changed(self, starts: Iterable[datetime], *, predictions: int, feedback: int) -> "Progress":
        """After new rows up to these counts, which fall into the windows at `starts`."""
        touched = {start.astimezone(UTC): Stage.CHANGED for start in starts}
        return Progress(self.every, predictions, feedback, {**self.waiting, **touched})

    def bounded(self, now: datetime) -> "Progress":
        """Without most windows of a far future, so that no caller can make every look slow."""
        future = sorted(start for start in self.waiting if start > now)
        forgotten = set(future[FUTURE:])
        return replace(self, waiting={start: at for start, at in self.waiting.items() if start not in forgotten})

    def due(self, now: datetime, labels_after: timedelta) -> list[tuple[Window, Stage]]:
        """Windows that can be measured further than they are, oldest first, and how far."""
        windows = windows_of((start for start in self.waiting if start <= now), self.every)
        stages = ((window, _stage(window, now, labels_after)) for window in windows)
        return [(window, stage) for window, stage in stages if stage > self.waiting[window.start]]

    def open_until(self, now: datetime) -> datetime | None:
        """When the first window ends that has rows and is not over; None when there is none."""
        return min((window.end for window in windows_of(self.waiting, self.every) if window.end > now), default=None)

    def measured(self, done: Sequence[tuple[Window, Stage]]) -> "Progress":
        """After these windows were measured so far."""
        stages = {**self.waiting, **{window.start: stage for window, stage in done}}
        return replace(self, waiting={start: at for start, at in stages.items() if at < Stage.QUALITY})


def _stage(window: Window, now: datetime, labels_after: timedelta) -> Stage:
    if window.due(now, labels_after):
        return Stage.QUALITY
    return Stage.SERVICE if window.over(now) else Stage.CHANGED
