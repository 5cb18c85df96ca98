"""Where a file lies, as clients write it.

    0/2f9c…/artifacts/plots/roc.png        of a run
    0/models/m-7a…/artifacts/MLmodel       of a logged model
    bundles/03ee…/MLmodel                  of a model version: what it was when it was registered

No name of theirs ever is one on our disk.
"""

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from penstock.ledger import Artifact, ModelVersion, Reader
from penstock.ledger.mlflow import ModelFile
from penstock.mlflow.errors import invalid, missing
from penstock.mlflow.wire import Reply
from penstock.store import Store

_LONGEST = 1024  # characters of a name
_ODD = frozenset("\\") | {chr(code) for code in range(32)} | {"\x7f"}


class Kept(NamedTuple):
    """A file's blob."""

    digest: str
    bytes: int


class Place(NamedTuple):
    """A file or directory of a run, a logged model or a bundle; `name` "" is all of it."""

    kind: str  # run | model | bundle
    owner: str
    name: str


def place_of(path: str) -> Place:
    """What a path means. ProtocolError when it is none that this server gave out."""
    match path.strip("/").split("/"):
        case ["bundles", owner, *rest]:
            return Place("bundle", owner, safe_name("/".join(rest)))
        case [_, "models", owner, "artifacts", *rest]:
            return Place("model", owner, safe_name("/".join(rest)))
        case [_, owner, "artifacts", *rest]:
            return Place("run", owner, safe_name("/".join(rest)))
    raise missing("artifact at", path)


def safe_name(name: str) -> str:
    """A name that stays in its directory wherever it is written out again. ProtocolError for any other."""
    parts = name.strip("/").split("/") if name else []
    if any(part in ("", ".", "..") for part in parts) or _ODD & set(name) or len(name) > _LONGEST:
        what = f"{name[:80]!r} is no name of an artifact"
        raise invalid(what, expected=f"plots/roc.png: at most {_LONGEST} characters, no '..', no backslash")
    return "/".join(parts)


def files(reader: Reader, store: Store, place: Place) -> dict[str, Kept]:
    """Every file of the place's owner at or below the place: name -> blob."""
    if place.kind == "bundle":
        return {name: kept for name, kept in _bundled(reader, store, place.owner).items() if _inside(name, place)}
    found: Iterable[Artifact | ModelFile] = (
        reader.find(Artifact, run=place.owner) if place.kind == "run" else reader.find(ModelFile, model=place.owner)
    )
    return {each.name: Kept(each.digest, each.bytes) for each in found if _inside(each.name, place)}


def _inside(name: str, place: Place) -> bool:
    return not place.name or name == place.name or name.startswith(f"{place.name}/")


def _bundled(reader: Reader, store: Store, digest: str) -> dict[str, Kept]:
    """The files of a registered bundle, ours or a client's, as its manifest names them."""
    if not reader.count(ModelVersion, bundle=digest):
        raise missing("model version made of", digest)
    named: Mapping[str, Any] = store.read_json(digest)["files"]
    return {name: Kept(file["blake3"], file["bytes"]) for name, file in named.items()}


def listed(known: Mapping[str, Kept], name: str) -> dict[str, Reply]:
    """What lies in a directory: name -> what a reply says of it. A file lists nothing."""
    below = f"{name}/" if name else ""
    entries: dict[str, Reply] = {}
    for each, kept in known.items():
        if each == name:
            continue
        first, deeper, _ = each[len(below) :].partition("/")
        entry = {"is_dir": True} if deeper else {"is_dir": False, "file_size": kept.bytes}
        entries[posixpath.join(name, first)] = entry
    return dict(sorted(entries.items()))
