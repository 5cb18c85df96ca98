"""A sheet of an Excel workbook as rows of text, exact: what the contract parses is what the cell holds.

A column of a sheet has no type: whole numbers are integers in one file and fractions in the next. So every cell becomes
the text of its value. fastexcel's texts have nine decimals at most, and its errors are empty; both are put right.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import polars as pl

from penstock.data.sources.csvfile import column_names
from penstock.errors import ContractBroken, MissingExtra, UsageError

CHUNK = 1 << 22
_CELL = re.compile(rb"<(?:\w+:)?c ([^>]*[^/>])>(.*?)</(?:\w+:)?c>", re.DOTALL)
_END = re.compile(rb"</(?:\w+:)?c>")
_PLACE = re.compile(rb'\br="([A-Z]+)(\d+)"')
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]+)</")
_FORMULA = re.compile(rb"<(?:\w+:)?f\b")
_RELATED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
# a clock without a day is a fraction of day 0
_CLOCK, _MIDNIGHT = r"^1899-12-3[01] (\d\d:\d\d:\d\d)", r"^(\d{4}-\d\d-\d\d) 00:00:00$"


def read_sheet(path: Path, name: str, sheet: str | None, header: int | None) -> tuple[pl.Series, pl.DataFrame]:
    """The rows below a sheet's header as text, and their numbers in the sheet; rows without a value are left out.

    `sheet` may be left out where there is one, `header` where the first row with two cells or more names the columns.
    ContractBroken when it is no workbook, no such header, or holds formulas that were never computed; UsageError
    when the sheet is not said.
    """
    try:
        import fastexcel
    except ImportError:
        raise MissingExtra("fastexcel", "excel") from None
    try:
        chosen = _chosen(_sheets(path), sheet, name)
        texts, columns = _texts(fastexcel.read_excel(path), chosen.name)
        oddities = list(_oddities(path, chosen))
    except (fastexcel.FastExcelError, zipfile.BadZipFile, ElementTree.ParseError, KeyError) as error:
        what = f"cannot be read: {str(error).splitlines()[0]}"
        raise ContractBroken(
            what, where=name, hint="save it as .xlsx again: it is cut off or of another kind"
        ) from error
    return _below_header(_with_errors(texts, columns, oddities, name), columns, header, f"{name}, sheet {chosen.name}")


@dataclass(frozen=True)
class _Sheet:
    name: str
    part: str  # of the archive


@dataclass(frozen=True)
class _Oddity:
    """A cell of which fastexcel says that it is empty."""

    row: int  # from 0
    column: int
    cell: str  # D11
    error: str | None  # #DIV/0!; None for a formula without a result


def _sheets(path: Path) -> list[_Sheet]:
    """The sheets with cells, in order; charts have none."""
    with zipfile.ZipFile(path) as archive:
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        targets = {one.attrib["Id"]: one.attrib["Target"] for one in relations if "/worksheet" in one.attrib["Type"]}
        workbook = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    found = [one for one in workbook.iter() if one.tag.endswith("}sheet") and one.attrib.get(_RELATED) in targets]
    parts = [targets[one.attrib[_RELATED]] for one in found]
    places = [part.lstrip("/") if part.startswith("/") else f"xl/{part}" for part in parts]
    return [_Sheet(one.attrib["name"], place) for one, place in zip(found, places, strict=True)]


def _chosen(sheets: Sequence[_Sheet], wanted: str | None, name: str) -> _Sheet:
    names = [one.name for one in sheets]
    if wanted is None and len(sheets) == 1:
        return sheets[0]
    if wanted is None:
        hint = f'name one in the source: {{path: {name}, sheet: "{names[0] if names else ""}"}}'
        raise UsageError(f"the workbook has {len(sheets)} sheets: {', '.join(names)}", where=name, hint=hint)
    if wanted not in names:
        raise UsageError.unknown("sheet", wanted, names, where=name)
    return sheets[names.index(wanted)]


def _texts(workbook: object, sheet: str) -> tuple[pl.DataFrame, list[int]]:
    """All cells as text, a row of the sheet each, and the position of each column in the sheet."""
    loaded = [
        workbook.load_sheet(sheet, header_row=None, skip_rows=0, dtypes=dtype)  # type: ignore[attr-defined]
        for dtype in ("string", "float")
    ]
    texts, numbers = (one.to_polars() for one in loaded)
    exact = [
        # "0.123456789" where the cell holds 0.1234567890123456
        pl.when(text.cast(pl.Float64, strict=False) != number).then(number.cast(pl.String)).otherwise(text).alias(name)
        for name in texts.columns
        for text, number in [(pl.col(name), pl.lit(numbers[name]))]
    ]
    clean = texts.select(exact).with_columns(
        pl.all().str.replace(_CLOCK, "${1}").str.replace(_MIDNIGHT, "${1}") if texts.width else pl.all()
    )
    return clean, [column.absolute_index for column in loaded[0].available_columns()]


def _oddities(path: Path, sheet: _Sheet) -> Iterator[_Oddity]:
    with zipfile.ZipFile(path) as archive, archive.open(sheet.part) as file:
        rest = b""
        while chunk := file.read(CHUNK):
            text = rest + chunk
            whole = max((found.end() for found in _END.finditer(text)), default=0)
            yield from _odd_cells(text[:whole])
            rest = text[whole:]


def _odd_cells(xml: bytes) -> Iterator[_Oddity]:
    if b't="e"' not in xml and b"<f" not in xml and b":f" not in xml:
        return
    for attributes, inside in _CELL.findall(xml):
        place, value = _PLACE.search(attributes), _VALUE.search(inside)
        if not place:
            continue
        letters, row = place[1].decode(), int(place[2])
        odd = _Oddity(row - 1, _position(letters), f"{letters}{row}", value[1].decode() if value else None)
        # of a formula that gives a text, no value is the empty text
        if b't="e"' in attributes or (value is None and _FORMULA.search(inside) and b't="str"' not in attributes):
            yield odd


def _position(letters: str) -> int:
    """A is 0, Z 25, AA 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _with_errors(texts: pl.DataFrame, columns: list[int], oddities: list[_Oddity], name: str) -> pl.DataFrame:
    """The same with `#DIV/0!` in cells that hold that error, so that the contract sees it."""
    unknown = [one.cell for one in oddities if one.error is None]
    if unknown:
        what = f"{len(unknown):,} formulas have no result, the first in {unknown[0]}"
        raise ContractBroken(what, where=name, hint="open it in Excel and save it, which computes them")
    for column in {one.column for one in oddities if one.column in columns}:
        held = texts.to_series(columns.index(column)).to_list()
        for one in oddities:
            if one.column == column:
                held[one.row] = one.error
        texts = texts.with_columns(pl.Series(texts.columns[columns.index(column)], held, dtype=pl.String))
    return texts


