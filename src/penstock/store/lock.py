"""penstock.lock: which version of every dataset this Git commit means.

Sorted TOML that people can read in a diff. It holds digests and sizes only: no times, no paths and
no counters, so that two people who made the same data make the same file.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from penstock.errors import ConfigError, Problem
from penstock.ids import new_id

HEADER = "# Made by penstock: the pinned version of every dataset. Keep it in Git.\n"


class Pin(NamedTuple):
    """A dataset's version."""

    commit: str
    content: str
    schema: str
    rows: int
    bytes: int


def read_lock(path: Path) -> dict[str, Pin]:
    """The pins by dataset; none when there is no such file. ConfigError when it is not a lock file."""
    if not path.exists():
        return {}
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _not_a_lock(_where(path, str(error)), f"not a lock file: {error}") from error
    return {name: _pin(path, name, fields) for name, fields in sorted(found.items())}


def write_lock(path: Path, pins: Mapping[str, Pin]) -> None:
    """Replace the file in one step; a file that already says the same is left alone."""
    text = HEADER + "".join(_table(name, pins[name]) for name in sorted(pins))
    if path.exists() and path.read_bytes() == text.encode():
        return
    draft = path.with_name(f"{path.name}.{new_id()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _table(name: str, pin: Pin) -> str:
    lines = (f"{key} = {json.dumps(value)}\n" for key, value in sorted(pin._asdict().items()))
    return f"\n[{_key(name)}]\n" + "".join(lines)


def _key(name: str) -> str:
    """A bare key where TOML allows it, else a quoted one (JSON's escapes are TOML's, but for DEL)."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return name
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")


def _pin(path: Path, name: str, fields: Any) -> Pin:
    kinds = {"commit": str, "content": str, "schema": str, "rows": int, "bytes": int}
    if not isinstance(fields, dict) or set(fields) != set(kinds):
        raise _not_a_lock(str(path), f"dataset {name!r} is not a pin", expected=", ".join(kinds))
    wrong = [key for key, kind in kinds.items() if type(fields[key]) is not kind]
    if wrong:
        raise _not_a_lock(str(path), f"dataset {name!r} has a wrong {', '.join(wrong)}")
    return Pin(**fields)


def _where(path: Path, message: str) -> str:
    place = re.search(r"line (\d+), column (\d+)", message)
    return f"{path}:{place[1]}:{place[2]}" if place else str(path)


def _not_a_lock(where: str, what: str, expected: str | None = None) -> ConfigError:
    hint = "take the file from Git again, or remove it and run `penstock data ingest`"
    return ConfigError([Problem(where, what, expected)], hint=hint)
