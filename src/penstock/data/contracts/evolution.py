"""Schema evolution: what became of each column, and what that means for whoever reads it. Pure.

removed, added, renamed       a column that is gone and a new one of the same type that holds nearly the same values
widened                       every value of the old type is one of the new: Int32 to Int64, Date to Datetime[us]
narrowed                      the other way round
type changed                  neither: Int64 to Float64 loses digits beyond 2^53
may be missing                values lack where none lacked before; that none lacks any more breaks nobody
unit, meaning                 as the contract says
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from penstock.data.contracts.dtypes import relation

SURE = 0.8  # of the values in common: from here on a column counts as renamed
LOOKED_AT = 20_000  # rows
BINS = 20
CATEGORIES = 50  # more different values than this are compared by the bins that they fall into


@dataclass(frozen=True)
class Field:
    """What is known of a column. `nullable`: None where nobody knows."""

    type: str
    nullable: bool | None = None
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class ColumnChange:
    """What became of a column. `sure`: of a new name, the share of values that both columns have in common."""

    column: str
    change: str
    before: str
    after: str
    sure: float | None = None

    @property
    def row(self) -> dict[str, object]:
        """The line of a table."""
        sure = f"{self.after} ({self.sure:.0%} of the values in common)" if self.sure is not None else self.after
        return {"column": self.column, "change": self.change, "before": self.before, "after": sure}


@dataclass(frozen=True)
class Reader:
    """Something downstream that reads columns of a dataset.

    kind     key, time, rule, ratio, transform, feature view, request, target, group or model
    name     "plausible speed", "transform arrivals", "production model flights@3"
    """

    kind: str
    name: str
    columns: frozenset[str]


def evolution(
    before: Mapping[str, Field], after: Mapping[str, Field], likeness: Mapping[tuple[str, str], float] | None = None
) -> tuple[ColumnChange, ...]:
    """The changes from one set of columns to another, in the order of the columns.

    `likeness` says for pairs of a column that is gone and one that is new which share of values they have in common.
    """
    renamed = _renamed(before, after, likeness or {})
    changes: list[ColumnChange] = []
    for name, field in before.items():
        if name in after:
            changes += _changes(name, field, after[name])
        elif name in renamed:
            new, share = renamed[name]
            changes += [ColumnChange(name, "renamed", name, new, share), *_changes(new, field, after[new])]
        else:
            changes.append(ColumnChange(name, "removed", field.type, ""))
    taken = {new for new, _ in renamed.values()}
    added = [name for name in after if name not in before and name not in taken]
    return (*changes, *(ColumnChange(name, "added", "", after[name].type) for name in added))


def candidates(before: Mapping[str, Field], after: Mapping[str, Field]) -> list[tuple[str, str]]:
    """Pairs of a column that is gone and a new one of its type: whose values are worth comparing."""
    gone = [name for name in before if name not in after]
    new = [name for name in after if name not in before]
    return [(old, one) for old in gone for one in new if before[old].type == after[one].type]


def common_share(before: pl.Series, after: pl.Series) -> float:
    """How much two columns' values have in common: 1 - total variation distance of their distributions.

    Over the values themselves where they are few or texts, else over 20 bins between quantiles of `before`; missing is
    a value of its own. 0 where `before` has fewer than two different values: nothing tells such a column apart.
    """
    if before.n_unique() < 2 or after.is_empty():
        return 0.0
    numeric = before.dtype.is_numeric() or before.dtype.is_temporal()
    if numeric and before.n_unique() > CATEGORIES:
        old, new = before.to_physical().cast(pl.Float64), after.to_physical().cast(pl.Float64)
        edges = [old.quantile(step / BINS) for step in range(1, BINS)]
        cuts = pl.Series(sorted({edge for edge in edges if edge is not None}), dtype=pl.Float64)
        before, after = (_binned(side, cuts) for side in (old, new))
    elif before.dtype.is_nested():
        return 0.0
    counts = [pl.DataFrame({"value": side}).group_by("value").len("rows") for side in (before, after)]
    both = counts[0].join(counts[1], on="value", how="inner", nulls_equal=True, suffix="_after")
    shares = pl.min_horizontal(pl.col("rows") / before.len(), pl.col("rows_after") / after.len())
    return float(both.select(shares.sum()).item())


def _binned(values: pl.Series, cuts: pl.Series) -> pl.Series:
    return cuts.search_sorted(values.fill_null(0)).zip_with(values.is_not_null(), pl.Series([None], dtype=pl.UInt32))


def likeness(
    before: pl.LazyFrame, after: pl.LazyFrame, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], float]:
    """`common_share` of pairs of columns, of the first rows of both sides."""
    if not pairs:
        return {}
    old = before.select(list(dict.fromkeys(one for one, _ in pairs))).head(LOOKED_AT).collect()
    new = after.select(list(dict.fromkeys(other for _, other in pairs))).head(LOOKED_AT).collect()
    return {(one, other): common_share(old[one], new[other]) for one, other in pairs}


# --- what it means downstream ----------------------------------------------------------------------

_CODE = {
    "gone": "its code names the column: it fails, or finds nothing",
    "type": "its code meets another type",
    "missing": "its code meets missing values",
}
_OTHER = {"gone": "it cannot be computed", "type": "its condition may not fit the type"}
MEANS: Mapping[str, Mapping[str, str]] = {
    "key": {"gone": "nothing tells rows apart", "type": "rows match none of an older version"},
    "time": {"gone": "rows have no moment", "type": "rows are placed in time by another type"},
    "rule": _OTHER,
    "ratio": _OTHER,
    "transform": _CODE,
    "feature view": _CODE,
    "request": {
        "gone": "examples lack a column that requests have: training stops",
        "type": "callers must send another type once a model is trained on it",
        "missing": "a model trained on it lets callers leave it out",
    },
    "target": {
        "gone": "there is no answer to learn from",
        "type": "answers are other values: `positive` may not be among them",
        "missing": "rows without an answer teach nothing",
    },
    "group": {"gone": "its groups cannot be formed", "missing": "rows without it are a group of their own"},
    "model": {
        "gone": "it answers as before; a retrained one lacks the column",
        "type": "its signature has the old type: callers of the new one are refused",
        "wider": "its signature has the narrower type: values beyond it are refused",
        "missing": "it may meet missing values that it has never seen",
    },
}
UNIT = "the numbers mean something else: bounds and trained models do not know"
SORTS = {
    "removed": "gone", "missing": "gone", "renamed": "gone", "narrowed": "type", "type changed": "type",
    "widened": "wider", "may be missing": "missing",
}  # fmt: skip


def effects(changes: Sequence[tuple[str, str]], readers: Sequence[Reader]) -> list[dict[str, object]]:
    """A line for each reader that a change concerns. `changes` are (column, change)."""
    return [
        {"column": column, "change": change, "read by": reader.name, "means": means}
        for column, change in changes
        for reader in readers
        if column in reader.columns and (means := _means(change, reader.kind))
    ]


def _means(change: str, kind: str) -> str:
    if change in ("unit", "meaning"):
        return UNIT
    return MEANS[kind].get(SORTS.get(change, ""), "")


def _changes(name: str, old: Field, new: Field) -> Iterator[ColumnChange]:
    if old.type != new.type:
        yield ColumnChange(name, relation(old.type, new.type), old.type, new.type)
    if old.nullable is False and new.nullable:
        yield ColumnChange(name, "may be missing", "never missing", "may be missing")
    if old.unit != new.unit:
        yield ColumnChange(name, "unit", old.unit, new.unit)
    if old.meaning != new.meaning:
        yield ColumnChange(name, "meaning", old.meaning, new.meaning)


def _renamed(
    before: Mapping[str, Field], after: Mapping[str, Field], likeness: Mapping[tuple[str, str], float]
) -> dict[str, tuple[str, float]]:
    """Pairs that are sure enough, the surest first; each column is in one of them."""
    found: dict[str, tuple[str, float]] = {}
    for (old, new), share in sorted(likeness.items(), key=lambda pair: -pair[1]):
        free = old in before and new in after and old not in found and all(new != other for other, _ in found.values())
        if share >= SURE and free:
            found[old] = (new, share)
    return found
