"""Can the user's fit be called the way it will be? Asked before anything is read or recorded.

The signature is read from the source text, so asking costs no import of the user's libraries; the
training process asks again of the real function, which a decorator may have changed.
"""

import ast
from collections.abc import Iterable, Mapping
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from penstock.errors import FunctionError, did_you_mean

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_GIVEN = frozenset({"seed", "report"})  # by Penstock, besides X and y
EXPECTED = "def fit(X: DataFrame, y: Series, *, seed, **params) -> estimator"


def check_fit(signature: Signature, params: Mapping[str, Any], *, reference: str, where: str) -> None:
    """FunctionError with every reason why `fit(X, y, seed=…, **params)` cannot be called."""
    problems = [*_position_problems(signature), *_seed_problems(signature), *_param_problems(signature, params)]
    if problems:
        hint = "train.params in penstock.yaml holds what fit takes besides X, y and seed"
        raise FunctionError(f"{reference} {'; '.join(problems)}", where=where, expected=EXPECTED, hint=hint)


def _position_problems(signature: Signature) -> Iterable[str]:
    spread = any(each.kind is Parameter.VAR_POSITIONAL for each in signature.parameters.values())
    names = _data_names(signature)
    if "seed" in names or (len(names) < 2 and not spread):
        yield "does not take X and y as its first two parameters"


def _seed_problems(signature: Signature) -> Iterable[str]:
    if "seed" not in _keywords(signature) and not _takes_any(signature):
        yield "takes no `seed`, so its result could not be repeated"


def _param_problems(signature: Signature, params: Mapping[str, Any]) -> Iterable[str]:
    known = _keywords(signature)
    if not _takes_any(signature):
        for name in sorted(set(params) - set(known)):
            yield f"takes no parameter {name!r}{did_you_mean(name, set(known) - _GIVEN)}"
    for name, each in known.items():
        if each.default is Parameter.empty and name not in params and name not in _GIVEN:
            yield f"needs parameter {name!r}"
    for name in sorted({"seed", *known.keys() & _GIVEN, *_data_names(signature)} & set(params)):
        yield f"gets {name!r} from Penstock, so it cannot be a parameter"


def takes_report(signature: Signature) -> bool:
    """Whether fit asks, by the name `report`, for the function that takes values of metrics while it works."""
    return "report" in _keywords(signature)


def _data_names(signature: Signature) -> list[str]:
    """The first two positional parameters: X and y, whatever they are called."""
    return [name for name, each in signature.parameters.items() if each.kind in _POSITIONAL][:2]


def _keywords(signature: Signature) -> dict[str, Parameter]:
    taken = _data_names(signature)
    return {name: each for name, each in signature.parameters.items() if each.kind in _NAMED and name not in taken}


def _takes_any(signature: Signature) -> bool:
    return any(each.kind is Parameter.VAR_KEYWORD for each in signature.parameters.values())


def written_signature(source: Path, name: str) -> tuple[Signature, int] | None:
    """The signature and line of a plain `def name` in a file; None when it is anything else, or bound again.

    Raises SyntaxError or ValueError for what is not Python.
    """
    module = ast.parse(source.read_bytes(), source.name)
    bindings = [node for node in _module_scope(module) if _bound(node) in (name, "*")]
    match bindings:
        case [ast.FunctionDef(decorator_list=[]) as found] if found in module.body:
            return _signature(found.args), found.lineno
    return None


def _module_scope(module: ast.Module) -> Iterable[ast.AST]:
    """Every node that runs when the module is imported; of functions and classes the statement alone."""
    waiting: list[ast.AST] = [*module.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> str | None:
    """The name that a node gives a value or takes it from; `*` stands for names that only an import could tell."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return name
        case ast.alias(name=name, asname=alias):
            return alias or name.partition(".")[0]
    return None


def _signature(written: ast.arguments) -> Signature:
    positional = [*written.posonlyargs, *written.args]
    first_default = len(positional) - len(written.defaults)
    listed = [
        Parameter(
            each.arg,
            Parameter.POSITIONAL_ONLY if index < len(written.posonlyargs) else Parameter.POSITIONAL_OR_KEYWORD,
            default=Parameter.empty if index < first_default else None,
        )
        for index, each in enumerate(positional)
    ]
    if written.vararg:
        listed.append(Parameter(written.vararg.arg, Parameter.VAR_POSITIONAL))
    for each, default in zip(written.kwonlyargs, written.kw_defaults, strict=True):
        listed.append(Parameter(each.arg, Parameter.KEYWORD_ONLY, default=Parameter.empty if default is None else None))
    if written.kwarg:
        listed.append(Parameter(written.kwarg.arg, Parameter.VAR_KEYWORD))
    return Signature(listed)
