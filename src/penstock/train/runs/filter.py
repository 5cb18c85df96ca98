"""The language in which runs are asked for.

    metrics.roc_auc > 0.7 and params.depth <= 6
    status in ('failed', 'killed') and started > '2026-11-01'
    not (tags.team = 'growth' or experiment like 'search%')
    data.flights = '03eeaa8e' and max.valid_auc >= 0.8

Names that are not words are quoted with backticks or double quotes: metrics.`val/loss`. Texts stand in single or
double quotes. `and` binds before `or`; words may be written in any case. Columns and orders name fields alike.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from penstock.errors import UsageError
from penstock.ledger import NEWEST, All, AnyOf, Comparison, Condition, Not, Sort, Value

_TIMES = ("started", "finished")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<quoted>`[^`]*`)
    | (?P<word>[A-Za-z_][\w\-/@]*)
    | (?P<mark><=|>=|!=|==|<>|[=<>().,*])
    )""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[A-Za-z_][\w\-/@]*(\.[A-Za-z_][\w\-/@]*)*")
_EXPECTED = "such as: metrics.roc_auc > 0.7 and params.depth <= 6"


class Field(NamedTuple):
    """`metrics.roc_auc` is Field("metrics", "roc_auc"); of a field of the run itself the place is ""."""

    place: str
    name: str

    def __str__(self) -> str:
        if not self.place or self.name == "*":
            return f"{self.place}.{self.name}" if self.place else self.name
        return f"{self.place}.{self.name if _PLAIN.fullmatch(self.name) else f'`{self.name}`'}"


class _Token(NamedTuple):
    kind: str  # number | text | quoted | word | mark | end
    text: str
    column: int  # from 1


def parse_filter(text: str) -> Condition:
    """The condition that a text means; an empty text holds for every run. UsageError with the column where it fails."""
    parser = _Parser(text, "the filter")
    if parser.now.kind == "end":
        return All()
    condition = parser.either()
    parser.expect_end("`and`, `or`, or the end")
    return condition


def parse_sort(text: str) -> Sort:
    """`metrics.roc_auc`, `-started`, `params.depth desc`; rising unless there is a "-" in front or `desc` behind."""
    if not text.strip():
        return NEWEST
    falling = text.lstrip().startswith("-")
    parser = _Parser(text.replace("-", " ", 1) if falling else text, "the order")
    place, name = parser.field()
    direction = parser.take_word("asc", "desc")
    parser.expect_end("`asc`, `desc`, or the end")
    return Sort(place, name, falling or direction == "desc")


def parse_columns(text: str) -> tuple[Field, ...]:
    """`number, metrics.roc_auc, params.*`: fields in their order; `*` stands for every name of a place."""
    parser = _Parser(text, "the list of columns")
    columns = [parser.column()]
    while parser.take(","):
        columns.append(parser.column())
    parser.expect_end("a comma, or the end")
    return tuple(dict.fromkeys(columns))


def fields_of(condition: Condition) -> Iterator[Field]:
    """The fields that a condition asks for."""
    match condition:
        case Comparison(place=place, name=name):
            yield Field(place, name)
        case Not(part):
            yield from fields_of(part)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from fields_of(part)


class _Parser:
    """Recursive descent over the tokens of one text; `what` it is stands in errors."""

    def __init__(self, text: str, what: str) -> None:
        self._what = what
        self._tokens = list(_tokens(text, what))
        self._at = 0

    @property
    def now(self) -> _Token:
        """The token that comes next."""
        return self._tokens[self._at]

    def either(self) -> Condition:
        parts = [self._both()]
        while self.take_word("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _both(self) -> Condition:
        parts = [self._one()]
        while self.take_word("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Condition:
        if self.take_word("not"):
            return Not(self._one())
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise self._wrong("a closing parenthesis")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        place, name = self.field()
        refused = self.take_word("not")
        operator = self._operator()
        if refused and operator not in ("in", "like"):
            raise self._wrong("`in` or `like` behind `not`")
        value = self._values(place, name) if operator == "in" else self._value(place, name)
        comparison = Comparison(place, name, operator, value)
        return Not(comparison) if refused else comparison

    def column(self) -> Field:
        """A field, or all of a place."""
        return self.field(every=True)

    def field(self, *, every: bool = False) -> Field:
        """A place and a name, `metrics.loss`, or a field of the run itself."""
        first = self._name("a field: metrics.NAME, params.NAME, tags.NAME, status, started, ...")
        if not self.take("."):
            return Field("", first)
        if every and self.take("*"):
            return Field(first, "*")
        name = self._name(f"a name behind `{first}.`")
        while self.take("."):
            name = f"{name}.{self._name('a name')}"
        return Field(first, name)

    def _name(self, expected: str) -> str:
        token = self.now
        if token.kind not in ("word", "quoted", "text"):
            raise self._wrong(expected)
        self._at += 1
        return token.text

    def _operator(self) -> str:
        if word := self.take_word("like", "in"):
            return word
        token = self.now
        known = {"==": "=", "<>": "!="}.get(token.text, token.text)
        if token.kind != "mark" or known not in ("=", "!=", "<", "<=", ">", ">="):
            raise self._wrong("one of =, !=, <, <=, >, >=, like, in")
        self._at += 1
        return known

    def _values(self, place: str, name: str) -> tuple[Value, ...]:
        if not self.take("("):
            raise self._wrong("a list of values in parentheses")
        values = [self._value(place, name)]
        while self.take(","):
            values.append(self._value(place, name))
        if not self.take(")"):
            raise self._wrong("a comma or a closing parenthesis")
        return tuple(values)

    def _value(self, place: str, name: str) -> Value:
        token = self.now
        if token.kind == "word" and token.text.lower() in ("true", "false"):
            self._at += 1
            return token.text.lower()  # parameters are kept as JSON
        if token.kind not in ("number", "text"):
            raise self._wrong("a number, or a text in quotes")
        self._at += 1
        if place == "" and name in _TIMES:
            return _time(token)
        return _number(token.text) if token.kind == "number" else token.text

    def take_word(self, *words: str) -> str | None:
        """Go on behind one of these words, in lower case; None when another token comes."""
        token = self.now
        if token.kind == "word" and token.text.lower() in words:
            self._at += 1
            return token.text.lower()
        return None

    def take(self, mark: str) -> bool:
        """Go on behind this mark; False when another token comes."""
        if self.now.kind == "mark" and self.now.text == mark:
            self._at += 1
            return True
        return False

    def expect_end(self, expected: str) -> None:
        """UsageError when something is left."""
        if self.now.kind != "end":
            raise self._wrong(expected)

    def _wrong(self, expected: str) -> UsageError:
        token = self.now
        found = f"{token.text!r}" if token.kind != "end" else "the end"
        what = f"{self._what} has {found} where it should not"
        return UsageError(what, where=f"column {token.column}", expected=expected)


def _tokens(text: str, what: str) -> Iterator[_Token]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
            unread = f"{what} cannot be read from {text[column - 1 :][:20]!r} on"
            raise UsageError(unread, where=f"column {column}", expected=_EXPECTED)
        kind = found.lastgroup or ""
        yield _Token(kind, _plain(kind, found[kind]), found.start(kind) + 1)
        at = found.end()
    yield _Token("end", "", len(text) + 1)


def _plain(kind: str, text: str) -> str:
    if kind == "quoted":
        return text[1:-1]
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "text" else text


def _number(text: str) -> float:
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


def _time(token: _Token) -> datetime:
    try:
        moment = datetime.fromisoformat(token.text)
    except ValueError:
        what = f"{token.text!r} is not a time"
        raise UsageError(what, where=f"column {token.column}", expected="ISO 8601: '2026-11-01'") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
