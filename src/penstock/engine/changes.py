"""What is not the same in the inputs of two executions of a step, and which one was the closest."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final, NamedTuple

from penstock.digest import canonical_json
from penstock.ledger import Execution, Reader

ABSENT: Final = "ABSENT\0"  # in the place of a value that one side does not have
_RECENT = 20
_MANY = 8


class Change(NamedTuple):
    """An input that differs: ("params", "depth"), 4, 6. A side that does not have it is ABSENT."""

    path: tuple[str, ...]
    before: Any
    after: Any

    def __str__(self) -> str:
        """`code changed`, `params.depth 4 → 6`, `data.flights added`"""
        name = ".".join(self.path)
        if self.before == ABSENT:
            return f"{name} added"
        if self.after == ABSENT:
            return f"{name} removed"
        if not _short(self.before, self.after):
            return f"{name} changed"
        return " → ".join([f"{name} {_shown(self.before)}", _shown(self.after)])


def _short(*sides: Any) -> bool:
    return all(side is None or isinstance(side, int | float) or _is_word(side) for side in sides)


def _is_word(side: Any) -> bool:
    return isinstance(side, str) and len(side) < 24


def _shown(side: Any) -> str:
    return "unset" if side is None else str(side)


def changes(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[Change]:
    """Every input that differs, by name."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            inner = (*path, name)
            if name in before and name in after:
                yield from changes(before[name], after[name], inner)
            else:
                yield Change(inner, before.get(name, ABSENT), after.get(name, ABSENT))
    elif canonical_json(before) != canonical_json(after):
        yield Change(path, before, after)


def summary(found: Iterable[Change]) -> list[str]:
    """One text per change, and one for many of the same input: `environment: 106 changes`."""
    told: list[str] = []
    for name, alike in groupby(found, key=lambda change: change.path[:1]):
        texts = [str(each) for each in alike]
        told += texts if len(texts) <= _MANY else [f"{'.'.join(name)}: {len(texts)} changes"]
    return told


def closest(executions: Iterable[Execution], inputs: Mapping[str, Any]) -> Execution | None:
    """The one with the fewest differences from `inputs`; of several, the first."""
    return min(executions, key=lambda one: sum(1 for _ in changes(one.inputs, inputs)), default=None)


def recent(reader: Reader, step: str) -> list[Execution]:
    """The newest executions of a step, the newest first."""
    return reader.find(Execution, step=step, order_by="-finished_at", limit=_RECENT)
