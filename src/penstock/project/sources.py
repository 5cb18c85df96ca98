"""Which files of a project a function is made of."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from penstock.digest import digest_file, digest_value
from penstock.errors import FunctionError, did_you_mean


def project_sources(root: Path, references: Sequence[str]) -> Mapping[str, Path]:
    """Every project file that the modules of `references` import, directly or through others.

    `{"pipeline.py": Path(".../pipeline.py")}`, sorted. Imports are read from the syntax tree, those
    inside functions too; nothing is run. FunctionError if a module is missing or is not Python.
    """
    root = root.resolve()
    waiting = [_named_module(root, reference.partition(":")[0]) for reference in references]
    files: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in files:
            continue
        files.add(file)
        package = file.parent.relative_to(root).parts
        waiting += [found for name in _imports(file, root, package) for found in _files_of(root, name)]
    return {path: root / path for path in sorted(file.relative_to(root).as_posix() for file in files)}


def code_digest(root: Path, reference: str) -> str:
    """Names the code that a function is made of, without running any of it; equal to `Function.code`."""
    return digest_value({path: digest_file(file) for path, file in project_sources(root, [reference]).items()})


def find_module(root: Path, name: str) -> Path | None:
    """The file of the project's module `name`; a folder that only holds modules; None if it is not the project's.

    As in Python, a folder without `__init__.py` hides nothing: `json/` beside `pipeline.py` is not what it imports.
    """
    if is_hidden(root, name):
        return None
    base = root.joinpath(*name.split("."))
    if (base / "__init__.py").is_file():
        return base / "__init__.py"
    if base.with_name(f"{base.name}.py").is_file():
        return base.with_name(f"{base.name}.py")
    return base if base.is_dir() and any(base.glob("*.py")) else None


def is_hidden(root: Path, name: str) -> bool:
    """Whether a module lies in a folder without `__init__.py` that is called like an installed module."""
    top = root / name.partition(".")[0]
    if not top.is_dir() or (top / "__init__.py").is_file() or top.with_name(f"{top.name}.py").is_file():
        return False
    try:
        spec = find_spec(top.name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None  # without an origin it is such a folder itself


def _named_module(root: Path, name: str) -> Path:
    path = find_module(root, name)
    if path is not None and path.is_file():
        return path
    if is_hidden(root, name):
        top = name.partition(".")[0]
        raise FunctionError(
            f"the installed module {top!r} hides the folder {top}/",
            where=str(root),
            expected=f"a file {top}/__init__.py, or another name",
        )
    known = [file.relative_to(root).with_suffix("").as_posix().replace("/", ".") for file in _python_files(root)]
    raise FunctionError(
        f"there is no module {name!r}{did_you_mean(name, known)}",
        where=str(root),
        expected=f"a file {name.replace('.', '/')}.py in the project",
    )


def _python_files(root: Path) -> Iterator[Path]:
    yield from root.glob("*.py")
    yield from root.glob("[!._]*/*.py")


def _files_of(root: Path, name: str) -> Iterator[Path]:
    """The module's file and those of the packages around it."""
    parts = name.split(".")
    if find_module(root, parts[0]) is None:
        return
    for length in range(1, len(parts) + 1):
        path = find_module(root, ".".join(parts[:length]))
        if path is not None and path.is_file():
            yield path


def _imports(file: Path, root: Path, package: tuple[str, ...]) -> tuple[str, ...]:
    """The absolute names that a file imports."""
    try:
        return _imported(file.read_bytes(), package)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        where = f"{file.relative_to(root)}:{line}"
        raise FunctionError(f"not Python: {getattr(error, 'msg', None) or error}", where=where) from None


@lru_cache(maxsize=256)  # each function of a project asks again for the same few files
def _imported(source: bytes, package: tuple[str, ...]) -> tuple[str, ...]:
    """What a source imports, in `package`. `from a import b` may mean the module `a.b`."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            names += [start] if start else []
            names += [f"{start}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*"]
    return tuple(names)
