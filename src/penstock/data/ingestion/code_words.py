"""Which columns a function's code names, read from its syntax tree. Runs nothing."""

import ast
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

from penstock.errors import PenstockError
from penstock.project import project_sources


def named_columns(root: Path, reference: str, columns: Collection[str]) -> frozenset[str]:
    """Of `columns` those that stand in the function's code, as a text, an attribute or a parameter.

    Its code is the function, what it uses of its own file, and every other file of the project that it imports.
    """
    try:
        words = [word for part in _code(root.resolve(), reference) for word in _words(part)]
    except (PenstockError, SyntaxError):  # what is wrong with it is told when it is loaded
        return frozenset()
    return frozenset(column for column in columns if any(_names(word, column) for word in words))


def _code(root: Path, reference: str) -> list[ast.AST]:
    module, _, name = reference.partition(":")
    own = Path(*module.split("."))
    parts: list[ast.AST] = []
    for path, file in project_sources(root, [reference]).items():
        tree = _tree(file, file.stat().st_mtime_ns)
        parts += _used(tree, name) if Path(path) in (own.with_suffix(".py"), own / "__init__.py") else [tree]
    return parts


@lru_cache(maxsize=32)
def _tree(file: Path, mtime_ns: int) -> ast.Module:
    """Parsed once for each state of the file."""
    return ast.parse(file.read_bytes())


def _used(tree: ast.Module, name: str) -> list[ast.AST]:
    """What is defined under a name at the top of a file, and what that uses of the file."""
    defined = {target: statement for statement in tree.body for target in _targets(statement)}
    waiting, found = [name], dict[str, ast.AST]()
    while waiting:
        one = waiting.pop()
        if one in found or one not in defined:
            continue
        found[one] = defined[one]
        waiting += [node.id for node in ast.walk(defined[one]) if isinstance(node, ast.Name)]
    return list(found.values())


def _targets(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        yield from (node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _is_stored(node))


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _words(code: ast.AST) -> Iterator[str]:
    remarks = {id(node.value) for node in ast.walk(code) if isinstance(node, ast.Expr)}
    for node in ast.walk(code):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in remarks:
            yield node.value
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg


def _names(word: str, column: str) -> bool:
    """Whether a text is the column's name or, like a condition in SQL, holds it as a word."""
    return word == column or re.search(rf"(?<!\w){re.escape(column)}(?!\w)", word) is not None
