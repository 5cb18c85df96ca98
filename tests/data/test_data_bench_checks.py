from dataclasses import replace

import polars as pl
import pytest
from data.planted import clean

from penstock.data.bench.benching import bench_frames
from penstock.data.bench.checks import FULL, QUICK, run_checks
from penstock.data.bench.context import Context
from penstock.data.bench.facts import Facts, Side
from penstock.project import BENCH_KINDS
from penstock.stats import Profile


def test_every_kind_has_a_check_and_every_check_a_kind() -> None:
    assert {check.kind for check in (*QUICK, *FULL)} == set(BENCH_KINDS)


def broken() -> pl.DataFrame:
    rows = clean(2000)
    return pl.concat([rows, rows.head(400)]).with_columns(same=pl.lit(1), gaps=pl.lit(None, dtype=pl.Int64))


@pytest.mark.parametrize("kind", ["constant", "missing", "duplicate_rows"])
def test_of_some_kinds_only_those_are_looked_for(kind: str) -> None:
    every = bench_frames(broken().lazy(), clean(2000, seed=1).lazy()).findings
    some = bench_frames(broken().lazy(), clean(2000, seed=1).lazy(), kinds=[kind]).findings
    assert some
    assert list(some) == [finding for finding in every if finding.kind == kind]


def grown() -> Facts:
    before, added = clean(3000), clean(500, seed=1)
    return Facts(Side(pl.concat([before, added]).lazy()), Side(added.lazy()), Side(before.lazy()), Context())


def test_the_profile_of_a_version_that_grew_is_that_of_all_its_rows() -> None:
    facts = grown()
    assert facts.profile is not None
    assert facts.profiles is not None
    whole = Profile.build(facts.now.rows, facts.profiles[0])
    assert facts.profile.rows == whole.rows == 3500
    for name, column in facts.profile.columns.items():
        assert (column.rows, column.counts) == (3500, whole.columns[name].counts)
    assert run_checks(facts, "quick", ["schema"]) == []


def test_a_kept_profile_saves_reading_the_rows_before() -> None:
    facts = grown()
    assert facts.profiles is not None
    gone = Side(pl.LazyFrame())
    gone.__dict__.update({"height": 3000, "schema": facts.batch.schema})
    assert replace(facts, before=gone, kept=facts.profiles[0]).profiles == facts.profiles


def test_columns_that_were_not_kept_are_counted_again() -> None:
    facts = grown()
    assert facts.profiles is not None
    some = Profile(3000, {name: column for name, column in facts.profiles[0].columns.items() if name != "size"})
    assert replace(facts, kept=some).profiles == facts.profiles


def test_without_rows_before_there_is_no_profile() -> None:
    rows = Side(clean().lazy())
    assert Facts(rows, rows, None, Context()).profile is None


def test_columns_that_outgrew_their_bins_are_not_kept() -> None:
    before, added = clean(3000), clean(3000, seed=1).with_columns(pl.col("size") + 1e6)
    facts = Facts(Side(pl.concat([before, added]).lazy()), Side(added.lazy()), Side(before.lazy()), Context())
    assert facts.profile is not None
    assert "age" in facts.profile.columns
    assert "size" not in facts.profile.columns
