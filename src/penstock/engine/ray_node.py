"""What a worker process of a Ray node does with a task."""

import pickle
import platform
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.engine.installed import installed
from penstock.engine.pool import resolve
from penstock.errors import PenstockError

_NAMED = 5  # differences


def perform(function: str, argument: Mapping[str, Any], expected: Mapping[str, str]) -> tuple[Exception | None, Any]:
    """What `function` raised, or None, and what it returned.

    `expected` is what the process that asks has installed: the same inputs make the same only with the same libraries.
    """
    try:
        _refuse_other(expected)
        return None, resolve(function)(argument)
    except Exception as error:
        return _portable(error), None


def perform_stream(
    function: str, argument: Mapping[str, Any], expected: Mapping[str, str]
) -> Iterator[tuple[Exception | None, Any]]:
    """The same of a generator function, for each thing that it yields."""
    try:
        _refuse_other(expected)
        for message in resolve(function)(argument):
            yield None, message
    except Exception as error:
        yield _portable(error), None


def take(handle: Any) -> bytes:
    """The bytes that a `Distant` pool has put."""
    import ray

    data: bytes = ray.get(handle)
    return data


def _refuse_other(expected: Mapping[str, str]) -> None:
    here = installed()
    differences = [
        f"{name} {here.get(name, 'not installed')} there, {expected.get(name, 'not installed')} here"
        for name in sorted({*here, *expected})
        if here.get(name) != expected.get(name)
    ]
    if differences:
        more = f" and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
        raise PenstockError(
            f"node {platform.node()} has another environment: {', '.join(differences[:_NAMED])}{more}",
            expected="the same Python and the same distributions on every node",
            hint="install the same lock there: uv pip sync --require-hashes requirements.lock",
        )


def _portable(error: Exception) -> Exception:
    """The error itself if another process can have it, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return PenstockError(f"{type(error).__name__}: {error}")
    return error
