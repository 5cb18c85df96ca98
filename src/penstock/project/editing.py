"""Changing values in a YAML text: only the characters of the value change, comments and layout stay."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from penstock.errors import PenstockError
from penstock.project.document import Path, as_written, read_document, read_text
from penstock.project.load import ProjectFile

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


def edited(text: str, changes: Mapping[Path, Any], name: str = "penstock.yaml") -> str:
    """The text with each value of `changes` at its path; what is not there yet is added to its section.

    The sections around a path must be there. PenstockError when the text cannot be changed so: nothing else may have
    another value afterwards than before.
    """
    changed = text
    for path, value in changes.items():
        changed = _put(changed, path, value)
    expected = as_written(read_document(text, name).values)
    for path, value in changes.items():
        _set(expected, path, value)
    if as_written(read_document(changed, name).values) != expected:
        shown = ", ".join(".".join(map(str, path)) for path in changes)
        raise PenstockError(f"{shown} cannot be changed without a change elsewhere", where=name, hint="edit it by hand")
    return changed


def edit_project(project: ProjectFile, changes: Mapping[Path, Any]) -> FilePath:
    """Change values of a project file, all of them or none; the file."""
    draft = project.path.with_suffix(".tmp")
    draft.write_text(edited(read_text(project.path, project.path.name), changes, project.path.name), encoding="utf-8")
    draft.replace(project.path)
    return project.path


def flow(value: Any) -> str:
    """A value on one line, as YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _put(text: str, path: Path, value: Any) -> str:
    around = _find(text, path[:-1])
    entries = {key.value: (key, held) for key, held in around.value}
    if path[-1] not in entries:
        return _inserted(text, around, f"{flow(str(path[-1]))}: {flow(value)}")
    key, held = entries[path[-1]]
    known = [key.value for key, _ in held.value] if held.id == "mapping" else []
    if known and isinstance(value, Mapping) and {*known} <= {*value}:
        for name, each in value.items():
            text = text if _has(text, (*path, name), each) else _put(text, (*path, name), each)
        return text
    return _replaced(text, key, held, flow(value))


def _find(text: str, path: Path) -> Any:
    """The node at a path."""
    from ruamel.yaml import YAML

    node = YAML(typ="safe", pure=True).compose(text)
    for part in path:
        node = next(held for key, held in node.value if key.value == part)
    return node


def _has(text: str, path: Path, value: Any) -> bool:
    here: Any = as_written(read_document(text, "").values)
    for part in path:
        if not isinstance(here, dict) or part not in here:
            return False
        here = here[part]
    return bool(here == value) and type(here) is type(value)


def _inserted(text: str, around: Any, entry: str) -> str:
    if around.flow_style:
        at = around.end_mark.index - 1
        return f"{text[:at].rstrip()}{', ' if around.value else ''}{entry}{text[at:]}"
    first = around.value[0][0].start_mark
    return f"{text[: first.index]}{entry}\n{' ' * first.column}{text[first.index :]}"


def _replaced(text: str, key: Any, node: Any, written: str) -> str:
    if node.id == "scalar" or node.flow_style:
        return f"{text[: node.start_mark.index]}{written}{text[node.end_mark.index :]}"
    colon = text.index(":", key.end_mark.index) + 1  # a block stands on the lines below
    return f"{text[:colon]} {written}{text[_end(node) :]}"


def _end(node: Any) -> int:
    """Where the last character of a value stands; the end that a block itself knows is that of what follows it."""
    while node.id != "scalar" and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _set(values: Any, path: Sequence[str | int], value: Any) -> None:
    for part in path[:-1]:
        values = values[part]
    values[path[-1]] = list(value) if isinstance(value, tuple) else value
