"""Windows: predictions by the time they are about, in pieces that do not overlap."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl


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


def window_starts(times: pl.Series, every: str) -> pl.Series:
    """The start of each time's window. Weeks begin on Monday, months on the first, days at midnight UTC."""
    return times.dt.convert_time_zone("UTC").dt.truncate(every)


def window_of(start: datetime, every: str) -> Window:
    """The window that begins at `start`."""
    end = pl.select(pl.lit(start).dt.offset_by(every)).item()
    return Window(start.astimezone(UTC), end.astimezone(UTC))
