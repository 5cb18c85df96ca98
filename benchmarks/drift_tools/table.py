"""The table of the drift benchmark: a reference and a current Parquet file of 20 columns, five of them drifted.

Ten normals, a lognormal, a zero-inflated exponential, whole years of age, a uniform with 3 % nulls; categories of 2, 5,
12, 50, 200 and 1,000 levels, their shares after Zipf (1.1). n1 and n4 move by a quarter of a standard deviation, n10
is 1.2 times as wide, and c1 and c3 become flatter (Zipf 0.5 and 0.8).
"""

from pathlib import Path

import numpy as np
import polars as pl

LEVELS = (2, 5, 12, 50, 200, 1000)
DRIFTED = ("n1", "n4", "n10", "c1", "c3")


def write(directory: Path, rows: int) -> tuple[Path, Path]:
    """reference.parquet and current.parquet, of `rows` rows each."""
    files = directory / "reference.parquet", directory / "current.parquet"
    for file, drifted, seed in zip(files, (False, True), (1, 2), strict=True):
        table(rows, np.random.default_rng(seed), drifted=drifted).write_parquet(file)
    return files


def table(rows: int, rng: np.random.Generator, *, drifted: bool) -> pl.DataFrame:
    numbers = {f"n{i}": rng.normal(size=rows) for i in range(1, 11)}
    if drifted:
        numbers |= {name: numbers[name] + 0.25 for name in ("n1", "n4")} | {"n10": numbers["n10"] * 1.2}
    numbers["lognormal"] = rng.lognormal(size=rows)
    numbers["zeros"] = np.where(rng.random(rows) < 0.6, 0.0, rng.exponential(size=rows))
    frame = pl.DataFrame(numbers).with_columns(
        age=pl.Series(np.clip(rng.normal(40, 12, rows), 18, 90).astype(np.int64)),
        uniform=pl.Series(np.where(rng.random(rows) < 0.03, np.nan, rng.random(rows))).fill_nan(None),
    )
    flatter = {"c1": 0.5, "c3": 0.8} if drifted else {}
    levels = {f"c{i}": _zipf(rng, rows, size, flatter.get(f"c{i}", 1.1)) for i, size in enumerate(LEVELS, 1)}
    return frame.with_columns(**levels)


def _zipf(rng: np.random.Generator, rows: int, levels: int, exponent: float) -> pl.Series:
    weights = 1 / np.arange(1, levels + 1) ** exponent
    codes = rng.choice(levels, rows, p=weights / weights.sum())
    return pl.Series(np.char.add("level ", np.arange(levels).astype(str))).gather(codes)
