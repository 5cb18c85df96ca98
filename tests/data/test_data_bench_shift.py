import numpy as np
import polars as pl
import pytest
from data.planted import clean, found, only, shapes


@pytest.mark.parametrize(("by", "severity"), [(0.25, "info"), (0.5, "warn"), (1.0, "warn")])
def test_a_moved_mean(by: float, severity: str) -> None:
    finding = only(found(clean().with_columns(pl.col("size") + by), clean(seed=1)), "shift")
    assert (finding.columns, finding.severity) == (("size",), severity)
    # of a normal moved by d standard deviations the PSI is d^2, in fine bins
    assert finding.evidence["debiased"] == pytest.approx(by**2, rel=0.35)
    picture = finding.evidence["picture"]
    assert len(picture["edges"]) - 1 == len(picture["now"]) == len(picture["before"])
    assert sum(picture["now"]) == pytest.approx(1)


def test_other_shares_of_categories() -> None:
    rows = clean().with_columns(shop=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("west")).otherwise("shop"))
    finding = only(found(rows, clean(seed=1)), "shift")
    assert finding.evidence["picture"]["levels"][0] == "west"


def test_clean_data_do_not_shift() -> None:
    """At most 0.2 alarms per 1,000 comparisons: 1,000 rows and 10,000, fifteen shapes each."""
    alarms = [
        (rows, seed, finding.columns)
        for rows, seeds in ((300, 60), (1000, 60), (10_000, 6))
        for seed in range(seeds)
        for finding in found(shapes(rows, seed=seed), shapes(rows, seed=10_000 + seed))
        if finding.kind == "shift"
    ]
    assert alarms == []  # of 1,890 comparisons


def test_times_keys_and_counters_move_on_and_do_not_shift() -> None:
    def batch(start: int) -> pl.DataFrame:
        number = pl.int_range(start, start + 1000, eager=True)
        return pl.DataFrame(
            {"number": number, "key": number.shuffle(seed=1), "noise": np.random.default_rng(start).random(1000)}
        )

    assert found(batch(1000), batch(0), key=("key",)) == []


def test_a_column_that_the_model_does_not_see_does_not_warn() -> None:
    moved = clean().with_columns(pl.col("size") + 1)
    assert only(found(moved, clean(seed=1), request=("price",)), "shift").severity == "info"


def test_what_is_missing_is_told_with_the_shift() -> None:
    gaps = clean().with_columns(size=pl.when(pl.int_range(pl.len()) % 10 > 0).then("size"))
    whole = clean(seed=1)
    assert only(found(gaps, whole), "shift").what.endswith(", with 10.0% more missing")
    assert only(found(whole, gaps), "shift").what.endswith(", with 10.0% fewer missing")


def test_numbers_with_a_fraction_are_no_counter_though_all_are_beyond() -> None:
    assert only(found(clean().with_columns(pl.col("size") + 1000), clean(seed=1)), "shift").columns == ("size",)


def test_of_few_rows_nothing_is_said() -> None:
    moved = clean().with_columns(pl.col("size") + 10)
    shifted = [rows for rows in (49, 50) for f in found(moved.head(rows), clean(seed=1)) if f.kind == "shift"]
    assert shifted == [50]
