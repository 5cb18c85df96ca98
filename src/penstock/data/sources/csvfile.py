"""What kind of CSV a file is: its encoding, delimiter and header. Standard library only.

Files that Polars cannot read as they are (another encoding, compressed, old line ends) are written
again as plain UTF-8 into a scratch directory.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, count, islice
from pathlib import Path
from typing import BinaryIO

from penstock.digest import CHUNK
from penstock.errors import ContractBroken

DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 1 << 16
BYTE_ORDER_MARK = "\ufeff"
NOT_WINDOWS = b"\x81\x8d\x8f\x90\x9d"  # bytes that mean nothing in Windows-1252


@dataclass(frozen=True)
class Csv:
    """A CSV file in UTF-8 and how to read it."""

    path: Path
    delimiter: str
    header: tuple[str, ...]
    blank_lines: int  # before the header


def plain_text(path: Path, name: str, scratch: Path, *, mark: bool = True, encoding: str | None = None) -> Path:
    """The file itself if it is plain UTF-8, else a copy in `scratch` that is. `mark`: a byte order mark may stay.

    `encoding`: the file's; by default it is found out. ContractBroken when it is packed or encoded as it begins, but
    not to its end, or holds a zero byte.
    """
    try:
        plain = _plain(path, scratch, mark, encoding)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = f"cannot be unpacked: {error}"
        raise ContractBroken(what, where=name, hint="fetch it again: it is cut off or damaged") from error
    except UnicodeDecodeError as error:
        what = f"not a text file in {error.encoding}: {error.reason}"
        raise ContractBroken(what, where=name, hint="save it in UTF-8, or name its `encoding` in the source") from error
    if line := _zero_byte(plain):
        hint = "save it as text in UTF-8; of UTF-16 without a byte order mark, name the `encoding` in the source"
        raise ContractBroken(f"not a text file: line {line:,} holds a zero byte", where=name, hint=hint)
    return plain


def _zero_byte(path: Path) -> int | None:
    """The first line with a zero byte: what Polars takes for a character, and no text has."""
    line = 1
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if (position := chunk.find(0)) >= 0:
                return line + chunk.count(b"\n", 0, position)
            line += chunk.count(b"\n")
    return None


def _plain(path: Path, scratch: Path, mark: bool, given: str | None) -> Path:
    with path.open("rb") as file:
        first = file.read(3)
    found = _encoding(path)
    encoding = codecs.lookup(given).name if given else found
    with _decoded(path, encoding, "") as text:
        head = text.read(SAMPLE)
    old_mac = "\r" in head and "\n" not in head
    marked = first == codecs.BOM_UTF8 and not mark
    if encoding == found == "utf-8" and not (_is_gzip(first) or old_mac or marked):
        return path
    copy = scratch / f"{len(list(scratch.iterdir()))}-{path.name}"
    with _decoded(path, encoding, None if old_mac else "") as text, copy.open("w", encoding="utf-8", newline="") as out:
        out.write(text.read(1).removeprefix(BYTE_ORDER_MARK))
        while chunk := text.read(CHUNK):
            out.write(chunk)
    return copy


def describe(path: Path, name: str, delimiter: str | None = None) -> Csv:
    """Find out a UTF-8 file's delimiter, unless it is given, and its header.

    ContractBroken when it has no header, or a double column.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.read(SAMPLE)
    body = head.lstrip("\r\n")
    if not body.strip():
        raise ContractBroken(
            "the file is empty: it has no header", where=name, hint="a first line must name the columns"
        )
    delimiter = delimiter or sniff(body)
    if len(head) == SAMPLE and "\n" not in body:
        what = f"the first line has more than {SAMPLE:,} characters"
        raise ContractBroken(what, where=name, hint="is the first line a header?")
    cells = next(_cells(body, delimiter))
    blank = head[: len(head) - len(body)].count("\n")
    return Csv(path, delimiter, column_names(cells, name), blank)


def sniff(sample: str) -> str:
    """The delimiter that splits the first lines into most columns, equally many in each."""
    lines = sample.splitlines(keepends=True)
    whole = lines[:-1] if len(lines) > 1 and not lines[-1].endswith("\n") else lines
    scores = {delimiter: _score("".join(whole[:50]), delimiter) for delimiter in DELIMITERS}
    return max(DELIMITERS, key=lambda delimiter: (scores[delimiter], -DELIMITERS.index(delimiter)))


