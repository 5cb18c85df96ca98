"""Which checks each row breaks: a bit for every row and check, and words only for the rows that break one.

    checks ── marks ──> bits ── broken ──> which rows ── said ──> a list of reasons for each
                             └─ counts ──> how many rows per reason

To put a list of texts together for every row costs a hundred times as much as its bits: nearly all rows have none.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

BITS = 63  # checks whose marks fit in one number
LIST = pl.List(pl.String)


class Check(NamedTuple):
    """A condition that makes a row bad, and what to say about it. `severity` and `tolerance` as in a contract."""

    reason: str  # "dep_delay: above 3000"
    bad: pl.Expr
    severity: str = "quarantine"
    tolerance: float = 0.0


def marks(checks: Sequence[Check]) -> pl.Expr:
    """A struct of truths for every row, one field per check in their order. What is unknown is not bad."""
    raised = (check.bad.fill_null(False).alias(str(place)) for place, check in enumerate(checks))
    return pl.struct(*raised) if checks else pl.struct(pl.lit(False).alias("0"))


def broken(found: pl.Series) -> pl.Series:
    """Of marks: whether a row breaks any check."""
    return found.struct.unnest().select(pl.any_horizontal(pl.all())).to_series()


def counts(found: pl.Series, checks: Sequence[Check]) -> dict[str, int]:
    """Of marks: how many rows have each of the reasons, the most frequent first."""
    rows = found.struct.unnest().sum().row(0)
    counted: Counter[str] = Counter()
    for check, count in zip(checks, rows, strict=False):
        counted[check.reason] += count
    return {reason: count for reason, count in counted.most_common() if count}


def said(found: pl.Series, checks: Sequence[Check]) -> pl.Series:
    """Of marks: the reasons of every row as a list."""
    some = broken(found)
    if not some.any():
        return pl.Series([[]], dtype=LIST).new_from_index(0, found.len())
    listed = pl.Series([[]], dtype=LIST).append(_listed(found.filter(some).struct.unnest(), checks))
    return listed.rechunk().gather(some.cum_sum() * some)  # from two chunks it takes thirty times as long


def saying(checks: Sequence[Check]) -> pl.Expr:
    """`said` as an expression over rows."""
    if not checks:
        return pl.lit([], dtype=LIST)
    return marks(checks).map_batches(lambda found: said(found, checks), return_dtype=LIST, is_elementwise=True)


def _listed(found: pl.DataFrame, checks: Sequence[Check]) -> pl.Series:
    """A list is put together once for each combination of marks that occurs, which are few."""
    occurring = [(name, check.reason) for name, check in zip(found.columns, checks, strict=False) if found[name].any()]
    starts = range(0, len(occurring), BITS)
    parts = [_part(found, dict(occurring[start : start + BITS])) for start in starts]
    return pl.select(pl.concat_list(parts)).to_series() if len(parts) > 1 else parts[0]


def _part(found: pl.DataFrame, reasons: Mapping[str, str]) -> pl.Series:
    raised = (pl.col(name).cast(pl.UInt64) * (1 << bit) for bit, name in enumerate(reasons))
    bits = found.select(pl.sum_horizontal(raised)).to_series()
    kinds = bits.unique().sort()
    lists = [[reason for bit, reason in enumerate(reasons.values()) if kind >> bit & 1] for kind in kinds]
    return pl.Series(lists, dtype=LIST).gather(kinds.search_sorted(bits))
