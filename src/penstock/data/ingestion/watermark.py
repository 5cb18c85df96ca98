"""What is newer than the rows that are kept, where a dataset appends by watermark.

A row counts when its watermark is after the newest kept one. At the newest, rows are told apart by the dataset's key;
without a key only later ones count. A row without a watermark is bad, and so is set aside, not passed over.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from penstock.data.reserved import ROW
from penstock.store import Store


class Newer(NamedTuple):
    """Which rows count.

    newest  of the kept watermarks, a series of one value: as a Python value it would lose its nanoseconds
    there   keys of the kept rows at the newest watermark; None where the dataset has no key
    kept    how many rows are kept at the newest watermark
    """

    column: str
    newest: pl.Series
    there: pl.DataFrame | None = None
    kept: int = 0

    @property
    def since(self) -> object:
        """The newest kept watermark as a Python value: what a source is asked with."""
        return self.newest.item()

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that count, in their order. `rows` are typed and have the column `__row__`."""
        mark, newest = pl.col(self.column), pl.lit(self.newest).first()
        if self.there is None:
            return rows.filter(~(mark <= newest).fill_null(False))
        level = rows.filter(mark == newest)
        known = level.join(self.there, on=self.there.columns, how="semi").get_column(ROW)
        return rows.filter(~(mark < newest).fill_null(False) & ~pl.col(ROW).is_in(known.implode()))

    def level(self, rows: pl.DataFrame) -> int:
        """How many rows are at the newest watermark itself: who is asked for what is after it, or at it, gives them."""
        return int(rows.select((pl.col(self.column) == pl.lit(self.newest).first()).sum()).item())


def newer_than(store: Store, commit: str, column: str, key: Sequence[str]) -> Newer | None:
    """What counts beside the rows of a version; None when it keeps none that has a watermark."""
    rows = store.scan(commit)
    newest = rows.select(pl.col(column).max()).collect().to_series()
    if newest.null_count():
        return None
    level = rows.filter(pl.col(column) == pl.lit(newest).first()).select({column, *key}).collect()
    return Newer(column, newest, level.select(*key) if key else None, level.height)
