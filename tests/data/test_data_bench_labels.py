import numpy as np
import polars as pl
import pytest
from data.planted import clean, found, kinds, only, selected

from penstock.data.bench import duplicate_rows

EXAMPLES = {"target": "y", "task": "binary", "key": ("id",), "time": "at"}


def examples() -> pl.DataFrame:
    return clean().with_columns(y=pl.Series(np.random.default_rng(3).random(2000) < 0.4))


@pytest.mark.parametrize("torn", [1, 25])
def test_equal_rows_with_another_label(torn: int) -> None:
    again = examples().head(torn).with_columns(pl.col("id") + "-again", ~pl.col("y"))
    rows = pl.concat([examples(), again])
    finding = only(found(rows, **EXAMPLES), "label_conflict")
    assert finding.count == 2 * torn == selected(rows, finding).height


def test_rows_that_are_looked_at_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicate_rows, "ROWS_AT_ONCE", 300)
    again = examples().head(40).with_columns(pl.col("id") + "-again", ~pl.col("y"))
    assert only(found(pl.concat([examples(), again]), **EXAMPLES), "label_conflict").count == 80


def test_copies_that_agree_and_rows_without_a_label_do_not_conflict() -> None:
    again = examples().head(25).with_columns(pl.col("id") + "-again")
    unknown = examples().slice(50, 25).with_columns(pl.col("id") + "-again", y=pl.lit(None, pl.Boolean))
    assert "label_conflict" not in kinds(found(pl.concat([examples(), again, unknown]), **EXAMPLES))


def test_rows_of_few_values_disagree_by_nature() -> None:
    assert "label_conflict" not in kinds(found(examples().select("shop", "age", "y"), target="y", task="binary"))
