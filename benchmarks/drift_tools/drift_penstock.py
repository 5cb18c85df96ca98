import polars as pl
from facts import tell

from penstock.stats import Profile, shifts

reference = Profile.build(pl.scan_parquet("reference.parquet"))
current = Profile.build(pl.scan_parquet("current.parquet"), reference)
tell("Penstock", [each.column for each in shifts(reference, current) if each.shifted])
