"""One million orders as Parquet, about 0.5 % of them wrong in one of the ways that the 22 checks look for."""

import sys
from pathlib import Path

import polars as pl

ROWS = 1_000_000


def orders(rows: int = ROWS, seed: int = 7) -> pl.DataFrame:
    """12 columns: a key, texts, numbers, times, a truth value."""
    number = pl.int_range(rows)
    hashed = number.hash(seed)
    share = (hashed % 1_000_000) / 1_000_000.0
    frame = pl.select(
        id=number,
        customer=pl.lit("c") + (hashed % 50_000).cast(pl.String).str.zfill(6),
        country=pl.lit(["DE", "FR", "IT", "ES", "PL"]).list.get(hashed % 5),
        channel=pl.lit(["web", "shop", "phone"]).list.get(hashed % 3),
        quantity=(hashed % 20).cast(pl.Int64) + 1,
        price=(share * 500).round(2) + 0.5,
        discount=(share * 0.3).round(3),
        weight=share * 30 + 0.1,
        rating=(hashed % 5).cast(pl.Int64) + 1,
        ordered=pl.datetime(2024, 1, 1) + pl.duration(seconds=number * 30),
        shipped=pl.datetime(2024, 1, 3) + pl.duration(seconds=number * 30),
        gift=hashed % 7 == 0,
    )
    wrong = pl.col("id") % 1_000
    return frame.with_columns(
        customer=pl.when(wrong == 1).then(pl.lit("nobody")).otherwise("customer"),
        country=pl.when(wrong == 2).then(pl.lit("XX")).otherwise("country"),
        quantity=pl.when(wrong == 3).then(-1).otherwise("quantity"),
        price=pl.when(wrong == 4).then(None).otherwise("price"),
        shipped=pl.when(wrong == 5).then(pl.datetime(2020, 1, 1)).otherwise("shipped"),
    )


if __name__ == "__main__":
    orders().write_parquet(Path(sys.argv[1]))
