import json
import subprocess
import sys

import polars as pl
import pytest
from data.planted import clean, report

from penstock.data import BenchReport, Context, bench_version
from penstock.data.bench.facts import SAMPLE, sampled
from penstock.project import BENCH_KINDS
from penstock.store import Manifest

NUMBER = pl.col("n")
MESSY = {
    "all null": pl.DataFrame({"x": [None] * 20, "y": pl.Series([None] * 20, dtype=pl.Float64)}),
    "one row": clean(1),
    "no rows": clean(0),
    "no columns": pl.DataFrame(),
    "odd names": pl.DataFrame(
        {'say "x"': [1.5, None, 9.0] * 9, "a b": ["u", "v", None] * 9, "ü'": range(27), "": [1] * 27}
    ),
    "nested": pl.DataFrame(
        {"l": [[1], [2, 3]] * 20, "s": [{"a": 1}, {"a": None}] * 20, "b": [b"x", b"y"] * 20, "a": [[1.0, 2.0]] * 40},
        schema_overrides={"a": pl.Array(pl.Float64, 2)},
    ),
    "other types": pl.DataFrame({"n": range(60)}).with_columns(
        NUMBER.cast(pl.Decimal(10, 2)).alias("decimal"),
        NUMBER.cast(pl.String).cast(pl.Categorical).alias("category"),
        NUMBER.cast(pl.Int128).alias("wide"),
        NUMBER.cast(pl.Float32).alias("half"),
        NUMBER.cast(pl.UInt8).alias("small"),
        pl.duration(hours=NUMBER).alias("duration"),
        pl.time(NUMBER % 24).alias("time"),
        pl.lit(None).alias("null"),
    ),
    "wide": pl.DataFrame({f"c{i}": [(i * 37 + j * 101) % 997 for j in range(40)] for i in range(1000)}),
}


@pytest.mark.parametrize("name", MESSY)
@pytest.mark.parametrize("depth", ["quick", "full"])
@pytest.mark.parametrize("other", ["itself", "clean"])
def test_no_table_is_too_messy(name: str, other: str, depth: str) -> None:
    rows = MESSY[name]
    target = {"target": rows.columns[-1], "task": "multiclass"} if rows.columns else {}
    done = report(rows, rows if other == "itself" else clean(50), depth, key=tuple(rows.columns[:1]), **target)
    assert done.rows == rows.height
    assert {finding.kind for finding in done.findings} <= set(BENCH_KINDS)
    for finding in done.findings:
        if finding.filter:
            assert rows.lazy().filter(pl.sql_expr(finding.filter)).collect().height == finding.count, finding


def test_a_report_comes_back_from_json() -> None:
    rows = pl.concat([clean(), clean().head(20)]).with_columns(pl.col("size") + 1)
    done = report(rows, clean(seed=1))
    assert done.findings
    assert BenchReport.from_json(json.loads(json.dumps(done.to_json(), allow_nan=False))) == done
    with pytest.raises(ValueError, match=r"penstock\.bench/1"):
        BenchReport.from_json({"format": "other"})


def test_the_worst_comes_first() -> None:
    rows = clean().with_columns(y=pl.col("size") > 0, copy=pl.col("size"), k=pl.lit(1))
    severities = [finding.severity for finding in report(rows, target="y", task="binary").findings]
    assert severities == sorted(severities, key=["error", "warn", "info"].index)
    assert set(severities) == {"error", "warn", "info"}


def kept(lab, *frames: pl.DataFrame) -> str:
    tables = [lab.store.write_table(frame) for frame in frames]
    return lab.store.commit(Manifest(tables[0].schema, tuple(part for table in tables for part in table.parts)))


def test_rows_that_were_added_are_compared_with_those_before(lab) -> None:
    old, new = clean(4000), clean(400, seed=1).with_columns(pl.col("size") + 1)
    before, now = kept(lab, old), kept(lab, old, new)
    done, profile = bench_version(lab.store, now, before, Context(key=("id",)), dataset="orders")
    assert (done.rows, done.batch, done.rows_before) == (4400, 400, 4000)
    assert profile is not None
    assert profile.rows == 4400
    assert [finding.kind for finding in done.findings] == ["shift"]
    changed, _ = bench_version(lab.store, kept(lab, new), before, Context(key=("id",)), dataset="orders")
    assert changed.batch == 400


def test_a_sample_is_the_same_every_time_and_spread_over_all_rows() -> None:
    rows = pl.LazyFrame({"x": range(10 * SAMPLE)})
    first, second = (sampled(rows, 10 * SAMPLE, SAMPLE) for _ in range(2))
    assert first.equals(second)
    assert abs(first.height - SAMPLE) <= 2
    assert first["x"].is_sorted()
    quarters = (first["x"] // (10 * SAMPLE // 4)).value_counts()["count"]
    assert quarters.min() > SAMPLE // 4 - 10


def test_a_quick_bench_loads_no_scikit_learn() -> None:
    assert loaded("report(clean(), clean(seed=1))", "sklearn") == "False"


def test_a_first_version_with_one_number_and_no_target_is_searched_without_numpy() -> None:
    rows = "pl.DataFrame({'size': [0.5 * i for i in range(1000)], 'name': ['a', 'b'] * 500})"
    assert loaded(f"assert not bench_frames({rows}.lazy()).serious", "numpy") == "False"


def loaded(code: str, module: str) -> str:
    start = "import sys; sys.path.insert(0, 'tests'); import polars as pl; from penstock.data import bench_frames;"
    planted = "from data.planted import clean, report;" if "clean" in code else ""
    lines = f"{start} {planted} {code}; print({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    return done.stdout.strip()
