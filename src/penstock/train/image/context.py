"""What an image is built from: a directory with a Containerfile, the lock and the wheels of a run's environment."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.digest import digest_value
from penstock.errors import PenstockError
from penstock.ids import new_id
from penstock.ledger import Artifact, Run
from penstock.train.environment.uv import lock, require_uv
from penstock.train.image.containerfile import BASE, WHEELS, containerfile
from penstock.train.reproduction.rebuild import REACH, kept_wheels, locked_requirements, unpack_wheels
from penstock.train.reproduction.reproduce import kept_of

if TYPE_CHECKING:
    from penstock.ledger import Reader
    from penstock.store import Store

EPOCH = 315_532_800  # 1980-01-01, the time of every file in the image unless SOURCE_DATE_EPOCH gives another


def write_context(reader: "Reader", store: "Store", run: Run, directory: Path, *, base: str | None) -> Path:
    """Write what the image of a run's environment is built from into `directory`, under a name of its own.

    The same environment and base give the same files, times included. Raises PenstockError when Penstock itself was
    not installed where the run was made, or no index has a distribution of which no wheel was kept.
    """
    recorded = store.read_json(run.environment)
    python = recorded["python"]["version"]
    if "penstock" not in recorded["distributions"]:
        what = f"run {run.number} was made with Penstock's sources, which were not installed"
        raise PenstockError(what, hint="pip install -e . where Penstock's sources are; penstock run")
    base = base or BASE.format(version=python)
    place = directory / digest_value([run.environment, base])[:16]
    if place.exists():
        return place
    draft = directory / new_id()
    draft.mkdir(parents=True)
    try:
        (draft / "Containerfile").write_text(containerfile(run.environment[:16], base=base, python=python))
        _write_locks(reader, store, run, draft)
        _publish(draft, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def _write_locks(reader: "Reader", store: "Store", run: Run, draft: Path) -> None:
    """What is installed: from the index by hash, from a wheel where no index has it; and uv, which installs it."""
    recorded = store.read_json(run.environment)
    kept = kept_of(store, reader.find(Artifact, run=run.id))
    uv = require_uv("pip install uv")
    wheels = kept_wheels(recorded, kept)
    found = locked_requirements(recorded, wheels, kept.lock, uv, draft)
    own = unpack_wheels(wheels, store, draft / "wheels", Path(WHEELS))
    (draft / "requirements.txt").write_text("\n".join([found.rstrip(), *own, ""]))
    (draft / "uv.lock").write_text(_lock_of(uv, draft, recorded["python"]["version"]))


def _lock_of(uv: Path, directory: Path, python: str) -> str:
    """The lock of uv itself, in the version that is here."""
    version = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    made = lock(uv, [f"uv=={version}"], directory=directory, python=python)
    if made.missing:
        raise PenstockError(f"no index that uv knows has uv {version}", hint=REACH)
    return made.text


def _publish(draft: Path, place: Path) -> None:
    epoch = source_date_epoch()
    for path in [*draft.rglob("*"), draft]:
        os.utime(path, (epoch, epoch))
    try:
        draft.rename(place)
    except OSError:
        if not place.exists():  # or somebody else has written the same meanwhile
            raise


def source_date_epoch() -> int:
    """The time that files of an image get: SOURCE_DATE_EPOCH of the environment, in seconds."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH))
