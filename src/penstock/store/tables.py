"""Frames to Parquet parts and back.

The same rows give the same parts however they arrived: rows are cut again at `rows_per_part`, every
part is one contiguous chunk, and the Parquet options are fixed here.
"""

import ast
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

import polars as pl

from penstock.errors import UsageError
from penstock.store.manifest import Schema

Frames = pl.DataFrame | pl.LazyFrame | Iterable[pl.DataFrame]

BATCH_ROWS = 250_000  # what a lazy frame hands over at a time
ROW_GROUP = 122_880
LONGEST_BOUND = 128  # characters of a text kept as min or max
_OTHER_ORDERED = (pl.Boolean, pl.String, pl.Categorical, pl.Enum, pl.Decimal)


def schema_of(schema: Mapping[str, pl.DataType]) -> Schema:
    """(column, dtype text) in order."""
    return tuple((name, str(dtype)) for name, dtype in schema.items())


def dtype_of(text: str) -> pl.DataType:
    """The dtype that Polars writes as `text`: `Int64`, `Datetime(time_unit='us', time_zone='UTC')`, `List(Int8)`."""
    try:
        found = _evaluate(ast.parse(text, mode="eval").body)
        dtype = found() if isinstance(found, type) else found
    except (SyntaxError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"not a Polars data type: {text!r}") from error
    if not isinstance(dtype, pl.DataType):
        raise UsageError(f"not a Polars data type: {text!r}")
    return dtype


def empty(schema: Schema) -> pl.DataFrame:
    """No rows, with the schema."""
    return pl.DataFrame(schema={name: dtype_of(dtype) for name, dtype in schema})


def opened(frames: Frames) -> tuple[Schema, Iterator[pl.DataFrame]]:
    """The schema, known before any row is read where that is possible, and the rows as they arrive."""
    if isinstance(frames, pl.DataFrame):
        return schema_of(frames.schema), iter((frames,))
    if isinstance(frames, pl.LazyFrame):
        batches = frames.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
        return schema_of(frames.collect_schema()), iter(batches)
    arriving = iter(frames)
    first = next(arriving, None)
    if first is None:
        raise UsageError("no frame came, so no columns are known", hint="yield at least one frame; it may have 0 rows")
    schema = schema_of(first.schema)
    return schema, (_checked(frame, schema) for frame in chain((first,), arriving))


def cut(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of exactly `rows` rows, the last with what is left."""
    waiting: list[pl.DataFrame] = []
    height = 0
    for frame in frames:
        waiting.append(frame)
        height += frame.height
        while height >= rows:
            whole = pl.concat(waiting, rechunk=False)
            yield whole.head(rows)
            waiting, height = [whole.slice(rows)], height - rows
    if height:
        yield pl.concat(waiting, rechunk=False)


def to_parquet(frame: pl.DataFrame) -> bytes:
    """Parquet bytes that depend on the rows alone."""
    # Chunks leak into the pages of nested columns; one chunk per column makes the bytes a function of the rows.
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(
        buffer, compression="zstd", compression_level=1, statistics=True, row_group_size=ROW_GROUP
    )
    return buffer.getvalue()  # not getbuffer(): collecting a view and its buffer together crashes Python 3.12.1


def scan(paths: Sequence[Path], schema: Schema) -> pl.LazyFrame:
    """Parts in order, lazily."""
    if not paths:
        return empty(schema).lazy()
    return pl.scan_parquet(list(paths), glob=False, hive_partitioning=False)


def statistics(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Per column nulls and bounds, in one pass, as JSON values."""
    if not frame.width:
        return {}
    found = frame.select(*(expression for name in frame.columns for expression in _summaries(name, frame.schema[name])))
    return {name: _json_summary(found, name) for name in frame.columns}


def _summaries(name: str, dtype: pl.DataType) -> Iterator[pl.Expr]:
    column = pl.col(name)
    yield column.null_count().alias(f"nulls:{name}")
    if dtype.is_float():
        finite = column.filter(column.is_finite())
        unbounded = column.is_infinite()
        yield column.is_nan().sum().alias(f"nans:{name}")
        yield pl.when(~unbounded.any()).then(finite.min()).alias(f"min:{name}")
        yield pl.when(~unbounded.any()).then(finite.max()).alias(f"max:{name}")
    elif _is_ordered(dtype):
        plain = column.cast(pl.String) if dtype in (pl.Categorical, pl.Enum) else column
        yield _text_if_needed(plain.min(), dtype).alias(f"min:{name}")
        yield _text_if_needed(plain.max(), dtype).alias(f"max:{name}")


def _is_ordered(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or dtype.is_temporal() or dtype in _OTHER_ORDERED


def _text_if_needed(bound: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Times as ISO 8601 and decimals as digits: Python's own types would lose nanoseconds or not fit JSON."""
    if dtype.is_temporal():
        return bound.dt.to_string("iso:strict")
    return bound.cast(pl.String) if dtype == pl.Decimal else bound


def _json_summary(found: pl.DataFrame, name: str) -> dict[str, Any]:
    kinds = [kind for kind in ("nulls", "nans", "min", "max") if f"{kind}:{name}" in found.columns]
    return {kind: _bounded(found.item(0, f"{kind}:{name}")) for kind in kinds}


def _bounded(value: Any) -> Any:
    return None if isinstance(value, str) and len(value) > LONGEST_BOUND else value


def _checked(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    found = schema_of(frame.schema)
    if found != schema:
        different = sorted(dict(set(found) ^ set(schema)))
        raise UsageError(
            f"a later frame has other columns than the first: {', '.join(different) or 'their order'}",
            expected=", ".join(f"{name} {dtype}" for name, dtype in schema),
        )
    return frame


def _evaluate(node: ast.expr) -> Any:
    """A dtype's text names classes of Polars and literals only, so nothing else is evaluated."""
    if isinstance(node, ast.Name):
        dtype = getattr(pl, node.id)
        if not (isinstance(dtype, type) and issubclass(dtype, pl.DataType)):
            raise ValueError(node.id)
        return dtype
    if isinstance(node, ast.Call):
        named = {cast(str, keyword.arg): _evaluate(keyword.value) for keyword in node.keywords}
        return _evaluate(node.func)(*(_evaluate(value) for value in node.args), **named)
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {ast.literal_eval(cast(ast.expr, key)): _evaluate(value) for key, value in pairs}
    return ast.literal_eval(node)