def _below_header(
    texts: pl.DataFrame, columns: list[int], header: int | None, where: str
) -> tuple[pl.Series, pl.DataFrame]:
    used = [name for name in texts.columns if texts[name].drop_nulls().len()]
    filled = texts.select(pl.sum_horizontal(pl.col(used).is_not_null())).to_series().to_list() if used else []
    at = _header_row(filled, len(used), header, where)
    above, below = texts.row(at, named=True), texts.slice(at + 1)
    kept = [name for name in used if above[name] is not None or below[name].drop_nulls().len()]
    places = [columns[texts.columns.index(name)] + 1 for name in kept]
    named = column_names([str(above[name] or "") for name in kept], where, places)
    rows = below.select(kept)
    valued = rows.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    numbers = pl.Series(range(at + 2, at + 2 + rows.height), dtype=pl.Int64)
    return numbers.filter(valued), rows.filter(valued).rename(dict(zip(kept, named, strict=True)))


def _header_row(filled: Sequence[int], width: int, header: int | None, where: str) -> int:
    """The row that names the columns, from 0. A title above it stands in one cell, merged or not."""
    hint = "say which row names the columns: source: {path: ..., header: 3}"
    if not width:
        raise ContractBroken("the sheet is empty: it has no header", where=where)
    if header is None:
        found = next((row for row, count in enumerate(filled) if count > 1 or width == 1), None)
    else:
        found = header - 1 if header <= len(filled) and filled[header - 1] else None
    if found is None:
        what = f"row {header} names no column" if header else "no row names the columns"
        raise ContractBroken(what, where=where, hint=hint)
    if filled[found] * 2 < width:
        raise ContractBroken(f"row {found + 1} names {filled[found]} of {width} columns", where=where, hint=hint)
    return found
