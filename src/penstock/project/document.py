"""YAML as values that remember where they stand.

Reading, overlaying and filling in `${VAR}` are three steps, so that a variable is only asked for
when its value is still there after the overlays.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from penstock.errors import ConfigError, Problem

Path = tuple[str | int, ...]

_VARIABLE = re.compile(
    r"\$(?P<escaped>\$(?=\{))|\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}|\$\{(?P<bad>[^}]*)\}?"
)
_TAG = "tag:yaml.org,2002:"
_NUMBERS = {"bool": "true or false", "int": "a whole number below 1e308", "float": "a finite number"}
_SCALARS = ("str", "int", "float", "bool", "null", "timestamp")  # a timestamp stays the text that it is


class Place(NamedTuple):
    """Where a key and its value stand: `penstock.yaml:12:5`."""

    key: str
    value: str


@dataclass(frozen=True)
class Variables:
    """A text with `${VAR}` in it. `plain` texts (no quotes) are read as YAML once filled in."""

    text: str
    plain: bool


@dataclass(frozen=True)
class Document:
    """A tree of values, the place of each path in it, and what is wrong with it.

    `filled` has the text, as the file has it, of each value that came from `${VAR}`: messages show
    that text, so what the environment holds never appears in one.
    """

    values: dict[str, Any]
    places: Mapping[Path, Place] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    filled: Mapping[Path, str] = field(default_factory=dict)

    def where(self, path: Path, *, key: bool = False) -> str:
        """The place of the value at `path` (or of its key), or of the closest thing around it."""
        for length in range(len(path), -1, -1):
            place = self.places.get(path[:length])
            if place is not None:
                return place.key if key and length == len(path) else place.value
        return "penstock.yaml:1:1"

    def and_problems(self, *problems: Problem) -> "Document":
        """The same with more problems."""
        return replace(self, problems=(*self.problems, *problems))


def read_document(text: str, name: str) -> Document:
    """Parse `text`; syntax errors, double keys and what YAML allows but a project file does not are problems."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.nodes import MappingNode

    start = f"{name}:1:1"
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except YAMLError as error:
        return Document({}, {}, (_syntax_problem(error, text, name),))
    except RecursionError:
        return Document({}, {}, (Problem(start, "brackets are nested too deep"),))
    if root is None:
        return Document({}, {(): Place(start, start)}, ())
    if not isinstance(root, MappingNode):
        return Document({}, {}, (Problem(start, "the file is not a mapping", "lines of `key: value`"),))
    reader = _Reader(yaml, name)
    values = reader.read(root, (), start)
    return Document(values, reader.places, tuple(reader.problems))


