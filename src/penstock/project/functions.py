"""The user's functions: loaded by name, checked before they are called, named by the digest of their code."""

import inspect
import traceback
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.digest import digest_file, digest_value
from penstock.errors import FunctionError, PenstockError, UserCodeError, did_you_mean
from penstock.project.importing import import_module
from penstock.project.sources import project_sources

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

_PLAN = "\n\nResolved plan until failure:"


@dataclass(frozen=True)
class Function:
    """A user's function and the code it is made of.

    reference  pipeline:fit
    where      pipeline.py:24
    code       digest of `sources`: changes when any project file that it can reach does
    sources    {"pipeline.py": "5f2c…", "helpers/dates.py": "90ab…"}
    """

    reference: str
    call: Callable[..., Any]
    code: str
    sources: Mapping[str, str]
    root: Path = field(default=Path(), compare=False)
    where: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """`fit`"""
        return self.reference.partition(":")[2]

    def collect(self, result: "pl.LazyFrame") -> "pl.DataFrame":
        """The rows of a lazy frame that it returned: what fails only now is its doing as well."""
        rows: pl.DataFrame = call(replace(self, call=result.collect))
        return rows

    def each(self, results: Iterable[T]) -> Iterator[T]:
        """What it gives, one after another: a generator and a lazy frame run its code at every step."""
        one: T | None
        step = replace(self, call=partial(next, iter(results), None))
        while (one := call(step)) is not None:
            yield one

    def blame(self, error: BaseException) -> UserCodeError:
        """An error of its code, at the line in the user's file."""
        where = _user_line(error, self.root) or self.where
        return UserCodeError(f"{self.reference} raised {_told(error)}", where=where)


def load_function(
    root: Path,
    reference: str,
    *,
    parameters: Sequence[str] | None = None,
    keywords: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> Function:
    """Load `module:function` of the project at `root`.

    `parameters` are what it will be given by position, `keywords` by name, `optional` by name if it takes them.
    FunctionError, with the file and line, when the module or the function is not there, cannot be imported, or does
    not take them.
    """
    root = root.resolve()
    module_name, _, name = reference.partition(":")
    if not name or not all(part.isidentifier() for part in (*module_name.split("."), name)):
        raise FunctionError(f"{reference!r} does not name a function", expected="module:function, such as pipeline:fit")
    paths = project_sources(root, [reference])
    sources = {path: digest_file(file) for path, file in paths.items()}
    code = digest_value(sources)
    module = _import(root, code, module_name)
    function = _function_in(module, name, root)
    if parameters is not None:
        asked = [name for name in optional if name in inspect.signature(function).parameters]
        _check_signature(function, reference, parameters, [*keywords, *asked], root)
    return Function(reference, function, code, sources, root, _line_of(function, root) or reference)


def call(function: Function, *args: Any, **kwargs: Any) -> Any:
    """Call it. What it raises becomes a UserCodeError at the line in the user's file."""
    try:
        return function.call(*args, **kwargs)
    except PenstockError:
        raise
    except (Exception, SystemExit) as error:
        raise function.blame(error) from error


def _told(error: BaseException) -> str:
    """What an error of the user's code says; Polars adds its plan to it, which names files of the store."""
    return f"{type(error).__name__}: {str(error).partition(_PLAN)[0]}"


def _function_in(module: types.ModuleType, name: str, root: Path) -> Callable[..., Any]:
    found = getattr(module, name, None)
    where = _relative(module.__file__, root)
    if found is None:
        known = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
        raise FunctionError(f"there is no function {name!r}{did_you_mean(name, known)}", where=where)
    if not callable(found):
        raise FunctionError(f"{name!r} is a {type(found).__name__}, not a function", where=where)
    checked: Callable[..., Any] = found
    return checked


def _check_signature(
    function: Callable[..., Any], reference: str, parameters: Sequence[str], keywords: Sequence[str], root: Path
) -> None:
    wrong = _mismatches(inspect.signature(function), parameters, keywords)
    if wrong:
        given = ", ".join([*parameters, *(f"{name}=..." for name in keywords)])
        raise FunctionError(
            f"{reference} {', '.join(wrong)}",
            where=_line_of(function, root),
            expected=f"def {reference.partition(':')[2]}({given})",
        )


def _mismatches(signature: inspect.Signature, parameters: Sequence[str], keywords: Sequence[str]) -> list[str]:
    """Why a call with these arguments would fail, in words."""
    kinds = inspect.Parameter
    takes = list(signature.parameters.values())
    positional = [one for one in takes if one.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    if len(positional) < len(parameters) and not any(one.kind is kinds.VAR_POSITIONAL for one in takes):
        return [f"takes {len(positional)} arguments and will be given {len(parameters)}: {', '.join(parameters)}"]
    filled = {one.name for one in positional[: len(parameters)]}
    by_name = {one.name for one in takes if one.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)} - filled
    wrong = []
    if not any(one.kind is kinds.VAR_KEYWORD for one in takes):
        unknown = [name for name in keywords if name not in by_name]
        wrong += [f"does not take {name!r}{did_you_mean(name, by_name)}" for name in unknown]
    needed = [
        one.name
        for one in takes
        if one.default is kinds.empty and one.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
    ]
    return wrong + [f"needs {name!r}, which it is not given" for name in needed if name not in filled | set(keywords)]


def _import(root: Path, code: str, name: str) -> types.ModuleType:
    """The module, run once for each version of its sources."""
    try:
        return import_module(root, name, version=code)
    except (Exception, SystemExit) as error:
        where = _user_line(error, root)
        hint = None
        if isinstance(error, ModuleNotFoundError) and error.name:
            hint = f"install {error.name.partition('.')[0]} in this environment, or correct the name"
        raise FunctionError(f"cannot import {name!r}: {_told(error)}", where=where, hint=hint) from error


def _user_line(error: BaseException, root: Path) -> str | None:
    """The deepest line of the traceback that is in the project."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_relative(error.filename, root)}:{error.lineno}"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if Path(one.filename).is_relative_to(root)]
    ours = [one for one in frames if "site-packages" not in Path(one.filename).relative_to(root).parts]
    return f"{_relative(ours[-1].filename, root)}:{ours[-1].lineno}" if ours else None


def _line_of(function: Callable[..., Any], root: Path) -> str | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{_relative(code.co_filename, root)}:{code.co_firstlineno}" if code else None


def _relative(path: str | None, root: Path) -> str:
    file = Path(path or "?")
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
