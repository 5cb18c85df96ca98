"""LightGBM's wheel wants the system's `libgomp.so.1`, which slim systems lack. scikit-learn ships one.

A shared library is found by its SONAME among those already loaded. scikit-learn's copy has a mangled
one (`libgomp-a49a47f9.so.1.0.0`), so a private copy gets the name `libgomp.so.1`, padded to the same
length, and is loaded before LightGBM asks for it.
"""

import ctypes
import os
import re
import tempfile
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from penstock.errors import PenstockError

WANTED = "libgomp.so.1"
_BUNDLED = re.compile(r"libgomp-[0-9a-f]+\.so\.\d[\d.]*")


def provide() -> None:
    """Make `libgomp.so.1` loadable where the system has none. Call it before LightGBM or scikit-learn is imported."""
    _wait_briefly()
    _know_the_cores()
    if find_spec("lightgbm") is None or _loads(WANTED):
        return
    load_copy()


def _wait_briefly() -> None:
    """A thread that waits for the others spins a tenth of a millisecond, then gives its core away.

    Spinning for long made a training 30 times slower on a busy machine, never spinning twice as slow on a quiet one.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _know_the_cores() -> None:
    """Joblib asks `lscpu`, which asks /sys; where one is missing, it shows a traceback in the middle of a run."""
    answered = which("lscpu") and Path("/sys/devices/system/cpu").is_dir()
    if not answered and find_spec("joblib"):
        from joblib.externals.loky.backend import context

        context.physical_cores_cache = os.cpu_count() or 1  # no public way: its variable cannot say "all of them"


def load_copy() -> None:
    """Load a copy of scikit-learn's library under the name `libgomp.so.1`."""
    original = _bundled()
    if original is None:
        raise PenstockError(
            f"LightGBM needs {WANTED}, and neither the system nor scikit-learn has one",
            hint="apt-get install libgomp1",
        )
    # A directory of our own, gone after loading: no other user can put another library in its place.
    with tempfile.TemporaryDirectory(prefix="penstock-") as directory:
        copy = Path(directory) / WANTED
        copy.write_bytes(renamed(original.read_bytes(), original.name))
        ctypes.CDLL(str(copy), mode=ctypes.RTLD_GLOBAL)


def renamed(library: bytes, name: str) -> bytes:
    """The ELF bytes with every `name` replaced by `libgomp.so.1`, padded with NUL to the same length."""
    old = name.encode()
    return library.replace(old + b"\0", WANTED.encode().ljust(len(old), b"\0") + b"\0")


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def _bundled() -> Path | None:
    try:
        listed = files("scikit-learn") or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in listed if _BUNDLED.fullmatch(file.name)), None)
