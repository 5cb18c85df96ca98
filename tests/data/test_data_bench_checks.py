import polars as pl
import pytest
from data.planted import clean

from penstock.data.bench.benching import bench_frames
from penstock.data.bench.checks import FULL, QUICK, run_checks
from penstock.data.bench.context import Context
from penstock.data.bench.facts import Facts, Side
from penstock.project import BENCH_KINDS


def test_every_kind_has_a_check_and_every_check_a_kind() -> None:
    assert {*QUICK.values(), *FULL.values()} == set(BENCH_KINDS)


def broken() -> pl.DataFrame:
    rows = clean(2000)
    return pl.concat([rows, rows.head(400)]).with_columns(same=pl.lit(1), gaps=pl.lit(None, dtype=pl.Int64))


@pytest.mark.parametrize("kind", ["constant", "missing", "duplicate_rows"])
def test_of_some_kinds_only_those_are_looked_for(kind: str) -> None:
    every = bench_frames(broken().lazy(), clean(2000, seed=1).lazy()).findings
    some = bench_frames(broken().lazy(), clean(2000, seed=1).lazy(), kinds=[kind]).findings
    assert some
    assert list(some) == [finding for finding in every if finding.kind == kind]


def test_the_profile_of_a_version_that_grew_is_that_of_all_its_rows() -> None:
    before, added = clean(3000), clean(500, seed=1)
    whole = Side(pl.concat([before, added]).lazy())
    grown = Facts(whole, Side(added.lazy()), Side(before.lazy()), Context())
    assert grown.profile.rows == whole.profile.rows == 3500
    for name, column in grown.profile.columns.items():
        assert (column.rows, column.missing) == (3500, whole.profile.columns[name].missing)
    assert run_checks(grown, "quick", ["schema"]) == []
