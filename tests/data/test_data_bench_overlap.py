import numpy as np
import polars as pl
import pytest
from data.planted import clean, only, report

from penstock.data.split import holdout_mask

KNOWN = {"target": "y", "task": "binary", "key": ("id",)}


def examples() -> pl.DataFrame:
    return clean(1000).with_columns(y=pl.Series(np.random.default_rng(3).random(1000) < 0.4))


def twins(rows: pl.DataFrame, **known: object) -> list:
    found = report(rows, depth="full", **KNOWN, **known).findings
    return [finding for finding in found if finding.kind == "overlap"]


def test_rows_of_the_holdout_that_were_learned_from() -> None:
    late = pl.col("at") + pl.duration(days=40)
    again = examples().head(100).with_columns(pl.col("id") + "-again", late)
    rows = pl.concat([examples(), again])
    finding = only(twins(rows, time="at", holdout="last 20%"), "overlap")
    assert (finding.severity, finding.count) == ("error", 100)


@pytest.mark.parametrize(("task", "strata"), [("multiclass", "y"), ("regression", None)])
def test_the_holdout_is_the_one_of_the_training_set(task: str, strata: str | None) -> None:
    of_few = clean(1000).with_columns(y=pl.int_range(pl.len()) % 300)  # each class of few rows is on both sides
    rows = pl.concat([of_few, of_few.head(200).with_columns(pl.col("id") + "-again")])
    held = holdout_mask(rows, "random 20%", time=None, key=("id",), strata=strata, seed=7)
    features = rows.select("size", "price", "age", "shop")
    twice = features.filter(held).join(features.filter(~held), on=features.columns, how="semi")
    known = {**KNOWN, "task": task, "request": tuple(features.columns), "holdout": "random 20%"}
    finding = only(list(report(rows, depth="full", **known).findings), "overlap")
    assert finding.count == twice.height > 20


def test_twins_on_one_side_and_rows_of_few_values_do_not_overlap() -> None:
    assert twins(examples(), time="at", holdout="last 20%") == []
    same_side = pl.concat([examples(), examples().head(50).with_columns(pl.col("id") + "-again")])
    assert twins(same_side, time="at", holdout="last 20%") == []
    assert twins(examples().select("id", "shop", "age", "y"), holdout="random 20%") == []


def test_a_row_without_a_time_is_for_other_checks() -> None:
    rows = examples().with_columns(at=pl.when(pl.col("age") > 20).then("at"))
    assert twins(rows, time="at", holdout="last 20%") == []
