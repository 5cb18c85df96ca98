import sys

import polars as pl
import steps
from zenml import pipeline, step


@step
def numbers() -> pl.DataFrame:
    return steps.numbers()


@step
def double(numbers: pl.DataFrame) -> pl.DataFrame:
    return steps.double(numbers)


@step
def split(doubled: pl.DataFrame) -> pl.DataFrame:
    return steps.split(doubled)


@step
def mean(halves: pl.DataFrame) -> pl.DataFrame:
    return steps.mean(halves)


@step
def difference(means: pl.DataFrame) -> float:
    found = steps.difference(means).item()
    print("difference", found)
    return found


@pipeline
def five() -> None:
    difference(mean(split(double(numbers()))))


if __name__ == "__main__":
    five.with_options(enable_cache="cached" in sys.argv)()
