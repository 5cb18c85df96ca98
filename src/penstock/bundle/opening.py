"""Bringing a bundle out of the store, and opening one: nothing is parsed before it is verified.

The order of the checks is the guarantee: the signature, then the list of files, then every file's
digests, and only then the manifest's content, the model and the user's code.
"""

import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.bundle.bundle import Bundle
from penstock.bundle.manifest import MANIFEST, SIGNATURE, Manifest, check_path
from penstock.digest import canonical_json, digest_bytes, short
from penstock.errors import PenstockError, Untrusted, UsageError
from penstock.ids import new_id

if TYPE_CHECKING:
    from penstock.store import Store

MAX_MANIFEST = 16 << 20
MAX_SIGNATURE = 4096
MAX_FILES = 2000
MAX_BYTES = 2 << 30


def export(digest: str, store: "Store", signature: str, public_key: str, directory: Path) -> Path:
    """Write the bundle's files to `directory/DIGEST`, all or nothing. A sound one that is there is kept."""
    final = directory / digest
    text = store.read_bytes(digest)
    files = json.loads(text)["files"]
    proof = _proof(public_key, signature)
    if final.is_dir() and _sound(final, text, proof):
        return final
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / f".{short(digest)}-{new_id()}"
    try:
        _write(draft / MANIFEST, text)
        _write(draft / SIGNATURE, proof)
        for path, file in files.items():
            check_path(path)
            _write(draft / path, store.read_bytes(file["blake3"]))
        _publish(draft, final, text, proof)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return final


def open_bundle(directory: Path, *, trusted: Sequence[str]) -> Bundle:
    """The bundle in `directory`, signed by one of the `trusted` public keys.

    Untrusted, with the reason, when it is unsigned, signed by somebody else, altered, incomplete, has a
    file too many, a link, an unsafe path, or holds a type that is not on the list.
    """
    text = verify_bundle(directory, trusted=trusted)
    with _parsing(directory):
        return Bundle.load(digest_bytes(text), Manifest.from_json(json.loads(text)), directory)


def open_manifest(directory: Path, *, trusted: Sequence[str]) -> Manifest:
    """What a bundle says about itself. All of it is verified as by `open_bundle`, neither model nor code is loaded."""
    text = verify_bundle(directory, trusted=trusted)
    with _parsing(directory):
        return Manifest.from_json(json.loads(text))


@contextmanager
def _parsing(directory: Path) -> Iterator[None]:
    try:
        yield
    except PenstockError as error:
        error.where = error.where or str(directory)
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Untrusted(f"the manifest is not one of ours: {error!r}", where=str(directory)) from error


def verify_bundle(directory: Path, *, trusted: Sequence[str]) -> bytes:
    """Check signature and files; returns the bytes of the manifest. Raises Untrusted with the reason."""
    where = str(directory)
    if not directory.is_dir():
        expected = f"a directory with {MANIFEST} and {SIGNATURE}"
        raise UsageError("there is no bundle here", where=where, expected=expected)
    present = _listing(directory)
    text = _read(directory, MANIFEST, present, MAX_MANIFEST)
    _check_signature(text, _read(directory, SIGNATURE, present, MAX_SIGNATURE), trusted, where)
    try:
        _check_files(directory, json.loads(text), present)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Untrusted(f"the manifest is not one of ours: {error!r}", where=where) from error
    return text


def _proof(public_key: str, signature: str) -> bytes:
    return canonical_json({"public_key": public_key, "signature": signature})


def _check_signature(text: bytes, proof: bytes, trusted: Sequence[str], where: str) -> None:
    from penstock.signing import verify

    try:
        claim = json.loads(proof)
        public, signature = str(claim["public_key"]), str(claim["signature"])
        if proof != _proof(public.lower(), signature.lower()):  # one signature has one text
            raise ValueError("not the canonical text")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Untrusted(f"{SIGNATURE} is not a signature", where=where) from error
    if public not in trusted:
        expected = "a signature by a key that this project trusts"
        raise Untrusted(f"signed by a stranger: {public[:16]}…", where=where, expected=expected)
    if not verify(public, text, signature):
        raise Untrusted("the signature does not fit the manifest: it was altered", where=where)


def _check_files(directory: Path, manifest: Any, present: dict[str, int]) -> None:
    where = str(directory)
    listed = manifest["files"]
    for path in listed:
        check_path(path)
    expected = {MANIFEST, SIGNATURE, *listed}
    if extra := sorted(present.keys() - expected):
        raise Untrusted(f"the bundle has a file that its manifest does not list: {extra[0]}", where=where)
    if lacking := sorted(expected - present.keys()):
        raise Untrusted(f"the bundle lacks {lacking[0]}", where=where)
    for path, file in listed.items():
        if present[path] != file["bytes"]:
            raise Untrusted(f"{path} is {present[path]} bytes", where=where, expected=f"{file['bytes']}")
        data = (directory / path).read_bytes()
        if digest_bytes(data) != file["blake3"] or sha256(data).hexdigest() != file["sha256"]:
            raise Untrusted(f"{path} is not what was sealed", where=where)


def _listing(directory: Path) -> dict[str, int]:
    """Every file under the directory and its size. Untrusted for a link, a device, or too much of anything."""
    found: dict[str, int] = {}
    pending = [directory]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False)
                name = Path(entry.path).relative_to(directory).as_posix()
                if stat.S_ISDIR(mode.st_mode):
                    pending.append(Path(entry.path))
                elif stat.S_ISREG(mode.st_mode):
                    found[name] = mode.st_size
                else:
                    raise Untrusted(f"{name} is a link or a device, not a plain file", where=str(directory))
        if len(found) + len(pending) > MAX_FILES or sum(found.values()) > MAX_BYTES:
            expected = f"{MAX_FILES} files and {MAX_BYTES >> 30} GiB at most"
            raise Untrusted("the bundle is too large", where=str(directory), expected=expected)
    return found


def _read(directory: Path, name: str, present: dict[str, int], limit: int) -> bytes:
    if name not in present:
        raise Untrusted(f"the bundle has no {name}", where=str(directory), expected="a sealed, signed bundle")
    if present[name] > limit:
        raise Untrusted(f"{name} is {present[name]:,} bytes", where=str(directory), expected=f"at most {limit:,}")
    return (directory / name).read_bytes()


def _sound(directory: Path, text: bytes, proof: bytes) -> bool:
    """Whether an export that is already there is exactly what would be written."""
    try:
        present = _listing(directory)
        _check_files(directory, json.loads(text), present)
        return (directory / MANIFEST).read_bytes() == text and (directory / SIGNATURE).read_bytes() == proof
    except (Untrusted, OSError):
        return False


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _publish(draft: Path, final: Path, text: bytes, proof: bytes) -> None:
    """Move the draft into place. What is there and unsound is moved aside first: directories do not replace."""
    descriptor = os.open(final.parent, os.O_RDONLY)
    try:
        # one at a time: what another one has just put there must not be moved aside
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if final.is_dir() and _sound(final, text, proof):
            return
        if final.exists() or final.is_symlink():
            os.rename(final, draft.with_name(f"{draft.name}.old"))
            shutil.rmtree(draft.with_name(f"{draft.name}.old"), ignore_errors=True)
        os.rename(draft, final)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
