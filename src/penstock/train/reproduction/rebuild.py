"""A recorded environment, built again with uv: kept by what is in it, built once, never changed.

home/environments/DIGEST/     bin/python, and every distribution of the record
"""

import io
import platform
import shutil
import sys
import zipfile
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.digest import digest_value
from penstock.errors import Damaged, PenstockError
from penstock.ids import new_id
from penstock.train.environment.capture import Environment, differences, distributions, python_facts, record_digest
from penstock.train.environment.uv import lock, normal, require_uv, run_uv
from penstock.train.environment.wheels import file_name, origin

if TYPE_CHECKING:
    from penstock.store import Store

REACH = "can uv reach its index (UV_DEFAULT_INDEX, UV_INDEX, UV_FIND_LINKS)?"
HERE = "penstock reproduce RUN --here trains in the environment at hand"


def missing_here(environment: Environment, store: "Store") -> tuple[str, ...]:
    """In which of its distributions, and in Python, the environment at hand is not the recorded one."""
    recorded = environment["distributions"]
    now = {name: _at_hand(name, recorded.get(name, {}), store) for name in distributions()}
    then = {"python": environment["python"], "distributions": recorded}
    return differences(then, {"python": python_facts(), "distributions": now})


def _at_hand(name: str, recorded: Mapping[str, str], store: "Store") -> dict[str, str]:
    """Version and digest of a distribution. Of one that was packed, the recorded digest where its files are here."""
    here = distributions()[name]
    if origin(here) is None:
        return {"version": here.version, "digest": record_digest(here.read_text("RECORD") or "")}
    same = "wheel" in recorded and _has_files(store.read_bytes(recorded["wheel"]))
    return {"version": here.version, "digest": recorded["digest"] if same else "other files"}


def _has_files(wheel: bytes) -> bool:
    """Whether every file of a wheel would be imported from here with the same bytes."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        return all(_bytes_here(name) == archive.read(name) for name in names)


def _bytes_here(name: str) -> bytes | None:
    top = name.partition("/")[0].removesuffix(".py")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent.parent if spec.submodule_search_locations else Path(spec.origin).parent
    file = root / name
    return file.read_bytes() if file.is_file() else None


@dataclass(frozen=True)
class Kept:
    """What a run has kept of its environment beside the record: the lock, and blobs of wheels by file name."""

    lock: str | None = None
    wheels: Mapping[str, str] = field(default_factory=dict)


def rebuild(environment: Environment, kept: Kept, store: "Store", home: Path) -> Path:
    """The Python of the recorded environment, which is built in `home` unless it is there already.

    Raises PenstockError when there is no uv, when its index
    cannot be reached or lacks a distribution, and Damaged when a kept wheel is not what was recorded.
    """
    if "penstock" not in environment["distributions"]:
        raise PenstockError(
            "Penstock itself was not installed where the run was made, but run from its sources", hint=HERE
        )
    key = digest_value([environment["python"], environment["distributions"], kept.lock, dict(kept.wheels)])[:16]
    place = home / "environments" / key
    if not (place / "bin" / "python").exists():
        _build(environment, kept, store, place)
    return place / "bin" / "python"


def _build(environment: Environment, kept: Kept, store: "Store", place: Path) -> None:
    uv = require_uv(f"pip install uv; {HERE}")
    draft = place.with_name(new_id())
    draft.mkdir(parents=True)
    try:
        _make_empty(uv, environment["python"]["version"], draft)
        blobs = kept_wheels(environment, kept)
        lock = locked_requirements(environment, blobs, kept.lock, uv, draft)
        wheels = unpack_wheels(blobs, store, draft / "wheels")
        (draft / "requirements.txt").write_text("\n".join([lock, *wheels]))
        _install(uv, draft)
        _publish(draft / "environment", place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _make_empty(uv: Path, version: str, draft: Path) -> None:
    python = sys.executable if version == platform.python_version() else version
    run_uv(
        uv, "venv", "--quiet", "--relocatable", "--python", python, "environment",
        directory=draft, what=f"there is no Python {version}", hint=f"uv python install {version}; {HERE}",
    )  # fmt: skip


def _install(uv: Path, draft: Path) -> None:
    run_uv(
        uv, "pip", "sync", "--quiet", "--require-hashes", "--python", "environment/bin/python", "requirements.txt",
        directory=draft, what="the environment could not be built again", hint=f"{REACH}; {HERE}",
    )  # fmt: skip


def _publish(built: Path, place: Path) -> None:
    try:
        built.rename(place)
    except OSError:
        if not (place / "bin" / "python").exists():  # or somebody else has built the same meanwhile
            raise


def kept_wheels(environment: Environment, kept: Kept) -> dict[str, str]:
    """The blobs of the wheels that were kept, by name of the distribution."""
    extra = {normal(name.partition("-")[0]): blob for name, blob in kept.wheels.items()}
    found = {name: each.get("wheel", extra.get(normal(name))) for name, each in environment["distributions"].items()}
    return {name: blob for name, blob in found.items() if blob}


def locked_requirements(
    environment: Environment, wheels: Container[str], locked: str | None, uv: Path, directory: Path
) -> str:
    """The lock of everything that an index has: the one of the run where it is whole, else one made now."""
    left = {name: each["version"] for name, each in environment["distributions"].items() if name not in wheels}
    wanted = [f"{name}=={version}" for name, version in left.items()]
    if locked is not None and not _unlocked(wanted, locked):
        return locked
    try:
        made = lock(uv, wanted, directory=directory, python=environment["python"]["version"])
    except PenstockError as error:
        error.hint = f"{REACH}; {HERE}"
        raise
    if made.missing:
        missing = ", ".join(made.missing)
        raise PenstockError(f"no index that uv knows has {missing}, and no wheel was kept", hint=f"{REACH}; {HERE}")
    return made.text


def _unlocked(wanted: Iterable[str], locked: str) -> set[str]:
    """Which requirements a lock does not pin."""
    pins = {_pin(line.split()[0]) for line in locked.splitlines() if line and line[0].isalnum()}
    return {_pin(each) for each in wanted} - pins


def _pin(requirement: str) -> str:
    name, _, version = requirement.partition("==")
    return f"{normal(name)}=={version}"


def unpack_wheels(blobs: Mapping[str, str], store: "Store", directory: Path, seen_at: Path | None = None) -> list[str]:
    """Write the kept wheels; a requirement with its hash for each, with the path by which it will be seen."""
    directory.mkdir()
    place = seen_at or directory.resolve()
    return [_unpack_wheel(name, store.read_bytes(blob), directory, place) for name, blob in blobs.items()]


def _unpack_wheel(name: str, wheel: bytes, directory: Path, seen_at: Path) -> str:
    from hashlib import sha256

    called = file_name(wheel)
    if "/" in called:
        raise Damaged("a kept wheel has no name for a file", where=name)
    (directory / called).write_bytes(wheel)
    return f"{name} @ {(seen_at / called).as_uri()} --hash=sha256:{sha256(wheel).hexdigest()}"
