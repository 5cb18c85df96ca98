"""Files that DVC tracks: what a `.dvc` file names, from DVC's cache or from its default remote.

    data/flights.csv.dvc     one file, or a directory whose files are an input each
    .dvc/cache/files/md5/…   what is here; else the remote of `.dvc/config` (a directory or an object store)

Layouts of DVC 3, and of DVC 2 (no `hash: md5` in the file), whose digests of texts take CRLF for LF.
"""

import hashlib
import json
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from penstock.digest import CHUNK
from penstock.errors import Damaged, PenstockError, UsageError
from penstock.store.objects import explained, is_url, object_store

SUFFIX = ".dvc"


@dataclass(frozen=True)
class Tracked:
    """A file under DVC.

    path     below the directory of the `.dvc` file
    legacy   kept as DVC 2 did
    """

    path: str
    md5: str
    legacy: bool
    repository: Path


def tracked(file: Path) -> Iterator[Tracked]:
    """The files that a `.dvc` file names; those of a directory by name. UsageError when it is no such file."""
    repository = _repository(file)
    for out in _outs(file):
        one = Tracked(str(out["path"]), str(out["md5"]), out.get("hash") != "md5", repository)
        if one.md5.endswith(".dir"):
            yield from _listed(one)
        else:
            yield one


def locate(one: Tracked, scratch: Path) -> Path:
    """The file's bytes: in DVC's cache, or fetched into `scratch`; either way compared with their MD5."""
    cached = _cache(one.repository) / _place(one)
    path = cached if cached.is_file() else _fetched(one, scratch)
    if not one.md5.endswith(".dir") and not _is(path, one):
        raise Damaged(f"{one.path}: its bytes are not those that DVC tracks", where=str(path), hint="dvc fetch --force")
    return path


def _listed(directory: Tracked) -> Iterator[Tracked]:
    found = json.loads(_bytes(directory))
    for entry in sorted(found, key=lambda entry: str(entry["relpath"])):
        path = PurePosixPath(directory.path) / str(entry["relpath"])
        yield Tracked(str(path), str(entry["md5"]), directory.legacy, directory.repository)


def _outs(file: Path) -> list[dict[str, Any]]:
    from penstock.project import read_document, read_text

    document = read_document(read_text(file, file.name), file.name)
    outs = document.values.get("outs") if isinstance(document.values, dict) else None
    if document.problems or not isinstance(outs, list) or not all("md5" in out and "path" in out for out in outs):
        raise UsageError("not a file of DVC", where=str(file), expected="`outs` with `md5` and `path`")
    return outs


def _repository(file: Path) -> Path:
    found = next((parent for parent in file.resolve().parents if (parent / SUFFIX).is_dir()), None)
    if found is None:
        raise UsageError("no DVC repository is around this file", where=str(file), expected="a directory .dvc above it")
    return found


def _place(one: Tracked) -> str:
    key = f"{one.md5[:2]}/{one.md5[2:]}"
    return key if one.legacy else f"files/md5/{key}"


def _cache(repository: Path) -> Path:
    named = _settings(repository).get("cache", {}).get("dir", "cache")
    return repository / SUFFIX / named  # an absolute path stays one


def _bytes(one: Tracked) -> bytes:
    cached = _cache(one.repository) / _place(one)
    if cached.is_file():
        return cached.read_bytes()
    import obstore

    remote = _remote(one.repository)
    with explained(f"{remote}/{_place(one)}"):
        return bytes(obstore.get(object_store(remote), _place(one)).bytes())


def _fetched(one: Tracked, scratch: Path) -> Path:
    import obstore

    remote = _remote(one.repository)
    copy = scratch / f"{len(list(scratch.iterdir()))}-{PurePosixPath(one.path).name}"
    with explained(f"{remote}/{_place(one)}"), copy.open("wb") as file:
        for piece in obstore.get(object_store(remote), _place(one)).stream(min_chunk_size=CHUNK):
            file.write(piece)
    return copy


def _remote(repository: Path) -> str:
    """The URL of the default remote."""
    settings = _settings(repository)
    name = settings.get("core", {}).get("remote")
    url = settings.get(f"remote:{name}", {}).get("url")
    if not url:
        hint = "dvc fetch, or name a default remote: dvc remote default NAME"
        raise PenstockError(
            "DVC's cache does not have the file, and there is no remote", where=str(repository), hint=hint
        )
    return url if is_url(url) else str((repository / SUFFIX / url).resolve())


def _settings(repository: Path) -> dict[str, dict[str, str]]:
    """`.dvc/config`, and `.dvc/config.local` over it, by section; a remote's as `remote:NAME`."""
    parser = ConfigParser(interpolation=None, strict=False)
    parser.read([repository / SUFFIX / name for name in ("config", "config.local")], encoding="utf-8")
    return {_section(name): dict(parser[name]) for name in parser.sections()}


def _section(name: str) -> str:
    kind, _, quoted = name.strip("'").partition(" ")
    return f"{kind}:{quoted.strip(chr(34))}" if quoted else kind


def _is(path: Path, one: Tracked) -> bool:
    return _md5(path, as_unix=False) == one.md5 or (one.legacy and _md5(path, as_unix=True) == one.md5)


def _md5(path: Path, *, as_unix: bool) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        rest = b""
        while chunk := file.read(CHUNK):
            chunk, rest = rest + chunk, b""
            if as_unix and chunk.endswith(b"\r"):
                chunk, rest = chunk[:-1], b"\r"
            digest.update(chunk.replace(b"\r\n", b"\n") if as_unix else chunk)
        digest.update(rest)
    return digest.hexdigest()
