"""The language in which MLflow's clients search: comparisons that must all hold.

metrics.auc > 0.7 and params.model = 'tree' and tags.`mlflow.user` LIKE 'ad%'
attributes.run_id IN ('2f…', '3a…') and status = 'FINISHED' and tags.team IS NOT NULL
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from penstock.mlflow.errors import ProtocolError, invalid

PLACES: Mapping[str, str] = {
    "metric": "metrics", "metrics": "metrics",
    "param": "params", "params": "params", "parameter": "params", "parameters": "params",
    "tag": "tags", "tags": "tags",
    "dataset": "datasets", "datasets": "datasets",
    "attribute": "", "attributes": "", "attr": "", "run": "",
}  # fmt: skip
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])
    | (?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")
    | (?P<quoted>`[^`]*`)
    | (?P<word>[A-Za-z_][\w\-/]*)
    | (?P<mark><=|>=|!=|[=<>().,])
    )""",
    re.VERBOSE,
)
_EXPECTED = "comparisons joined by AND: metrics.auc > 0.7 AND params.model = 'tree'"


class Clause(NamedTuple):
    """One comparison. `place` is metrics, params, tags, datasets or "" for what the thing itself has."""

    place: str
    name: str
    operator: str  # = != < <= > >= LIKE ILIKE IN, NOT IN, IS NULL, IS NOT NULL
    value: str | float | tuple[str | float, ...] | None


class Order(NamedTuple):
    """A field to sort by."""

    place: str
    name: str
    falling: bool


class _Token(NamedTuple):
    kind: str
    text: str


def parse_filter(text: str) -> list[Clause]:
    """The comparisons of a filter. ProtocolError where it cannot be read."""
    tokens = _Tokens(text)
    clauses: list[Clause] = []
    while not tokens.ended:
        if clauses and not tokens.word("AND"):
            raise tokens.wrong("AND, or the end")
        clauses.append(_clause(tokens))
    return clauses


def parse_order(text: str) -> Order:
    """`metrics.auc DESC`, `start_time`; rising unless it says DESC."""
    tokens = _Tokens(text)
    place, name = _field(tokens)
    falling = tokens.word("ASC", "DESC") == "DESC"
    if not tokens.ended:
        raise tokens.wrong("ASC, DESC or the end")
    return Order(place, name, falling)


def _clause(tokens: "_Tokens") -> Clause:
    place, name = _field(tokens)
    if tokens.word("IS"):
        operator = "IS NOT NULL" if tokens.word("NOT") else "IS NULL"
        if not tokens.word("NULL"):
            raise tokens.wrong("NULL")
        return Clause(place, name, operator, None)
    if tokens.word("NOT"):
        if not tokens.word("IN"):
            raise tokens.wrong("IN")
        return Clause(place, name, "NOT IN", _values(tokens))
    operator = tokens.operator()
    return Clause(place, name, operator, _values(tokens) if operator == "IN" else tokens.value())


def _field(tokens: "_Tokens") -> tuple[str, str]:
    parts = [tokens.name()]
    while tokens.mark("."):
        parts.append(tokens.name())
    if len(parts) == 1:
        return "", parts[0]
    if parts[0].lower() not in PLACES:
        what = f"{parts[0]!r} is no kind of field"
        raise invalid(what, expected="metrics, params, tags, attributes or datasets")
    return PLACES[parts[0].lower()], ".".join(parts[1:])


def _values(tokens: "_Tokens") -> tuple[str | float, ...]:
    if not tokens.mark("("):
        raise tokens.wrong("a list in parentheses")
    values = [tokens.value()]
    while tokens.mark(","):
        values.append(tokens.value())
    if not tokens.mark(")"):
        raise tokens.wrong("a comma or a closing parenthesis")
    return tuple(values)


class _Tokens:
    """The tokens of one text, taken from the front."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_split(text))
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._now.kind == "end"

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def word(self, *words: str) -> str | None:
        """Go on behind one of these words; None when another token comes."""
        if self._now.kind == "word" and self._now.text.upper() in words:
            self._at += 1
            return self._tokens[self._at - 1].text.upper()
        return None

    def mark(self, mark: str) -> bool:
        """Go on behind this mark, if it comes."""
        found = self._now == ("mark", mark)
        self._at += found
        return found

    def name(self) -> str:
        return self._take("a field such as metrics.auc", "word", "quoted", "text", "number").text

    def operator(self) -> str:
        found = self.word("LIKE", "ILIKE", "IN")
        if found is None and self._now.text in ("=", "!=", "<", "<=", ">", ">="):
            found = self._take("", "mark").text
        if found is None:
            raise self.wrong("one of =, !=, <, <=, >, >=, LIKE, ILIKE, IN")
        return found

    def value(self) -> str | float:
        token = self._take("a number, or a text in quotes", "number", "text")
        return float(token.text) if token.kind == "number" else token.text

    def wrong(self, expected: str) -> ProtocolError:
        """What is said about the token that comes."""
        found = "the end" if self.ended else repr(self._now.text)
        return invalid(f"the filter {self._text!r} has {found} where it should not", expected=expected)

    def _take(self, expected: str, *kinds: str) -> _Token:
        if self._now.kind not in kinds:
            raise self.wrong(expected)
        self._at += 1
        return self._tokens[self._at - 1]


def _split(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise invalid(f"the filter {text!r} cannot be read from {text[at:][:20]!r} on", expected=_EXPECTED)
        kind = found.lastgroup or ""
        yield _Token(kind, _plain(kind, found[kind]))
        at = found.end()
    yield _Token("end", "")


def _plain(kind: str, text: str) -> str:
    if kind == "quoted":
        return text[1:-1]
    return re.sub(r"\\(.)", r"\1", text[1:-1]).replace("''", "'") if kind == "text" else text
