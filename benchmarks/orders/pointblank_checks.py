"""pointblank on Polars: good and bad rows as two tables (`sundered`)."""

import datetime
import sys
import time

import pointblank as pb
import polars as pl

frame = pl.read_parquet(sys.argv[1])
started = time.process_time()
validation = (
    pb.Validate(frame)
    .col_vals_not_null(["id", "customer", "country", "channel", "quantity", "price", "gift"])
    .col_vals_ge("id", 0)
    .rows_distinct("id")
    .col_vals_regex("customer", "^c[0-9]{6}$", na_pass=True)
    .col_vals_in_set("country", ["DE", "FR", "IT", "ES", "PL"])
    .col_vals_in_set("channel", ["web", "shop", "phone"])
    .col_vals_ge("quantity", 1)
    .col_vals_le("quantity", 100)
    .col_vals_ge("price", 0, na_pass=True)
    .col_vals_le("price", 10_000, na_pass=True)
    .col_vals_ge("discount", 0, na_pass=True)
    .col_vals_le("discount", 0.9, na_pass=True)
    .col_vals_le("weight", 1_000, na_pass=True)
    .col_vals_in_set("rating", [1, 2, 3, 4, 5])
    .col_vals_ge("ordered", datetime.datetime(2020, 1, 1), na_pass=True)
    .col_vals_expr(pl.col("shipped") >= pl.col("ordered"))
    .interrogate()
)
bad, good = validation.get_sundered_data("fail"), validation.get_sundered_data("pass")
failed = validation.n_failed()
seconds = time.process_time() - started
print(f"{seconds:.3f} CPU s, {bad.height} bad rows, {sum(count > 0 for count in failed.values())} reasons")