def _score(sample: str, delimiter: str) -> tuple[float, int]:
    """Share of rows as wide as the header, and how wide; a single column says nothing."""
    rows = [row for row in _cells(sample, delimiter) if row]
    width = len(rows[0]) if rows else 0
    if width < 2:
        return (0.0, 0)
    return (round(sum(len(row) == width for row in rows) / len(rows), 1), width)


def _cells(text: str, delimiter: str) -> Iterator[list[str]]:
    # a carriage return inside a line is a character to Polars, and an error to Python's reader
    return csv.reader(io.StringIO(re.sub(r"\r(?!\n)", " ", text), newline=""), delimiter=delimiter)


def column_names(cells: Sequence[str], name: str, places: Iterable[int] | None = None) -> tuple[str, ...]:
    """A header's names; a cell without one is called by its place. ContractBroken when two are the same."""
    placed = zip(places or count(1), cells, strict=False)
    named = tuple(cell if cell.strip() else f"column_{place}" for place, cell in placed)
    twice = [cell for cell, times in Counter(named).items() if times > 1]
    if twice:
        table: list[dict[str, object]] = [
            {"column": cell, "change": f"stands {named.count(cell)} times in the header"} for cell in twice
        ]
        raise ContractBroken(
            "the header names a column more than once", where=name, table=table, hint="give each column its own name"
        )
    return named


def wrong_line(file: Csv) -> str | None:
    """The first line that has more cells than the header, or a quote that nothing closes: what Polars does not say."""
    begun = ended = 0
    with file.path.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=file.delimiter)
        try:
            for row in reader:
                if len(row) > len(file.header):
                    return f"line {reader.line_num} has {_cells_in(len(row))}, the header {len(file.header)}"
                begun, ended = ended + 1, reader.line_num
        except csv.Error as error:
            return f"line {reader.line_num}: {error}"
    if _quotes(file.path) % 2:
        return f"a cell that begins with a quote in line {begun} does not end"
    return None


def _cells_in(number: int) -> str:
    return f"{number:,} cell" + ("" if number == 1 else "s")


def _quotes(path: Path) -> int:
    with path.open("rb") as file:
        return sum(chunk.count(b'"') for chunk in iter(partial(file.read, CHUNK), b""))


def cut_off(file: Csv) -> str | None:
    """What a file that is not whole ends with: a last line of too few cells. None when it ends well.

    Where the line before has no more cells, all of them are short, and the file is as whole as it ever was.
    """
    lines = _last_lines(file.path)
    # where the quotes from a line on are even in number, that line does not begin inside a quoted cell
    quotes = accumulate(line.count('"') for line in reversed(lines))
    begins = list(islice((number for number, total in enumerate(quotes, start=1) if total % 2 == 0), 2))
    if not begins:
        return None
    *before, last = (len(row) for row in _cells("\n".join(lines[-begins[-1] :]), file.delimiter) if row)
    if last < len(file.header) and before[-1:] != [last]:
        return f"the last line has {_cells_in(last)}, the header {len(file.header)}"
    return None


def _last_lines(path: Path) -> list[str]:
    """The lines at the end of a file, without blank ones after the last."""
    with path.open("rb") as file:
        beginning = max(0, file.seek(0, io.SEEK_END) - SAMPLE)
        file.seek(beginning)
        text = file.read().decode("utf-8-sig", errors="replace")
    lines = text.split("\n")[1 if beginning else 0 :]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _encoding(path: Path) -> str:
    """UTF-8 if all of the file is, else what a byte order mark says, else Windows-1252 or Latin-1."""
    with _opened(path) as file:
        head = file.read(4)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    latin = "cp1252"
    utf8 = True
    with _opened(path) as file:
        while chunk := file.read(CHUNK):
            utf8 = utf8 and _decodes(decoder, chunk)
            latin = latin if chunk.translate(None, NOT_WINDOWS) == chunk else "latin-1"
        utf8 = utf8 and _decodes(decoder, b"", final=True)
    return "utf-8" if utf8 else latin


def _decoded(path: Path, encoding: str, newline: str | None) -> io.TextIOWrapper:
    return io.TextIOWrapper(_opened(path), encoding=encoding, newline=newline)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _is_gzip(head: bytes) -> bool:
    return head.startswith(b"\x1f\x8b")


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = _is_gzip(file.read(2))
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]
