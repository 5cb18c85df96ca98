"""Inputs as lazy frames of raw rows: texts from CSV and NDJSON, values from Parquet, Arrow and functions."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from penstock.data.reserved import ROW, is_reserved
from penstock.data.sources import csvfile, jsonfile
from penstock.data.sources.inputs import Input
from penstock.errors import ContractBroken, FunctionError

if TYPE_CHECKING:
    from penstock.project import Function, SqlSource


LONGEST_NAME = 250
QUOTES = (
    "put quotes around a cell that holds the delimiter or a line end; remove what stands above the line of column names"
)


class Raw(NamedTuple):
    """Rows of one input, unparsed.

    `rows` has the column `__row__`: the row's number in its input, from 1.
    `text`: every other column is text. `news`: it was asked for what is new only.
    """

    name: str
    rows: pl.LazyFrame
    text: bool
    csv: csvfile.Csv | None = None
    lines: Path | None = None  # of JSON
    function: "Function | None" = None
    news: bool = False

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Its columns, without `__row__`."""
        with explained(self):
            return {name: dtype for name, dtype in self.rows.collect_schema().items() if name != ROW}


def open_input(root: Path, one: Input, scratch: Path, since: object = None) -> Iterator[Raw]:
    """The frames of an input: one for a file or an object, one or more for a function or a query.

    `since`: the newest watermark that is there already; functions and queries may ask for what is newer.
    """
    if one.query is not None:
        yield from _query(root, one, one.query, since)
    elif one.is_function:
        yield from _function(root, one.name, since)
    else:
        yield _FILES[one.format](_file(one, scratch), one, scratch)


def _file(one: Input, scratch: Path) -> Path:
    if one.tracked:
        from penstock.data.sources.dvc import locate

        return locate(one.tracked, scratch)
    if one.path is None:
        from penstock.data.sources.objectfiles import fetch

        return fetch(one, scratch)
    return one.path


