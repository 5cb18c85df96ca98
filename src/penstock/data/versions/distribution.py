"""How far the columns of one version are from those of another."""

from collections.abc import Collection

import polars as pl

from penstock.stats import Profile, Shift, shifts
from penstock.store import Store


def distribution(store: Store, before: str, after: str, private: Collection[str] = ()) -> tuple[Shift, ...]:
    """A Shift for each column that both versions have with the same type, the largest first.

    All rows of both are read. Nested and binary columns have no distribution; without rows on both sides there is none.
    `private` columns are left out: a shift names values that came and went.
    """
    old, new = store.manifest(before), store.manifest(after)
    if not (old.rows and new.rows):
        return ()
    left, right = store.scan(before), store.scan(after)
    other = right.collect_schema()
    same = [name for name, dtype in left.collect_schema().items() if other.get(name) == dtype and _is_plain(dtype)]
    names = [name for name in same if name not in private]
    if not names:
        return ()
    reference = Profile.build(left.select(names))
    found = shifts(reference, Profile.build(right.select(names), reference))
    return tuple(sorted(found, key=lambda one: (one.shifted, one.drift.debiased), reverse=True))


def _is_plain(dtype: pl.DataType) -> bool:
    return not dtype.is_nested() and dtype not in (pl.Binary, pl.Object, pl.Null)
