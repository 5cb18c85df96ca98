"""Train and holdout: a rule as a condition on rows. Pure.

last 20%     the newest fifth of the rows; rows of the same time stay together
last 28d     what happened in the last 28 days of the data
random 20%   by a hash of each row's key, or of the whole row when it has none: a row stays on its side when
             others come, and equal rows are never parted. A class too small to have rows on both sides is the
             exception: one of its rows is held out or learned from all the same
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import cast

import polars as pl

from penstock.errors import UsageError
from penstock.project import parse_duration


def holdout_mask(
    rows: pl.DataFrame, rule: str, *, time: str | None, key: Sequence[str], strata: str | None, seed: int
) -> pl.Series:
    """Which rows are held out: a boolean per row.

    `strata` is the column that holds the class. UsageError when the rule needs a time and a row has none.
    """
    kind, amount = rule.split(" ")
    if kind == "random":
        return _random(rows, _share(amount), key or rows.columns, strata, seed)
    if time is None:
        raise UsageError(f"`holdout: {rule}` needs a time", hint="name the column under data.time")
    times = _in_utc(rows.get_column(time))
    if times.null_count():
        raise UsageError(
            f"{times.null_count():,} examples have no {time!r}, so they are neither first nor last",
            hint=f"leave them out in a transform, or make {time!r} not nullable in the contract",
        )
    return times >= _cutoff(times, amount) if rows.height else pl.Series(dtype=pl.Boolean)


def _in_utc(times: pl.Series) -> pl.Series:
    """In its own zone, a day may have 23 or 25 hours."""
    return times.dt.convert_time_zone("UTC") if getattr(times.dtype, "time_zone", None) else times


def _share(amount: str) -> float:
    return float(amount.removesuffix("%")) / 100


def _cutoff(times: pl.Series, amount: str) -> date | datetime:
    """The first time that is held out."""
    newest = cast("date | datetime", times.max())
    if amount.endswith("%"):
        position = times.len() - round(times.len() * _share(amount))
        return cast(datetime, times.sort()[position]) if position < times.len() else newest + timedelta(days=1)
    return newest - parse_duration(amount)


def _random(rows: pl.DataFrame, share: float, names: Sequence[str], strata: str | None, seed: int) -> pl.Series:
    group = rows.get_column(strata) if strata else pl.repeat(0, rows.height, eager=True)
    marked = pl.DataFrame([pl.Series("mark", _marks(rows.select(names), seed), dtype=pl.UInt64), group.alias("group")])
    mark, line = pl.col("mark"), pl.lit(int(share * 2**64), dtype=pl.UInt64)
    first, last = mark.min().over("group"), mark.max().over("group")
    due = (first < last) & ((pl.len().over("group") * share).round() >= 1)
    # the line is a number and not a rank among the rows: a rank moves with each row that comes
    held = pl.when(first >= line).then(due & (mark == first)).when(last < line).then(mark < last).otherwise(mark < line)
    return marked.select(mask=held).get_column("mask")


def _marks(rows: pl.DataFrame, seed: int) -> list[int]:
    """A number below 2^64 per row, from its values and the seed alone: no library's hash, which may change."""
    texts = rows.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()
    salt = seed.to_bytes(16, "little", signed=True)
    return [int.from_bytes(blake2b(text.encode(), digest_size=8, key=salt).digest(), "little") for text in texts]
