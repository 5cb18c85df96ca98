"""Columns as a matrix of numbers, for the checks that take a model."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from penstock.data.bench.facts import Facts, is_plain, is_text

Floats = npt.NDArray[np.float64]

WIDEST = 100  # columns that a model is given
NAMES = 0.5  # of the rows have a text of their own: it is a name


def columns_for_model(facts: Facts, names: Sequence[str]) -> list[str]:
    """Of these columns those that a model can learn from: neither names, nor times, nor one value only."""
    columns = facts.now.columns
    fit = [
        name for name in names
        if is_plain(columns[name].dtype) and not columns[name].constant and not columns[name].dtype.is_temporal()
        and not (is_text(columns[name].dtype) and (columns[name].distinct or 0) > NAMES * facts.now.height)
    ]  # fmt: skip
    return fit[:WIDEST]


def matrix(frame: pl.DataFrame, names: Sequence[str]) -> Floats:
    """A row for each row: numbers as they are, texts and truth values by how frequent they are, NaN where missing."""
    values = [_numbers(frame.get_column(name)) for name in names]
    found = np.column_stack(values) if values else np.empty((frame.height, 0))
    return np.where(np.isfinite(found), found, np.nan)


def _numbers(values: pl.Series) -> Floats:
    if values.dtype.is_numeric():
        return np.asarray(values.cast(pl.Float64).fill_null(np.nan).to_numpy(), dtype=np.float64)
    texts = values.cast(pl.String)
    counts = texts.drop_nulls().value_counts(name="rows").sort(["rows", texts.name], descending=[True, False])
    order = {text: float(place) for place, text in enumerate(counts.get_column(texts.name))}
    codes = texts.replace_strict(order, default=None, return_dtype=pl.Float64)
    return np.asarray(codes.fill_null(np.nan).to_numpy(), dtype=np.float64)
