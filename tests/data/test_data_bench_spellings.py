from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from data.planted import clean, found, only, selected, shapes
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.bench import spellings

COUNTRIES = ["DE"] * 700 + ["FR"] * 200 + ["It"] * 100


def with_shops(values: Sequence[str | None]) -> pl.DataFrame:
    return clean(len(values)).with_columns(shop=pl.Series(values, dtype=pl.String))


@pytest.mark.parametrize(
    "other", ["de", "De", " DE", "DE ", "DE\t", "ＤＥ", "Ｄe ", "D\u200bE", "\ufeffDE", "DE\u00a0", "DE\n"]
)
def test_a_spelling_of_the_same(other: str) -> None:
    rows = with_shops([*COUNTRIES, *[other] * 12, None])
    finding = only(found(rows), "category")
    assert finding.what == f"'shop' has 2 spellings of the same: 'DE' (700 rows), {other!r} (12 rows)"
    assert (finding.severity, finding.count, finding.share) == ("warn", 12, 12 / 1013)
    assert selected(rows, finding)["shop"].to_list() == [other] * 12


def test_rare_ones_are_told_and_do_not_warn() -> None:
    rows = with_shops([*COUNTRIES, "de", "de", "dE ", "fr"])
    finding = only(found(rows), "category")
    assert (finding.severity, finding.count) == ("info", 4)
    assert finding.what.endswith("'DE' (700 rows), 'de' (2 rows), 'dE ' (1 rows); so have 1 more of its categories")
    assert sorted(selected(rows, finding)["shop"]) == ["dE ", "de", "de", "fr"]


@pytest.mark.parametrize(
    ("known", "severity"),
    [({"request": ("size",)}, "info"), ({"request": ("size",), "target": "shop"}, "warn"), ({}, "warn")],
)
def test_spellings_warn_where_a_model_learns_from_the_column(known: dict[str, object], severity: str) -> None:
    rows = with_shops([*COUNTRIES, *["de"] * 50])
    assert [one.severity for one in found(rows, **known) if one.kind == "category"] == [severity]


def test_spellings_that_look_the_same_are_shown_by_their_characters() -> None:
    finding = only(found(with_shops(["Café"] * 900 + ["Cafe\u0301"] * 50 + ["Bar"] * 50)), "category")
    assert "'Café' (900 rows), 'Cafe\\u0301' (50 rows)" in finding.what


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["DE", "de'", "DE'", 'say "x"'])])
def test_categories_and_quotes(dtype: pl.DataType) -> None:
    rows = with_shops(["DE", "DE'", 'say "x"'] * 300 + ["de'"] * 30).with_columns(pl.col("shop").cast(dtype))
    finding = only(found(rows), "category")
    assert selected(rows, finding)["shop"].to_list() == ["de'"] * 30


@pytest.mark.parametrize(("first", "second"), [("m2", "m²"), ("CO2", "CO₂"), ("12", "1½"), ("New York", "NewYork")])
def test_what_says_something_else_is_another_category(first: str, second: str) -> None:
    assert found(with_shops([first] * 500 + [second] * 500)) == []


@pytest.mark.parametrize("length", [2, 3, 4])
def test_short_random_names_are_told_apart_by_their_case(length: int) -> None:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))
    rng = np.random.default_rng(length)
    names = ["".join(row) for row in letters[rng.integers(0, 62, (3000, length))]]
    assert found(with_shops(rng.choice(names, 30_000).tolist())) == []


def test_keys_and_columns_where_nearly_every_value_differs_are_no_categories() -> None:
    text = with_shops([f"{word} {n}" for n in range(1000) for word in ("Order", "order")])
    assert found(text) == []
    rows = with_shops([*COUNTRIES, *["de"] * 50])
    assert [one.kind for one in found(rows, key=("id", "shop"))] == []


def test_a_column_has_too_many_levels_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = with_shops([*COUNTRIES, *["de"] * 50])
    monkeypatch.setattr(spellings, "LEVELS", 3)
    assert found(rows) == []
    monkeypatch.setattr(spellings, "LEVELS", 4)
    monkeypatch.setattr(spellings, "LISTED", 0)
    assert only(found(rows), "category").filter is None


def test_clean_tables_have_one_spelling_of_each() -> None:
    assert [one for seed in range(60) for one in found(shapes(1000, seed=seed)) if one.kind == "category"] == []


def test_personal_data_are_not_shown() -> None:
    (finding,) = found(with_shops([*COUNTRIES, *["de"] * 50]), private=("shop",))
    assert "DE" not in str(finding)
    assert finding.filter is None


@given(st.lists(st.text("aA éÉ²2\u200b", max_size=3), min_size=2, max_size=8, unique=True))
def test_every_filter_selects_the_rarer_rows(levels: list[str]) -> None:
    rows = pl.DataFrame({"x": [level for place, level in enumerate(levels) for _ in range(40 - place)]})
    for finding in (one for one in found(rows) if one.kind == "category"):
        chosen = selected(rows, finding)
        assert finding.count == chosen.height
        kept = {next(iter(group)) for group in finding.evidence["spellings"]}
        assert not kept & set(chosen["x"])
