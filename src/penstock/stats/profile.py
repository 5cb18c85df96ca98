"""Profiles: what a table looks like, small enough to keep and to add up.

A reference profile fixes the bins of every number and the levels of every text. A profile of later
rows is counted on the same bins and levels, so profiles add (`merge` is associative, and the profile
of two halves is the profile of the whole) and any two of them can be compared (`comparison`).

    numeric, temporal   64 quantile bins of the reference, an exact bin for every value that is more
                        than one bin's share, and how much is below, above, null, NaN or infinite
    levels              the reference's 1024 most frequent texts, categories or truth values, and one
                        count for all others

Rows are counted a batch at a time, so a table of any size is a profile in the memory of a few batches.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import chain
from math import isfinite, nan
from typing import Any

import polars as pl

from penstock.errors import UsageError
from penstock.stats.columns import Column, LevelColumn, Moments, NumericColumn, emptied, merged
from penstock.stats.counting import counted
from penstock.stats.distinct import Distinct
from penstock.stats.reference import blank, closed, sample

PROFILE_FORMAT = "penstock.profile/3"
BATCH = 262_144  # rows: a column of them is 2 MB

Rows = pl.DataFrame | pl.LazyFrame | Iterable[pl.DataFrame]


@dataclass(frozen=True)
class Profile:
    """A table's columns, counted.

    Profile.build(training)              the reference
    Profile.build(window, reference)     later rows, on the reference's bins; columns that it lacks are left out

    Rows are a DataFrame, a LazyFrame, which is never in memory as a whole, or batches of them.
    """

    rows: int
    columns: Mapping[str, Column]

    @classmethod
    def build(cls, rows: Rows, reference: "Profile | None" = None) -> "Profile":
        """Count `rows`. Without a reference they become one, which takes two passes over them.

        UsageError when a column of the reference is missing or of another kind, and when the rows of a reference
        are an iterator, which is gone after one pass.
        """
        if reference is not None:
            return cls._counted(rows, {name: emptied(column) for name, column in reference.columns.items()})
        if isinstance(rows, Iterator):
            what = "a reference profile takes two passes over its rows, and an iterator is gone after the first"
            raise UsageError(what, expected="a DataFrame, a LazyFrame, or a list of DataFrames")
        found = cls._counted(rows, {series.name: blank(series) for series in sample(_batches(rows))})
        return cls(found.rows, {name: closed(column) for name, column in found.columns.items()})

    @classmethod
    def _counted(cls, rows: Rows, blanks: Mapping[str, Column]) -> "Profile":
        parts = (_part(batch, blanks) for batch in _batches(_selected(rows, list(blanks))))
        return reduce(cls.merge, parts, cls(0, blanks))

    def merge(self, other: "Profile") -> "Profile":
        """The profile of both tables' rows. ValueError when they were not counted on the same reference."""
        if set(self.columns) != set(other.columns):
            raise ValueError("the profiles have different columns")
        columns = {name: merged(column, other.columns[name]) for name, column in self.columns.items()}
        return Profile(self.rows + other.rows, columns)

    def to_json(self) -> dict[str, Any]:
        """A JSON value; numbers that JSON cannot hold (moments that overflowed) become null."""
        columns = [{"name": name, **_fields(column)} for name, column in self.columns.items()]
        return {"format": PROFILE_FORMAT, "rows": self.rows, "columns": columns}

    @classmethod
    def from_json(cls, value: Any) -> "Profile":
        """The profile that `to_json` wrote. ValueError for anything else."""
        if not isinstance(value, dict) or value.get("format") != PROFILE_FORMAT:
            raise ValueError(f"not a profile: expected a JSON object of format {PROFILE_FORMAT}")
        try:
            return cls(value["rows"], {fields["name"]: _column_of(fields) for fields in value["columns"]})
        except (AttributeError, KeyError, TypeError) as broken:
            raise ValueError(f"not a profile, although it is of format {PROFILE_FORMAT}: {broken!r}") from broken


def _selected(rows: Rows, names: list[str]) -> Rows:
    """Of a LazyFrame the columns that are counted, so that no others are read."""
    if not isinstance(rows, pl.LazyFrame):
        return rows
    _check_columns(rows.collect_schema().names(), names)
    return rows.select(names)


def _batches(rows: Rows) -> Iterable[pl.DataFrame]:
    if isinstance(rows, pl.LazyFrame):
        columns = pl.DataFrame(schema=rows.collect_schema())  # no rows come in no batch
        return chain([columns], rows.collect_batches(chunk_size=BATCH))
    if isinstance(rows, pl.DataFrame):
        return rows.iter_slices(BATCH) if rows.height > BATCH else [rows]
    return rows


def _part(batch: pl.DataFrame, blanks: Mapping[str, Column]) -> Profile:
    _check_columns(batch.columns, blanks)
    return Profile(batch.height, {name: counted(batch[name], blank) for name, blank in blanks.items()})


def _check_columns(there: Iterable[str], wanted: Iterable[str]) -> None:
    lacking = sorted(set(wanted) - set(there))
    if lacking:
        raise UsageError(f"the rows lack columns of the reference profile: {', '.join(lacking)}")


def _fields(column: Column) -> dict[str, Any]:
    fields = {name: _json(value) for name, value in asdict(column).items()}
    return {"kind": column.kind, **fields, "distinct": column.distinct.to_json()}


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _json(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_json(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _column_of(fields: Mapping[str, Any]) -> Column:
    kept: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    del kept["name"]
    kept["distinct"] = Distinct.from_json(kept["distinct"])
    if kept.pop("kind") == LevelColumn.kind:
        return LevelColumn(**{**kept, "unseen": tuple((level, count) for level, count in kept["unseen"])})
    moments = Moments(**{name: _number(value) for name, value in kept["moments"].items()})
    return NumericColumn(**{**kept, "sums": tuple(map(_number, kept["sums"])), "moments": moments})


def _number(value: Any) -> Any:
    return nan if value is None else value
