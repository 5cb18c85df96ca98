"""The difference of two versions: schema, parts, rows.

Parts that both versions have are not read: they cannot differ.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from penstock.data.contracts.dtypes import dtype_of, type_name
from penstock.data.contracts.evolution import Field, candidates, evolution, likeness
from penstock.data.contracts.schema import Change
from penstock.errors import UsageError
from penstock.stats import Shift
from penstock.store import Manifest, Store, Table


@dataclass(frozen=True)
class Diff:
    """What changed from `before` to `after`.

    schema      ({"column": "gate", "change": "added", "before": "", "after": "String"}, ...): see contracts.evolution
    downstream  ({"column", "change", "read by", "means"}, ...): what that means, where a project knows who reads them
    key         the columns that rows were matched by; () means whole rows, since the versions have no common key or
                rows that share one; then no row counts as changed
    shifts      how far each column of both is from what it was, the largest first; () unless that was asked for
    """

    before: str
    after: str
    schema: tuple[Change, ...]
    parts_added: int
    parts_removed: int
    rows_before: int
    rows_after: int
    key: tuple[str, ...]
    added: int
    removed: int
    changed: int
    downstream: tuple[Change, ...] = ()
    shifts: tuple[Shift, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both hold the same rows in the same columns."""
        return not (self.schema or self.added or self.removed or self.changed)


def compare(store: Store, before: str, after: str, key: Sequence[str] = ()) -> Diff:
    """The difference of two commits. UsageError when rows share a `key` that was asked for."""
    old, new = store.manifest(before), store.manifest(after)
    gone, fresh = _parts(old) - _parts(new), _parts(new) - _parts(old)
    left, right = _rows(store, old, gone), _rows(store, new, fresh)
    asked, key = key, _common_key(old, new, key)
    if key and not (tells_apart(left, key) and tells_apart(right, key)):
        if asked:
            raise UsageError(f"rows cannot be matched by {', '.join(asked)}: some of them share it")
        key = ()
    added, removed, changed = _by_key(left, right, key) if key else _by_row(left, right)
    return Diff(
        before=before,
        after=after,
        schema=_schema_changes(old, new, left, right),
        parts_added=fresh.total(),
        parts_removed=gone.total(),
        rows_before=old.rows,
        rows_after=new.rows,
        key=key,
        added=added,
        removed=removed,
        changed=changed,
    )


def _parts(manifest: Manifest) -> Counter[str]:
    """How often a version holds each part: equal files are equal parts."""
    return Counter(part.digest for part in manifest.parts)


def _rows(store: Store, manifest: Manifest, wanted: Counter[str]) -> pl.LazyFrame:
    parts = {part.digest: part for part in manifest.parts}
    return store.rows(Table(manifest.schema, tuple(parts[digest] for digest in wanted.elements())))


def _common_key(old: Manifest, new: Manifest, wanted: Sequence[str]) -> tuple[str, ...]:
    """The key, if both versions have its columns with the same types. UsageError when neither has one of them."""
    before, after = dict(old.schema), dict(new.schema)
    for name in wanted:
        if name not in before and name not in after:
            raise UsageError.unknown("column", name, {**before, **after})
    key = tuple(wanted) or tuple(new.notes.get("key", ()))
    return key if all(before.get(name) == after.get(name) for name in key) else ()


def tells_apart(rows: pl.LazyFrame, key: Sequence[str]) -> bool:
    """Whether no two rows share a key: what is matched twice would be counted twice."""
    shared = rows.group_by(_numbered("key", key)).len("rows").filter(pl.col("rows") > 1)
    return not shared.head(1).collect().height


def _schema_changes(old: Manifest, new: Manifest, left: pl.LazyFrame, right: pl.LazyFrame) -> tuple[Change, ...]:
    before, after = _fields(old), _fields(new)
    alike = likeness(left, right, candidates(before, after))
    return tuple(change.row for change in evolution(before, after, alike))


def _fields(manifest: Manifest) -> dict[str, Field]:
    """Its columns: their types, whether a value is missing, and what the contract said of them."""
    said = manifest.notes.get("columns", {})
    return {
        name: Field(type_name(dtype_of(dtype)), _nullable(manifest, name), **said.get(name, {}))
        for name, dtype in manifest.schema
    }


def _nullable(manifest: Manifest, column: str) -> bool | None:
    counts = [part.columns.get(column, {}).get("nulls") for part in manifest.parts]
    return None if None in counts or not counts else any(counts)


def _comparable(left: pl.LazyFrame, right: pl.LazyFrame) -> list[str]:
    """Columns that both have with the same type."""
    other = right.collect_schema()
    return [name for name, dtype in left.collect_schema().items() if other.get(name) == dtype]


def _by_key(left: pl.LazyFrame, right: pl.LazyFrame, key: Sequence[str]) -> tuple[int, int, int]:
    names = [name for name in _comparable(left, right) if name not in key]
    keys, values = _numbered("key", key), _numbered("value", names)
    both = left.select(*keys, *values, pl.lit(True).alias("before")).join(
        right.select(*keys, *values, pl.lit(True).alias("after")),
        on=[f"key{number}" for number in range(len(key))],
        how="full",
        nulls_equal=True,
        suffix="_after",
    )
    matched = pl.col("before").is_not_null() & pl.col("after").is_not_null()
    pairs = ((pl.col(f"value{number}"), pl.col(f"value{number}_after")) for number in range(len(names)))
    differs = pl.any_horizontal(pl.lit(False), *(one.ne_missing(other) for one, other in pairs))
    counted = both.select(
        pl.col("before").is_null().sum().alias("added"),
        pl.col("after").is_null().sum().alias("removed"),
        (matched & differs).sum().alias("changed"),
    )
    added, removed, changed = counted.collect().row(0)
    return added, removed, changed


def _by_row(left: pl.LazyFrame, right: pl.LazyFrame) -> tuple[int, int, int]:
    names = _comparable(left, right)
    if not names:
        return right.select(pl.len()).collect().item(), left.select(pl.len()).collect().item(), 0
    sides = [
        side.group_by(_numbered("value", names)).len("rows").with_columns(pl.col("rows").cast(pl.Int64) * sign)
        for side, sign in ((left, -1), (right, 1))
    ]
    net = pl.concat(sides).group_by(pl.exclude("rows")).agg(pl.col("rows").sum()).collect().get_column("rows")
    return int(net.filter(net > 0).sum()), -int(net.filter(net < 0).sum()), 0


def _numbered(prefix: str, names: Sequence[str]) -> list[pl.Expr]:
    """Columns under names of our own, which no other column of ours has."""
    return [pl.col(name).alias(f"{prefix}{number}") for number, name in enumerate(names)]
