"""The lock of the environment at hand, made beside a training and kept with its run.

The hashes of files that were installed are known to the index alone. uv remembers them from the installation, so
most often nothing is asked; what was locked once is not locked again. What no index has is kept as a wheel. Without
uv, or when no index answers, a run has no lock: its record still names every version and every file, and `reproduce`
locks them when it needs to.
"""

import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.digest import digest_value
from penstock.errors import PenstockError
from penstock.train.environment.capture import distributions
from penstock.train.environment.uv import find_uv, lock
from penstock.train.environment.wheels import file_name, installed_files, is_small, origin, pack

LOCK = "requirements.lock"  # the artifact of a run
WHEELS = "wheels/"  # begins the names of those that hold what no index has


@dataclass(frozen=True)
class Locked:
    """The lock's text, and the wheels of what is not in it, by file name."""

    text: str
    wheels: Mapping[str, bytes]


@contextmanager
def locking(home: Path) -> "Iterator[Future[Locked | None]]":
    """The lock, or None, once it is there. `home` is where what was locked before is found."""
    # A thread, since the index may take as long to answer as the training takes: neither waits for the other.
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="locking")
    try:
        yield pool.submit(locked_here, home)
    finally:
        pool.shutdown(wait=False)


def locked_here(home: Path) -> Locked | None:
    """The lock of what an index gave this environment; None when there is no uv, or it cannot say."""
    wanted = [f"{name}=={each.version}" for name, each in distributions().items() if origin(each) is None]
    python = platform.python_version()
    known = home / "locks" / f"{digest_value([python, wanted])}.txt"
    if known.exists():
        return Locked(known.read_text(), {})
    uv = find_uv()
    if uv is None:
        return None
    try:
        made = lock(uv, wanted, directory=home, python=python)
    except PenstockError:
        return None
    if not made.missing:
        _write(known, made.text)
    left = [_packed(each.partition("==")[0]) for each in made.missing]
    return Locked(made.text, {file_name(wheel): wheel for wheel in left if wheel})


def _packed(name: str) -> bytes | None:
    """The wheel, unless it is too large: PyTorch's gigabyte is not read to learn that."""
    distribution = distributions()[name]
    return pack(distribution, {})[1] if is_small(installed_files(distribution, {})) else None


def _write(path: Path, text: str) -> None:
    """Whole or not at all: several trainings may write it at once, all the same."""
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
        draft.write(text)
    Path(draft.name).replace(path)
