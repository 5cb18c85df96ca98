"""A JSON file as lines of one object each, in bounded memory, and where it is wrong. Standard library only."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from penstock.errors import ContractBroken

PIECE = 1 << 20  # characters read at a time
LARGEST = 64 << 20  # characters that one element may have
_SPACE = re.compile(r"[ \t\r\n]*")


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no value of JSON")


# a number stays the text that it is: the contract says what it means
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_number)


def as_lines(path: Path, name: str, scratch: Path) -> Path:
    """A copy of a UTF-8 file in `scratch` with one object per line, each as it is written, so that no digit is lost.

    The file holds an array of objects, or objects one after another. ContractBroken, with line and column, when it
    is no JSON, is cut off, or holds something else.
    """
    copy = scratch / f"{len(list(scratch.iterdir()))}-{path.stem}.ndjson"
    with path.open(encoding="utf-8-sig") as file, copy.open("w", encoding="utf-8", newline="\n") as out:
        for element in _Elements(file, name):
            # between its tokens a line end is a blank; inside a text JSON does not allow one
            out.write(element.replace("\n", " ").replace("\r", " "))
            out.write("\n")
    return copy


def wrong_line(path: Path) -> str | None:
    """The first line of a file of JSON lines that holds no object."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            try:
                if line.strip() and not isinstance(json.loads(line), dict):
                    return f"line {number:,} holds no object"
            except ValueError as error:
                return f"line {number:,}: {getattr(error, 'msg', error)}"
    return None


class _Elements:
    """The objects of a file, as they are written. Holds one element and one piece of text at a time."""

    def __init__(self, file: TextIO, name: str) -> None:
        self.file = file
        self.name = name
        self.text = ""
        self.at = 0  # where in `text` we are
        self.lines = 0  # line ends before `text`
        self.column = 0  # characters of the line that `text` begins in, before it
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        first = self.next()
        if first == "[":
            yield from self.array()
        elif first == "{":
            yield from self.sequence()
        else:
            raise self.wrong("an array of objects was expected" if first else "the file is empty")

    def array(self) -> Iterator[str]:
        self.at += 1
        if self.next() == "]":
            self.at += 1
        else:
            yield self.object()[0]
            while self.next() == ",":
                self.at += 1
                self.next()
                yield self.object()[0]
            if self.next() != "]":
                raise self.wrong("`,` or `]` was expected after an object" if self.next() else "the file is cut off")
            self.at += 1
        if self.next():
            raise self.wrong("something follows the end of the array")

    def sequence(self) -> Iterator[str]:
        text, value = self.object()
        inside = next((key for key, held in value.items() if isinstance(held, list) and _are_objects(held)), None)
        if inside is not None and not self.next():
            raise self.wrong(
                "the file holds one object, not an array of them", hint=f"take the array {inside!r} out of it"
            )
        yield text
        while self.next():
            yield self.object()[0]

    def next(self) -> str:
        """The next character that is no blank, and go there; empty at the end of the file."""
        while True:
            match = _SPACE.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]

    def object(self) -> tuple[str, dict[str, Any]]:
        """The object that begins here, as it is written and as a value, and go behind it."""
        if self.next() not in ("{", ""):
            raise self.wrong("an object was expected")
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except (ValueError, RecursionError) as error:
                if len(self.text) - self.at < LARGEST and self.more():
                    continue
                raise self.unread(error) from None
            start, self.at = self.at, end
            return self.text[start:end], value

    def unread(self, error: Exception) -> ContractBroken:
        what, self.at = getattr(error, "msg", str(error)), getattr(error, "pos", self.at)
        cut = self.ended and (what.startswith("Unterminated") or not self.text[self.at :].strip())
        return self.wrong("the file is cut off" if cut else what)

    def more(self) -> bool:
        """Read on, and let go of what lies behind us. Each time as much again, so that a large element is no square."""
        piece = self.file.read(max(PIECE, len(self.text) - self.at))
        if not piece:
            self.ended = True
            return False
        self.lines, self.column = self.place()
        self.text, self.at = self.text[self.at :] + piece, 0
        return True

    def place(self) -> tuple[int, int]:
        """How many lines and how many characters of this line lie behind us."""
        passed = self.text[: self.at]
        ends = passed.count("\n")
        return self.lines + ends, len(passed) - passed.rfind("\n") - 1 if ends else self.column + len(passed)

    def wrong(self, what: str, hint: str | None = None) -> ContractBroken:
        line, column = self.place()
        hint = hint or "it must hold an array of objects, or one object per line"
        return ContractBroken(f"line {line + 1:,}, column {column + 1:,}: {what}", where=self.name, hint=hint)


def _are_objects(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, dict) for value in values)
