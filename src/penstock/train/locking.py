"""The lock of the environment at hand, made beside a training and kept with its run.

The hashes of files that were installed are known to the index alone. uv remembers them from the installation, so
most often nothing is asked; what was locked once is not locked again. Without uv or an index a run has no lock: its
record still names every version and every file, and `reproduce` locks them when it needs to.
"""

import platform
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from penstock.digest import digest_value
from penstock.errors import PenstockError
from penstock.train.environment import distributions
from penstock.train.uv import find_uv, lock
from penstock.train.wheels import origin

LOCK = "requirements.lock"  # the artifact of a run


@contextmanager
def locking(home: Path) -> "Iterator[Future[str | None]]":
    """The text of the lock, or None, once it is there. `home` is where what was locked before is found."""
    # A thread, since the index may take as long to answer as the training takes: neither waits for the other.
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="locking")
    try:
        yield pool.submit(locked_here, home)
    finally:
        pool.shutdown(wait=False)


def locked_here(home: Path) -> str | None:
    """The lock of what an index gave this environment; None when there is no uv, or it cannot say."""
    wanted = [f"{name}=={each.version}" for name, each in distributions().items() if origin(each) is None]
    python = platform.python_version()
    known = home / "locks" / f"{digest_value([python, wanted])}.txt"
    if known.exists():
        return known.read_text()
    uv = find_uv()
    if uv is None:
        return None
    try:
        made = lock(uv, wanted, directory=home, python=python)
    except PenstockError:
        return None
    text = "".join([made.text, *(f"# no index has {each}\n" for each in made.missing)])
    if not made.missing:
        _write(known, text)
    return text


def _write(path: Path, text: str) -> None:
    """Whole or not at all: several trainings may write it at once, all the same."""
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
        draft.write(text)
    Path(draft.name).replace(path)
