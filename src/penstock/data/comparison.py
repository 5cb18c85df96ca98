"""The difference of two versions: schema, parts, rows.

Parts that both versions have are not read: they cannot differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from penstock.store import Manifest, Store, Table

LEFT, RIGHT = "__before__", "__after__"


@dataclass(frozen=True)
class Diff:
    """What changed from `before` to `after`.

    schema   ({"column": "gate", "change": "added", "before": "", "after": "String"}, ...)
    key      the columns that rows were matched by; () means whole rows, and then no row counts as changed
    """

    before: str
    after: str
    schema: tuple[dict[str, str], ...]
    parts_added: int
    parts_removed: int
    rows_before: int
    rows_after: int
    key: tuple[str, ...]
    added: int
    removed: int
    changed: int

    @property
    def same(self) -> bool:
        """Whether both hold the same rows in the same columns."""
        return not (self.schema or self.added or self.removed or self.changed)


def compare(store: Store, before: str, after: str, key: Sequence[str] = ()) -> Diff:
    """The difference of two commits."""
    old, new = store.manifest(before), store.manifest(after)
    shared = {part.digest for part in old.parts} & {part.digest for part in new.parts}
    left, right = _rest(store, old, shared), _rest(store, new, shared)
    key = _common_key(old, new, key)
    added, removed, changed = _by_key(left, right, key) if key else _by_row(left, right)
    return Diff(
        before=before,
        after=after,
        schema=_schema_changes(old, new),
        parts_added=sum(part.digest not in shared for part in new.parts),
        parts_removed=sum(part.digest not in shared for part in old.parts),
        rows_before=old.rows,
        rows_after=new.rows,
        key=key,
        added=added,
        removed=removed,
        changed=changed,
    )


def _rest(store: Store, manifest: Manifest, shared: set[str]) -> pl.LazyFrame:
    parts = tuple(part for part in manifest.parts if part.digest not in shared)
    return store.rows(Table(manifest.schema, parts))


def _common_key(old: Manifest, new: Manifest, wanted: Sequence[str]) -> tuple[str, ...]:
    """The key, if both versions have its columns with the same types."""
    key = tuple(wanted) or tuple(new.notes.get("key", ()))
    return key if all((column in old.schema) for column in new.schema if column[0] in key) else ()


def _schema_changes(old: Manifest, new: Manifest) -> tuple[dict[str, str], ...]:
    before, after = dict(old.schema), dict(new.schema)
    changes = []
    for name in [*before, *(name for name in after if name not in before)]:
        left, right = before.get(name, ""), after.get(name, "")
        if left != right:
            change = "removed" if not right else "added" if not left else "type changed"
            changes.append({"column": name, "change": change, "before": left, "after": right})
    return tuple(changes)


def _comparable(left: pl.LazyFrame, right: pl.LazyFrame) -> list[str]:
    """Columns that both have with the same type."""
    other = right.collect_schema()
    return [name for name, dtype in left.collect_schema().items() if other.get(name) == dtype]


def _by_key(left: pl.LazyFrame, right: pl.LazyFrame, key: Sequence[str]) -> tuple[int, int, int]:
    names = [name for name in _comparable(left, right) if name not in key]
    both = left.select(*key, *names, pl.lit(True).alias(LEFT)).join(
        right.select(*key, *names, pl.lit(True).alias(RIGHT)), on=list(key), how="full", nulls_equal=True, suffix=RIGHT
    )
    matched = pl.col(LEFT).is_not_null() & pl.col(RIGHT).is_not_null()
    differs = pl.any_horizontal(pl.lit(False), *(pl.col(name).ne_missing(pl.col(name + RIGHT)) for name in names))
    counted = both.select(
        pl.col(LEFT).is_null().sum().alias("added"),
        pl.col(RIGHT).is_null().sum().alias("removed"),
        (matched & differs).sum().alias("changed"),
    )
    added, removed, changed = counted.collect().row(0)
    return added, removed, changed


def _by_row(left: pl.LazyFrame, right: pl.LazyFrame) -> tuple[int, int, int]:
    names = _comparable(left, right)
    if not names:
        return right.select(pl.len()).collect().item(), left.select(pl.len()).collect().item(), 0
    sides = [
        side.select(names).group_by(names).len("n").with_columns(pl.col("n").cast(pl.Int64) * sign)
        for side, sign in ((left, -1), (right, 1))
    ]
    net = pl.concat(sides).group_by(names).agg(pl.col("n").sum()).select(pl.col("n")).collect().get_column("n")
    return int(net.filter(net > 0).sum()), -int(net.filter(net < 0).sum()), 0
