import json
import math
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.digest import canonical_json
from penstock.errors import UsageError
from penstock.store import Manifest, Store, Table, dtype_of
from penstock.store.tables import statistics

DTYPES = [
    pl.Int8(), pl.UInt64(), pl.Int128(), pl.Float32(), pl.Float64(), pl.Boolean(), pl.String(), pl.Binary(), pl.Null(),
    pl.Date(), pl.Time(), pl.Datetime("us"), pl.Datetime("ns", "Europe/Paris"), pl.Duration("ms"), pl.Decimal(10, 2),
    pl.Categorical(), pl.Enum(["it's", 'a "b"']), pl.List(pl.List(pl.Int8)), pl.Array(pl.Float32, 3),
    pl.Struct({"a b": pl.Int8, "c": pl.Struct({"d": pl.Date})}),
]  # fmt: skip
ROW = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(),
    st.none() | st.text(max_size=5),
    st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3),
    st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1)),
)
SCHEMA = {"i": pl.Int64, "f": pl.Float64, "s": pl.String, "l": pl.List(pl.Int64), "t": pl.Datetime("us")}
STORE = [HealthCheck.function_scoped_fixture]


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def committed(store, frames, **options):
    table = store.write_table(frames, **options)
    return store.commit(Manifest(table.schema, table.parts))


def every_type():
    return pl.DataFrame(
        {
            "integer": [3, None, 1],
            "float": [1.5, math.nan, -2.0],
            "text": ["b", "a", None],
            "truth": [True, None, False],
            "day": [date(2020, 1, 2), date(2020, 1, 1), None],
            "moment": [datetime(2020, 1, 1, 12, 30, 0, 5, tzinfo=UTC), None, None],
            "clock": [time(1, 2, 3), None, None],
            "span": [timedelta(days=1, seconds=3), None, None],
            "price": [Decimal("1.50"), Decimal("0.25"), None],
            "bytes": [b"\x00", None, b""],
            "list": [[1], None, []],
            "struct": [{"a": 1}, None, {"a": None}],
            "empty": [None, None, None],
        }
    )


def test_every_type_comes_back_as_it_was(store):
    frame = every_type().with_columns(pl.Series("category", ["x", "y", None], dtype=pl.Categorical))
    again = store.scan(committed(store, frame)).collect()
    assert again.schema == frame.schema
    assert again.equals(frame)


@settings(deadline=None, max_examples=40, suppress_health_check=STORE)
@given(rows=st.lists(ROW, max_size=30), cuts=st.lists(st.integers(0, 30)), per_part=st.integers(1, 12))
def test_the_same_rows_make_the_same_parts_however_they_arrive(store, rows, cuts, per_part):
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    edges = [0, *sorted(min(cut, frame.height) for cut in cuts), frame.height]
    pieces = [frame[start:end] for start, end in pairwise(edges)]

    whole = store.write_table(frame, rows_per_part=per_part)
    assert store.write_table(iter(pieces), rows_per_part=per_part) == whole
    assert store.write_table(frame.lazy(), rows_per_part=per_part) == whole
    assert store.write_table(pl.concat(pieces, rechunk=False), rows_per_part=per_part) == whole
    assert [part.rows for part in whole.parts[:-1]] == [per_part] * (len(whole.parts) - 1)
    assert whole.rows == frame.height


def test_chunks_do_not_leak_into_the_bytes_of_nested_columns(store):
    """Polars writes other pages for a list column in two chunks once it fills several row groups."""
    frame = pl.DataFrame({"i": range(300_000)}).select(l=pl.concat_list("i", "i"))
    assert store.write_table(iter([frame[:150_000], frame[150_000:]])) == store.write_table(frame)


def test_another_process_with_other_threads_makes_the_same_parts(store, tmp_path):
    code = """
import sys
from pathlib import Path
import polars as pl
from penstock.store import Store
noise = pl.Series("other", ["z", "y"], dtype=pl.Categorical)
frame = pl.DataFrame({"n": range(200_000)}).with_columns(
    s=(pl.col("n") % 977).cast(pl.String).cast(pl.Categorical), f=pl.col("n").sqrt(), l=pl.concat_list("n", "n"))
print(Store.open(Path(sys.argv[1])).write_table(frame.lazy(), rows_per_part=130_000).content)
"""
    contents = set()
    for threads in ("1", "4"):
        environment = {"PYTHONPATH": ":".join(sys.path), "POLARS_MAX_THREADS": threads}
        command = [sys.executable, "-c", code, str(tmp_path / threads)]
        contents.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(contents) == 1


def test_some_parts_of_a_version_can_be_read(store):
    table = store.write_table(pl.DataFrame({"x": [1, 2, 3]}), rows_per_part=1)
    assert store.rows(table).collect()["x"].to_list() == [1, 2, 3]
    assert store.rows(Table(table.schema, table.parts[1:2])).collect()["x"].to_list() == [2]
    assert store.rows(Table(table.schema, ())).collect().schema == {"x": pl.Int64}