def read_text(path: FilePath, name: str) -> str:
    """What a file holds. ConfigError when it is not UTF-8; OSError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        problem = Problem(f"{name}:1:1", f"byte {error.start} is not UTF-8", "a text file in UTF-8")
        raise ConfigError([problem], hint=f"save {path} as UTF-8") from None


def as_written(value: Any) -> Any:
    """The tree of a file that knows no variables: `${…}` in it is just text."""
    if isinstance(value, dict):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_written(item) for item in value]
    return getattr(value, "text", value)


def read_value(text: str) -> Any:
    """One YAML value. ValueError if it is not one."""
    document = read_document(f"value:\n  {text}", "value")
    if document.problems:
        raise ValueError(document.problems[0].what)
    return document.values["value"]


def overlay(base: Document, values: Mapping[str, Any], places: Mapping[Path, Place]) -> Document:
    """`base` with `values` over it: mappings are merged key by key, everything else is replaced."""
    return replace(base, values=_merge(base.values, values), places={**base.places, **places})


def fill_in(document: Document, environment: Mapping[str, str]) -> Document:
    """`document` with `${VAR}` and `${VAR:-default}` from `environment`; each that is not set is a problem."""
    problems: list[Problem] = []
    filled: dict[Path, str] = {}

    def fill(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, Variables):
            return value
        text, lacks = _substitute(value.text, environment)
        problems.extend(Problem(document.where(path), lack, hint) for lack, hint in lacks)
        filled[path] = value.text
        if not value.plain or lacks:
            return text
        try:
            return _plain_value(text)
        except ValueError as error:  # which does not say what the environment holds
            problems.append(Problem(document.where(path), f"{value.text} is not {error}"))
            return text

    values = fill(document.values, ())
    return replace(document, values=values, filled=filled).and_problems(*problems)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _substitute(text: str, environment: Mapping[str, str]) -> tuple[str, list[tuple[str, str]]]:
    lacks: list[tuple[str, str]] = []

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name = match["name"]
        if name is None:
            known = "${NAME} or ${NAME:-default}; write $${ for a plain ${"
            lacks.append((f"${{{match['bad']}}} is not a variable", known))
            return ""
        # as in the shell, `:-` also stands in for a variable that is set to nothing
        value = environment.get(name) or match["default"]
        if value is None and name not in environment:
            lacks.append((f"the environment variable {name} is not set", f"export {name}=..., or ${{{name}:-default}}"))
        return value or ""

    return _VARIABLE.sub(replace, text), lacks


def _plain_value(text: str) -> Any:
    """What YAML would make of `text` without quotes, if it is a number, a truth value or null; else the text."""
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import ScalarNode

    yaml = YAML(typ="safe", pure=True)
    node = ScalarNode(yaml.resolver.resolve(ScalarNode, text, (True, False)), text)
    return _scalar(yaml, node)


def _scalar(yaml: Any, node: Any) -> Any:
    """What a scalar says. ValueError with what it should be, when its tag or its size makes it no such thing."""
    kind = str(node.tag).removeprefix(_TAG)
    if kind == "null":
        return None
    if kind not in _NUMBERS:
        return node.value
    try:
        value = yaml.constructor.yaml_constructors[_TAG + kind](yaml.constructor, node)
        finite = math.isfinite(value)
    except (ValueError, KeyError, OverflowError):
        raise ValueError(_NUMBERS[kind]) from None
    if not finite:
        raise ValueError(_NUMBERS[kind])
    return value


class _Reader:
    """Walks the nodes of one file."""

    def __init__(self, yaml: Any, name: str) -> None:
        self.yaml = yaml
        self.name = name
        self.places: dict[Path, Place] = {}
        self.problems: list[Problem] = []
        self.open: list[Any] = []  # the nodes around this one, to see an alias that contains itself

    def read(self, node: Any, path: Path, key: str) -> Any:
        where = self.where(node)
        self.places[path] = Place(key, where)
        if any(node is outer for outer in self.open):
            return self.problem(where, "this alias contains itself")
        self.open.append(node)
        try:
            if node.id == "mapping":
                return self.mapping(node, path)
            if node.id == "sequence":
                return [self.read(item, (*path, i), self.where(item)) for i, item in enumerate(node.value)]
            return self.scalar(node, where)
        finally:
            self.open.pop()

    def mapping(self, node: Any, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            where = self.where(key_node)
            key = key_node.value
            if key_node.tag == _TAG + "merge":
                place = self.places[path]
                parts = self.read(value_node, path, where)
                self.places[path] = place
                for part in parts if isinstance(parts, list) else [parts]:
                    merged = {**part, **merged} if isinstance(part, dict) else merged
            elif key_node.id != "scalar" or key_node.tag == _TAG + "null":
                self.problem(where, "a key must be text")
            elif key in values:
                self.problem(where, f"the key {key!r} stands at {self.places[(*path, key)].key} already")
            else:
                values[key] = self.read(value_node, (*path, key), where)
        return {**merged, **values}

    def scalar(self, node: Any, where: str) -> Any:
        if str(node.tag).removeprefix(_TAG) not in _SCALARS:
            return self.problem(where, f"the tag {node.tag} has no meaning here")
        if "${" in node.value and node.tag == _TAG + "str":
            return Variables(node.value, plain=node.style is None)
        try:
            return _scalar(self.yaml, node)
        except ValueError as error:
            shown = node.value if len(node.value) <= 40 else f"{node.value[:37]}..."
            return self.problem(where, f"{shown} is not {error}")

    def where(self, node: Any) -> str:
        return f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

    def problem(self, where: str, what: str, expected: str | None = None) -> None:
        self.problems.append(Problem(where, what, expected))


def _syntax_problem(error: Any, text: str, name: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # a character that YAML does not allow: the error has an offset only
        before = text[: getattr(error, "position", 0)]
        where = f"{name}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        return Problem(where, "a control character is not allowed in YAML")
    what = str(getattr(error, "problem", None) or "not YAML")
    context = getattr(error, "context", None)
    line = [*text.split("\n"), ""][mark.line]
    where = f"{name}:{mark.line + 1}:{mark.column + 1}"
    return Problem(where, f"{what} {context}" if context else what, _advice(what, line))


def _advice(what: str, line: str) -> str | None:
    """What most likely puts the line right."""
    if "\\t" in what:
        return "spaces, never tabs, at the start of a line"
    if "${" in line and "{" in what:
        return 'quotes around ${...} inside { } or [ ]: "${NAME}"'
    if "mapping values are not allowed" in what:
        return "quotes around a text that has `: ` in it"
    return None
