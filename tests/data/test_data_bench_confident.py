import numpy as np
import polars as pl
import pytest
from data.planted import clean, only, report, selected

from penstock.data.bench.confident import wrong_labels

ROWS = 1500


def examples(steepness: float, flipped: int, seed: int = 0) -> tuple[pl.DataFrame, set[str]]:
    """Labels that follow `size`, the steeper the surer; so many of them turned around."""
    rng = np.random.default_rng(seed)
    rows = clean(ROWS, seed=seed)
    label = (steepness * rows["size"] + pl.Series(rng.logistic(size=ROWS)) > 0).to_numpy().copy()
    turned = rng.choice(ROWS, flipped, replace=False)
    label[turned] = ~label[turned]
    return rows.with_columns(y=pl.Series(label)), set(rows["id"].gather(turned))


def suspects(rows: pl.DataFrame, **known: object) -> list:
    found = report(rows, depth="full", key=("id",), time="at", target="y", task="binary", **known).findings
    return [finding for finding in found if finding.kind == "mislabelled"]


@pytest.mark.parametrize("flipped", [30, 75])
def test_labels_that_were_turned_around(flipped: int) -> None:
    rows, turned = examples(1e4, flipped)
    finding = only(suspects(rows), "mislabelled")
    told = set(selected(rows, finding)["id"])
    assert len(told) == finding.count
    assert len(told & turned) >= 0.8 * flipped
    assert len(told - turned) <= 0.2 * flipped


def test_personal_keys_are_not_shown() -> None:
    rows, _ = examples(1e4, 30)
    shown = [only(suspects(rows, private=private), "mislabelled").evidence["rows"] for private in ((), ("id",))]
    assert [{name for row in one for name in row["key"]} for one in shown] == [{"id"}, set()]


@pytest.mark.parametrize("steepness", [1, 5, 20])
def test_classes_that_overlap_by_nature_are_not_called_wrong(steepness: float) -> None:
    assert [one.what for seed in range(2) for one in suspects(examples(steepness, 0, seed)[0])] == []


def test_the_rule_on_probabilities() -> None:
    given = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    sure = np.array([[0.95, 0.05]] * 3 + [[0.02, 0.98]] + [[0.05, 0.95]] * 4)
    assert [found.tolist() for found in wrong_labels(sure, given)] == [[3], [1]]
    unsure = np.full((8, 2), 0.5)
    assert [found.tolist() for found in wrong_labels(unsure, given)] == [[], []]
