"""Which columns of its inputs each column of a transform is computed from.

Polars reads no column that it does not need. So the function is given frames without rows that note what is read of
them, and its result is computed column by column. What decides which rows there are, and their order, counts too:
a column cannot change unless one of those named does.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from penstock.errors import UsageError
from penstock.ledger import Execution, Reader, Version

Schema = Mapping[str, pl.DataType]
Lineage = dict[str, list[str]]


def columns_read(function: Callable[..., Any], inputs: Mapping[str, Schema]) -> Lineage | None:
    """The columns, as `INPUT.COLUMN`, that each column of `function(*inputs)` is computed from.

    None where it cannot be known: the function returns no lazy frame, computes before it returns, or fails on frames
    without rows.
    """
    read: set[str] = set()
    frames = [_noting(name, schema, read) for name, schema in inputs.items()]
    try:
        with redirect_stdout(StringIO()):  # it has printed what it prints already
            result = function(*frames)
        if read or not isinstance(result, pl.LazyFrame):
            return None
        return {column: _needed(result, column, read) for column in result.collect_schema()}
    except Exception:  # whatever the user's code does not like about empty frames, it is judged on real ones
        return None


def lineage_of(reader: Reader, version: Version) -> Lineage | None:
    """What each column of a transform's version is computed from. UsageError for a version that no transform made."""
    for execution in reader.find(Execution, step=f"transform {version.dataset}", order_by="-finished_at"):
        if execution.outputs.get("commit") == version.commit:
            found: Lineage | None = execution.outputs.get("columns")
            return found
    hint = "`penstock trace` shows what it came from as a whole"
    raise UsageError(
        f"no transform made this version of {version.dataset}", expected="a table of data.transforms", hint=hint
    )


def _needed(result: pl.LazyFrame, column: str, read: set[str]) -> list[str]:
    read.clear()
    result.select(pl.col(column)).collect()
    return sorted(read)


def _noting(name: str, schema: Schema, read: set[str]) -> pl.LazyFrame:
    """A frame without rows that adds what is read of it to `read`."""

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        columns = list(schema) if with_columns is None else with_columns
        asked = [] if predicate is None else predicate.meta.root_names()
        read.update(f"{name}.{column}" for column in (*columns, *asked))
        yield pl.DataFrame(schema={column: schema[column] for column in columns})

    return register_io_source(source, schema=dict(schema))