@settings(deadline=None, max_examples=30, suppress_health_check=STORE)
@given(rows=st.lists(ROW, max_size=30), per_part=st.integers(1, 12))
def test_rows_come_back_in_order_and_statistics_fit_json(store, rows, per_part):
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    commit = committed(store, frame, rows_per_part=per_part)

    assert store.scan(commit).collect().equals(frame)
    parts = store.manifest(commit).parts
    for name in frame.columns:
        assert sum(part.columns[name]["nulls"] for part in parts) == frame[name].null_count()


@settings(deadline=None, max_examples=30)
@given(rows=st.lists(ROW, min_size=1, max_size=30))
def test_bounds_enclose_every_value(rows):
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    found = json.loads(canonical_json(statistics(frame)))
    for name in ("i", "s"):
        values = frame[name].drop_nulls()
        assert (found[name]["min"], found[name]["max"]) == (values.min(), values.max())
    numbers = [value for value in frame["f"].drop_nulls() if not math.isnan(value)]
    finite = bool(numbers) and all(map(math.isfinite, numbers))
    assert (found["f"]["min"], found["f"]["max"]) == ((min(numbers), max(numbers)) if finite else (None, None))
    assert found["f"]["nans"] == len(frame["f"].drop_nulls()) - len(numbers)


def test_statistics_are_plain_json_values():
    found = statistics(every_type())
    assert found["integer"] == {"nulls": 1, "min": 1, "max": 3}
    assert found["float"] == {"nulls": 0, "nans": 1, "min": -2.0, "max": 1.5}
    assert found["text"] == {"nulls": 1, "min": "a", "max": "b"}
    assert found["truth"] == {"nulls": 1, "min": False, "max": True}
    assert found["day"] == {"nulls": 1, "min": "2020-01-01", "max": "2020-01-02"}
    assert found["moment"]["min"] == "2020-01-01T12:30:00.000005+00:00"
    assert found["clock"]["max"].startswith("01:02:03")
    assert found["span"]["max"] == "P1DT3S"
    assert found["price"] == {"nulls": 1, "min": "0.25", "max": "1.50"}
    assert found["bytes"] == found["list"] == found["struct"] == {"nulls": 1}
    assert found["empty"] == {"nulls": 3}
    canonical_json(found)


def test_long_texts_have_no_bounds():
    assert statistics(pl.DataFrame({"s": ["x" * 1000]}))["s"] == {"nulls": 0, "min": None, "max": None}


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: f.lazy(), lambda f: iter([f, f])])
def test_zero_rows_keep_their_schema(store, wrap):
    frame = every_type().with_columns(pl.Series("e", ["x"] * 3, dtype=pl.Enum(["x"]))).clear()
    table = store.write_table(wrap(frame))
    assert (table.rows, table.parts) == (0, ())
    commit = store.commit(Manifest(table.schema, table.parts))
    assert store.scan(commit).collect().equals(frame)
    assert store.scan(commit).collect().schema == frame.schema


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_is_read_back_from_its_text(dtype):
    assert dtype_of(str(dtype)) == dtype


@pytest.mark.parametrize("text", ["", "Int65", "read_csv", "DataFrame", "Int64; 1", "__import__('os')", "List(", "3"])
def test_only_dtypes_are_read_from_text(text):
    with pytest.raises(UsageError, match="not a Polars data type"):
        dtype_of(text)


def test_frames_with_other_columns_are_refused_and_nothing_is_kept(store):
    frames = iter([pl.DataFrame({"a": range(10), "b": 1}), pl.DataFrame({"a": ["1"], "b": [1]})])
    with pytest.raises(UsageError, match=r"other columns than the first: a"):
        store.write_table(frames, rows_per_part=3)
    assert list(store.blobs.digests()) == []
    assert list(store.blobs.drafts()) == []


def test_no_frame_at_all_is_refused(store):
    with pytest.raises(UsageError, match="no frame came"):
        store.write_table(iter([]))


def test_a_source_that_raises_leaves_nothing(store):
    def frames():
        yield pl.DataFrame({"a": range(10)})
        raise OSError("the source went away")

    with pytest.raises(OSError, match="went away"):
        store.write_table(frames(), rows_per_part=3)
    assert list(store.blobs.digests()) == []
    assert list(store.blobs.drafts()) == []


def test_part_size_must_be_positive(store):
    with pytest.raises(UsageError, match="rows_per_part is 0"):
        store.write_table(pl.DataFrame({"a": [1]}), rows_per_part=0)


def test_a_store_whose_path_looks_like_a_pattern_is_read(tmp_path):
    store = Store.open(tmp_path / "a[b]*?=c" / "store")
    assert store.scan(committed(store, pl.DataFrame({"a": [1, 2]}), rows_per_part=1)).collect()["a"].to_list() == [1, 2]
