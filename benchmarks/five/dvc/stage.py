import sys

import polars as pl
import steps

name, made, *read = sys.argv[1:]
table = getattr(steps, name)(*(pl.read_parquet(f"{one}.parquet") for one in read))
table.write_parquet(f"{made}.parquet")
if name == "difference":
    print("difference", table.item())