@contextmanager
def explained(raw: Raw) -> Iterator[None]:
    """Turn what Polars says about an input that it cannot read into an error that names file and line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if raw.function:
            raise raw.function.blame(error) from error
        if not isinstance(error, pl.exceptions.PolarsError):
            raise
        what = str(error).splitlines()[0]
        line = csvfile.wrong_line(raw.csv) if raw.csv else jsonfile.wrong_line(raw.lines) if raw.lines else None
        hint = QUOTES if raw.csv else "write it again: it is cut off, damaged or of another kind"
        raise ContractBroken(f"cannot be read: {line or what}", where=raw.name, hint=hint) from error


def _csv(path: Path, one: Input, scratch: Path) -> Raw:
    name, told = one.name, one.reading
    plain = csvfile.plain_text(path, name, scratch, encoding=told.encoding if told else None)
    csv = csvfile.describe(plain, name, told.delimiter if told else None)
    if what := csvfile.cut_off(csv):
        raise ContractBroken(what, where=name, hint="fetch it again: it is cut off; or take a closing remark out")
    rows = pl.scan_csv(
        csv.path,
        separator=csv.delimiter,
        infer_schema=False,
        glob=False,
        skip_lines=csv.blank_lines,
        with_column_names=lambda _: list(csv.header),
    )
    numbered = _numbered(rows, name, list(csv.header))
    # a line without any value (blank, or only delimiters) is no row
    first, *others = csv.header
    valued = pl.any_horizontal(pl.col(first).str.strip_chars() != "", pl.col(others).is_not_null())
    return Raw(name, numbered.filter(valued), True, csv)


def _ndjson(path: Path, one: Input, scratch: Path) -> Raw:
    return _lines(_plain_json(path, one, scratch), one.name)


def _json(path: Path, one: Input, scratch: Path) -> Raw:
    return _lines(jsonfile.as_lines(_plain_json(path, one, scratch), one.name, scratch), one.name)


def _plain_json(path: Path, one: Input, scratch: Path) -> Path:
    encoding = one.reading.encoding if one.reading else None
    return csvfile.plain_text(path, one.name, scratch, mark=False, encoding=encoding)


def _lines(plain: Path, name: str) -> Raw:
    if not plain.stat().st_size:
        raise ContractBroken("the file is empty: it names no column", where=name)
    with explained(Raw(name, pl.LazyFrame(), True, lines=plain)):
        names = pl.scan_ndjson(plain, infer_schema_length=None).collect_schema().names()
    if not names:
        raise ContractBroken("its objects are empty: they name no column", where=name)
    # as text, so that numbers and dates have one parser, and a value of another type stays readable
    rows = _numbered(pl.scan_ndjson(plain, schema=dict.fromkeys(names, pl.String)), name, names)
    return Raw(name, rows, True, lines=plain)


def _excel(path: Path, one: Input, scratch: Path) -> Raw:
    from penstock.data.sources.excelfile import read_sheet

    told = one.reading
    numbers, rows = read_sheet(path, one.name, told.sheet if told else None, told.header if told else None)
    _refuse_names(rows.columns, one.name)
    # a sheet must be read as a whole; other inputs are opened before its rows are needed
    copy = scratch / f"{len(list(scratch.iterdir()))}-{path.stem}.arrow"
    rows.insert_column(0, numbers.alias(ROW)).write_ipc(copy)
    return Raw(one.name, pl.scan_ipc(copy), True)


def _parquet(path: Path, one: Input, scratch: Path) -> Raw:
    return _typed(one.name, pl.scan_parquet(path, glob=False, hive_partitioning=False))


def _arrow(path: Path, one: Input, scratch: Path) -> Raw:
    return _typed(one.name, pl.scan_ipc(path, glob=False, hive_partitioning=False))


def _typed(name: str, rows: pl.LazyFrame) -> Raw:
    with explained(Raw(name, rows, False)):
        names = rows.collect_schema().names()
    return Raw(name, _numbered(rows, name, names), False)


_FILES = {"csv": _csv, "parquet": _parquet, "ndjson": _ndjson, "json": _json, "excel": _excel, "arrow": _arrow}


def _numbered(rows: pl.LazyFrame, name: str, columns: list[str], offset: int = 0) -> pl.LazyFrame:
    _refuse_names(columns, name)
    return rows.with_row_index(ROW, offset=offset + 1).with_columns(pl.col(ROW).cast(pl.Int64))


def _refuse_names(columns: list[str], name: str) -> None:
    taken = [column for column in columns if is_reserved(column)]
    if taken:
        raise ContractBroken(f"the column name {taken[0]!r} is reserved", where=name, hint="rename the column")
    longest = max(columns, key=len, default="")
    if len(longest) > LONGEST_NAME:
        what = f"the column name {longest[:40]!r}... has {len(longest):,} characters; {LONGEST_NAME} are allowed"
        raise ContractBroken(what, where=name, hint="is the first line a header?")


def _query(root: Path, one: Input, query: "SqlSource", since: object) -> Iterator[Raw]:
    from penstock.data.sources import database

    text = database.Database.at(root, query.url.get_secret_value()).text
    offset = 0
    news = since is not None and ":since" in (query.sql or "")
    for frame in database.frames(root, query, since):
        yield Raw(one.name, _numbered(frame.lazy(), one.name, frame.columns, offset), text, news=news)
        offset += frame.height


def _function(root: Path, reference: str, since: object) -> Iterator[Raw]:
    from penstock.project import call, load_function

    function = load_function(root, reference, parameters=(), optional=("since",))
    asked = {"since": since} if "since" in signature(function.call).parameters else {}
    offset = 0
    count = 0
    for frame in _frames(function, call(function, **asked)):
        count += 1
        raw = Raw(reference, frame.lazy(), False, function=function, news=bool(asked))
        yield raw._replace(rows=_numbered(raw.rows, reference, list(raw.schema), offset))
        offset += frame.height if isinstance(frame, pl.DataFrame) else 0
    if not count:
        expected = "at least one, which may have 0 rows"
        raise FunctionError("the source gave no frame", where=function.where, expected=expected)


def _frames(function: "Function", result: Any) -> Iterator[pl.DataFrame | pl.LazyFrame]:
    if isinstance(result, pl.DataFrame | pl.LazyFrame):
        yield result
        return
    if not isinstance(result, Iterable) or isinstance(result, str | bytes | dict):
        expected = "a Polars DataFrame or LazyFrame, or DataFrames one after another"
        raise FunctionError(f"the source gave a {type(result).__name__}", where=function.where, expected=expected)
    for frame in function.each(result):
        if not isinstance(frame, pl.DataFrame):
            raise FunctionError(
                f"the source yielded a {type(frame).__name__}", where=function.where, expected="Polars DataFrames"
            )
        yield frame
