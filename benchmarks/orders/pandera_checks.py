"""pandera on Polars, lazy: all failures in one table; the bad rows are those whose index it names."""

import sys
import time

import pandera.polars as pa
import polars as pl

ordered = pa.Check(
    lambda data: data.lazyframe.select(pl.col("shipped") >= pl.col("ordered")), name="shipped after it was ordered"
)
SCHEMA = pa.DataFrameSchema(
    {
        "id": pa.Column(pl.Int64, pa.Check.ge(0), unique=True),
        "customer": pa.Column(pl.String, pa.Check.str_matches("^c[0-9]{6}$")),
        "country": pa.Column(pl.String, pa.Check.isin(["DE", "FR", "IT", "ES", "PL"])),
        "channel": pa.Column(pl.String, pa.Check.isin(["web", "shop", "phone"])),
        "quantity": pa.Column(pl.Int64, [pa.Check.ge(1), pa.Check.le(100)]),
        "price": pa.Column(pl.Float64, [pa.Check.ge(0), pa.Check.le(10_000)]),
        "discount": pa.Column(pl.Float64, [pa.Check.ge(0), pa.Check.le(0.9)], nullable=True),
        "weight": pa.Column(pl.Float64, pa.Check.le(1_000), nullable=True),
        "rating": pa.Column(pl.Int64, pa.Check.isin([1, 2, 3, 4, 5]), nullable=True),
        "ordered": pa.Column(pl.Datetime("us"), pa.Check.ge(pl.datetime(2020, 1, 1)), nullable=True),
        "shipped": pa.Column(pl.Datetime("us"), nullable=True),
        "gift": pa.Column(pl.Boolean),
    },
    checks=ordered,
)

frame = pl.read_parquet(sys.argv[1])
started = time.process_time()
try:
    SCHEMA.validate(frame, lazy=True)
    raise SystemExit("no failure was found")
except pa.errors.SchemaErrors as errors:
    failures = errors.failure_cases
bad = frame[failures["index"].drop_nulls().unique().sort()]
good = frame.with_row_index("index").join(
    failures.select(pl.col("index").cast(pl.UInt32)).unique(), on="index", how="anti"
)
seconds = time.process_time() - started
print(f"{seconds:.3f} CPU s, {bad.height} bad rows, {failures['check'].n_unique()} reasons")
assert bad.height + good.height == frame.height
