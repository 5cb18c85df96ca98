"""Which lines of a function's code, or of a contract, are not what they were when a step was last done with it."""

import ast
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from penstock.errors import Damaged
from penstock.project import project_sources
from penstock.store import Store

_LONGEST = 60  # characters of a line that are shown


def code_changes(root: Path, store: Store, reference: str, before: str) -> Iterator[str]:
    """`pipeline.py:48 in fit: `a` → `b``, one text per place; `before` is the digest of the code as it was."""
    now = {path: file.read_text() for path, file in project_sources(root, [reference]).items()}
    yield from _told(reference, kept_texts(store, before), now)


def file_changes(root: Path, store: Store, name: str, before: str) -> Iterator[str]:
    """The same for a contract, and for the code of the functions that it names."""
    from penstock.data.ingestion.job import contract_functions

    path = root / name
    now = {name: path.read_text()} if path.exists() else {}
    sources = [project_sources(root, [each]) for each in (contract_functions(path) if now else ())]
    now |= {each: file.read_text() for files in sources for each, file in files.items()}
    yield from _told(name, kept_texts(store, before, name), now)


def kept_texts(store: Store, digest: str, name: str = "") -> dict[str, str]:
    """The files that a digest of code stands for; none where they were not kept. A plain file is called `name`."""
    if len(digest) != 64 or not store.has(digest):
        return {}
    try:
        found = store.read_json(digest) if store.blobs.is_json(digest) else None
        if not isinstance(found, Mapping):
            return {name: store.read_bytes(digest).decode()}
        return _unpacked(store, found, name)
    except (Damaged, UnicodeDecodeError):
        return {}


def _unpacked(store: Store, found: Mapping[str, Any], name: str) -> dict[str, str]:
    if "functions" in found:  # a contract that names functions
        whole = kept_texts(store, found["file"], name)
        for digest in found["functions"].values():
            whole |= kept_texts(store, digest)
        return whole
    files = found.get("files", found)
    return {path: store.read_bytes(blob).decode() for path, blob in files.items() if store.has(blob)}


def _told(what: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    if not before:
        yield f"{what} changed ({', '.join(now)})"
        return
    for path in sorted({*before, *now}):
        if path not in now:
            yield f"{path} is no longer part of {what}"
        elif path not in before:
            yield f"{path} is now part of {what}"
        else:
            yield from _lines(path, before[path], now[path])


def _lines(path: str, before: str, now: str) -> Iterator[str]:
    old, new = before.splitlines(), now.splitlines()
    for kind, start, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            inside = _function_at(now, first + 1) if last > first else _function_at(before, start + 1)
            place = f"{path}:{first + 1}" + (f" in {inside}" if inside else "")
            yield f"{place}: {_quoted(old[start:end])} → {_quoted(new[first:last])}"


def _function_at(source: str, line: int) -> str:
    """The function or class of a module that a line is in; "" outside of all, and in what is not Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""
    for each in tree.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            begin = min([each.lineno, *(mark.lineno for mark in each.decorator_list)])
            if begin <= line <= (each.end_lineno or begin):
                return each.name
    return ""


def _quoted(lines: list[str]) -> str:
    written = [line.strip() for line in lines if line.strip()]
    if not written:
        return "nothing" if not lines else "an empty line"
    first = written[0] if len(written[0]) <= _LONGEST else f"{written[0][:_LONGEST]}…"
    more = f" and {len(written) - 1} more" if len(written) > 1 else ""
    return f"`{first}`{more}"
