"""Feature vectors as a matrix of numbers, for models that know nothing else."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from penstock.bundle.model import Floats
from penstock.errors import UsageError


def matrix(vectors: pl.DataFrame, model: str, names: Iterable[str] = ()) -> Floats:
    """(rows, features): the columns in their order, or by `names` when they have all of those.

    A null is NaN, true is 1, a value of an enum its place among the declared values, from 0. UsageError for a column
    of text, times or dates, which a `model` ("LightGBM") does not take.
    """
    wanted = [*names]
    known = {*vectors.columns}
    chosen = wanted if wanted and known.issuperset(wanted) else vectors.columns
    if chosen == vectors.columns and all(dtype == pl.Float64 for dtype in vectors.dtypes):
        return vectors.to_numpy(order="c")  # the same, in a tenth of the time for one row
    return np.column_stack([numbers(vectors.get_column(name), model) for name in chosen])


def numbers(column: pl.Series, model: str) -> Floats:
    """One column of `matrix`."""
    if isinstance(column.dtype, pl.Enum):
        return column.to_physical().cast(pl.Float64).to_numpy()
    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        raise UsageError(
            f"feature {column.name!r} is {column.dtype}; {model} takes numbers",
            hint="encode it in a feature view, or put the model into a scikit-learn pipeline with an encoder",
        )
    return column.cast(pl.Float64).to_numpy()
