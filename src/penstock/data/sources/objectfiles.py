"""Objects in an object store as files: listed by a glob over their keys, fetched before they are read."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.data.sources.inputs import Input
from penstock.digest import digest_value
from penstock.errors import PenstockError
from penstock.store.objects import explained, object_store

if TYPE_CHECKING:
    from obstore import ObjectMeta

# a request must be answered within half a minute: of a file in pieces, at least this much in that time
PIECE = 8 << 20


def list_objects(url: str) -> list[Input]:
    """The objects that a URL names, by key; PenstockError when the store cannot be asked.

    In its path `*`, `?` and `[...]` stand for a part of a name, `**` for any names; without them it names one object.
    """
    base, pattern = _split(url)
    store = object_store(base)
    import obstore

    with explained(base):
        if not pattern:
            return []
        if not _is_pattern(pattern[-1]) and len(pattern) == 1:
            return _one(base, pattern[0])
        # names of one level need no look below it
        found: Any = (
            obstore.list_with_delimiter(store)["objects"] if len(pattern) == 1 else obstore.list(store).collect()
        )
    matching = [meta for meta in found if _matches(meta["path"].split("/"), pattern)]
    return [_input(f"{base}/{meta['path']}", meta) for meta in sorted(matching, key=lambda meta: str(meta["path"]))]


def fetch(one: Input, scratch: Path) -> Path:
    """A copy of an object in `scratch`, as it was when it was listed.

    PenstockError when it cannot be fetched, was changed meanwhile, or is not as long as its store said.
    """
    import obstore

    base, _, key = one.name.rpartition("/")
    store = object_store(base)
    copy = scratch / f"{len(list(scratch.iterdir()))}-{key}"
    with explained(one.name), copy.open("wb") as file:
        for start in range(0, one.size, PIECE):
            piece: Any = {"range": (start, min(start + PIECE, one.size)), "if_match": one.etag}
            file.write(obstore.get(store, key, options=piece).bytes())
    if copy.stat().st_size != one.size:
        what = f"{copy.stat().st_size:,} bytes came, of {one.size:,}"
        raise PenstockError(what, where=one.name, hint="ingest again")
    return copy


def _split(url: str) -> tuple[str, list[str]]:
    """What comes before the first pattern, and the rest: `s3://lake/a`, `["**", "*.csv"]`."""
    scheme, _, path = url.partition("://")
    bucket, *parts = path.split("/")
    names = [part for part in parts if part]
    first = next((position for position, part in enumerate(names) if _is_pattern(part)), len(names) - 1)
    return "/".join([f"{scheme}://{bucket}", *names[: max(first, 0)]]), names[max(first, 0) :]


def _is_pattern(part: str) -> bool:
    return any(character in part for character in "*?[")


def _matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """As in a shell, a name with a dot in front is only matched by a pattern that has one."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        return _matches(names, pattern[1:]) or (bool(names) and _matches(names[1:], pattern))
    if not names or (names[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatchcase(names[0], pattern[0]) and _matches(names[1:], pattern[1:])


def _one(base: str, key: str) -> list[Input]:
    import obstore

    try:
        return [_input(f"{base}/{key}", obstore.head(object_store(base), key))]
    except FileNotFoundError:
        return []


def _input(name: str, meta: "ObjectMeta") -> Input:
    written = int(meta["last_modified"].timestamp() * 1_000_000_000)
    digest = digest_value({"size": meta["size"], "etag": meta["e_tag"], "version": meta["version"]})
    return Input(name, None, meta["size"], written, digest, meta["e_tag"])
