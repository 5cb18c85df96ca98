"""From pydantic's errors to problems that a person can act on."""

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from penstock.errors import Problem, did_you_mean
from penstock.project.config import Config
from penstock.project.document import Document, Path

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping: lines of `key: value`",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_type": "a whole number",
    "model_type": "a mapping: lines of `key: value`",
    "string_type": "text; put quotes around what looks like a number",
    "tuple_type": "a list",
}
_PATTERNS = {
    "[A-Za-z_]": "module:function, such as pipeline:fit",
    "A-Za-z0-9_.-": "a name: a letter, then letters, digits, `_`, `.` or `-`",
    "(m|h|d|w|mo)": "a window such as 1h, 1d, 1w or 1mo",
    "last|random": "`last 20%`, `last 31d` or `random 20%`",
    '[^\\r\\n\\"]': "one character, and no quote",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def explain(error: ValidationError, document: Document) -> dict[Path, Problem]:
    """Each path that is wrong, and why; one problem per path."""
    found: dict[Path, Problem] = {}
    for detail in error.errors(include_url=False, include_input=False):
        path = _written_path(document.values, detail["loc"])
        found.setdefault(path, _problem(path, detail, document))
    return found


def unknown_keys(error: ValidationError, document: Document) -> Iterator[tuple[Path, str | None]]:
    """The path of each unknown key, with the known one that was most likely meant, unless that is there too."""
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        if detail["type"] == "extra_forbidden":
            path = _written_path(document.values, detail["loc"])
            _, meant, _ = [*did_you_mean(str(path[-1]), _keys(path[:-1])).split("'"), "", ""][:3]
            yield path, meant if meant and meant not in look_up(document.values, path[:-1]) else None


def look_up(values: Any, path: Path) -> Any:
    """What a tree holds at `path`; KeyError, IndexError or TypeError if it has no such place."""
    for part in path:
        values = values[part]
    return values


def dotted(path: Path) -> str:
    """`validate.gates[0].min`, as messages write it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def is_secret(path: Path) -> bool:
    """Whether the value at `path` must never be shown."""
    return SecretStr in _alternatives(_annotation(path))


def _problem(path: Path, detail: Mapping[str, Any], document: Document) -> Problem:
    kind, name = detail["type"], f"`{dotted(path)}`"
    if kind == "extra_forbidden":
        around = f" in `{dotted(path[:-1])}`" if len(path) > 1 else ""
        what = f"unknown key {str(path[-1])!r}{around}{did_you_mean(str(path[-1]), _keys(path[:-1]))}"
        return Problem(document.where(path, key=True), what)
    if kind == "missing":
        return Problem(document.where(path[:-1], key=True), f"{name} is missing", _meaning(path))
    if kind == "value_error" and path not in document.filled:
        return Problem(document.where(path), f"{name}: {detail['ctx']['error']}")
    return Problem(document.where(path), f"{name} is {_shown(path, document)}", _expected(detail))


def _expected(detail: Mapping[str, Any]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "literal_error":
        return f"one of {context['expected']}".replace("'", "")
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{words} {context[key]}"
    if kind == "string_pattern_mismatch":
        return next((words for part, words in _PATTERNS.items() if part in context["pattern"]), context["pattern"])
    return _EXPECTED.get(kind, "another kind of value")


def _shown(path: Path, document: Document) -> str:
    """The value as the file has it, never a secret nor what the environment put in."""
    if is_secret(path):
        return "not right"
    if path in document.filled:
        return document.filled[path]
    value = look_up(document.values, path)
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _meaning(path: Path) -> str | None:
    """What a missing key would hold."""
    annotation = _alternatives(_annotation(path))[0]
    if typing.get_origin(annotation) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(annotation)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a mapping with " + ", ".join(sorted(_keys(path)))
    return {str: "text", float: "a number", int: "a whole number"}.get(annotation)


def _written_path(values: Any, location: tuple[int | str, ...]) -> Path:
    """The part of pydantic's location that stands in the file: it adds the members of a union, and `[key]`."""
    path: list[int | str] = []
    for part in location:
        if part == "[key]":
            break
        known = (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int))
        if not known and _annotation((*path, part)) is None:
            continue
        path.append(part)
        values = values[part] if known else None
    return tuple(path)


def _keys(path: Path) -> frozenset[str]:
    """The keys that a section at `path` may have."""
    sections = [one for one in _alternatives(_annotation(path)) if isinstance(one, type) and issubclass(one, BaseModel)]
    keys = {field.alias or name for section in sections for name, field in section.model_fields.items()}
    return frozenset(keys | {"environments"} if Config in sections else keys)


def _annotation(path: Path) -> Any:
    """The declared type of what is at `path`; None if the project file has no such place."""
    annotation: Any = Config
    for part in path:
        inner = (_inside(one, part) for one in _alternatives(annotation))
        annotation = next((one for one in inner if one is not None), None)
    return annotation


def _inside(annotation: Any, part: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
        return fields.get(str(part))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict and isinstance(part, str):
        return arguments[1]
    return arguments[0] if origin is tuple and isinstance(part, int) else None


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, without None and `Annotated`."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _alternatives(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [one for one in typing.get_args(annotation) if one is not types.NoneType]
        return tuple(inner for member in members for inner in _alternatives(member))
    return (annotation,)
