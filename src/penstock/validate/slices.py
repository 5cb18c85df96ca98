"""Slices: the examples, cut into groups by a column.

Text, booleans and columns of few values are cut by value, the rest into quarters of equal size;
missing values are a group of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from penstock.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

Codes = npt.NDArray[np.int64]

MAX_VALUES = 50  # the most frequent keep their name, the rest share one group
MAX_NUMBERS = 12  # more distinct numbers or times than this are cut into quarters; whole numbers up to MAX_VALUES
QUARTERS = 4
MISSING, OTHERS = "(missing)", "(others)"


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of a column: `codes[row]` is a position in `names`."""

    column: str
    names: tuple[str, ...]
    codes: Codes

    def rows(self, group: int) -> npt.NDArray[np.intp]:
        """The positions of a group's examples."""
        return np.flatnonzero(self.codes == group)

    def take(self, rows: npt.NDArray[np.intp]) -> "Groups":
        """The same groups over some of the examples."""
        return replace(self, codes=self.codes[rows])

    def label(self, group: int) -> str:
        """`carrier=HA`"""
        return f"{self.column}={self.names[group]}"


def cut(column: "pl.Series") -> Groups:
    """The groups of a column, in the order of their values; (others) and (missing) last."""
    known = column.fill_nan(None) if column.dtype.is_float() else column
    names, codes = _quarters(known) if _is_continuous(known) else _values(known)
    if known.null_count():
        return Groups(column.name, (*names, MISSING), np.where(known.is_null().to_numpy(), len(names), codes))
    return Groups(column.name, names, codes)


def cut_all(columns: Iterable[str], *frames: "pl.DataFrame") -> Mapping[str, Groups]:
    """The groups of each named column, taken from the first frame that has it."""
    found: dict[str, Groups] = {}
    for name in dict.fromkeys(columns):
        holder = next((frame for frame in frames if name in frame.columns), None)
        if holder is None:
            known = {column for frame in frames for column in frame.columns}
            hint = "cut by a column of the request or by a feature"
            raise UsageError.unknown("column", name, known, where="validate", hint=hint)
        found[name] = cut(holder[name])
    return found


def _is_continuous(column: "pl.Series") -> bool:
    if column.dtype.is_integer():
        return column.n_unique() > MAX_VALUES
    return (column.dtype.is_float() or column.dtype.is_temporal()) and column.n_unique() > MAX_NUMBERS


def _values(column: "pl.Series") -> tuple[tuple[str, ...], Codes]:
    import polars as pl

    plain = column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column
    counts = plain.drop_nulls().value_counts().sort("count", plain.name, descending=[True, False])
    kept = counts[plain.name].head(MAX_VALUES).sort()
    position = {value: index for index, value in enumerate(kept)}
    codes = np.fromiter((position.get(value, len(position)) for value in plain), np.int64, len(plain))
    names = tuple(kept.cast(pl.String).to_list())
    return ((*names, OTHERS) if len(counts) > MAX_VALUES else names), codes


def _quarters(column: "pl.Series") -> tuple[tuple[str, ...], Codes]:
    ordered = column.drop_nulls().sort()
    cuts = [ordered[len(ordered) * quarter // QUARTERS] for quarter in range(1, QUARTERS)]
    above = [edge for edge in cuts if edge > ordered[0]] or [ordered.filter(ordered > ordered[0])[0]]
    edges = [ordered[0], *dict.fromkeys(above)]
    codes = np.sum([(column >= edge).fill_null(False).to_numpy() for edge in edges[1:]], axis=0, dtype=np.int64)
    inner = [f"{_text(low)} to <{_text(high)}" for low, high in pairwise(edges)]
    return (*inner, f"{_text(edges[-1])} to {_text(ordered[-1])}"), np.broadcast_to(codes, len(column))


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
