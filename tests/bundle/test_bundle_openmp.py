import subprocess
import sys

import pytest

from penstock.bundle.openmp import renamed

WITHOUT_THE_SYSTEMS = """
from penstock.bundle.openmp import load_copy
load_copy()
import lightgbm, numpy
rows = lightgbm.Dataset(numpy.random.rand(99, 2), numpy.arange(99) % 2)
model = lightgbm.train({"objective": "binary", "verbose": -1}, rows, 3)
assert model.predict(numpy.random.rand(9, 2)).shape == (9,)
print(*{line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if "gomp" in line}, sep="\\n")
"""


def test_lightgbm_runs_on_a_copy_of_scikit_learns_library():
    """A library is found by its SONAME: with ours loaded, the system's is never looked for."""
    command = [sys.executable, "-W", "ignore", "-c", WITHOUT_THE_SYSTEMS]
    done = subprocess.run(command, env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True)

    libraries = done.stdout.splitlines()

    assert [path for path in libraries if path.endswith("libgomp.so.1 (deleted)")]
    assert not [path for path in libraries if path.startswith(("/usr/lib", "/lib"))]


WITHOUT_LSCPU = """
from penstock.bundle.openmp import provide
provide()
import numpy
from sklearn.ensemble import HistGradientBoostingClassifier
rows = numpy.random.rand(99, 2)
HistGradientBoostingClassifier(max_iter=2).fit(rows, numpy.arange(99) % 2).predict(rows)
"""


def test_a_slim_system_shows_no_traceback_about_its_cores():
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/nowhere"}
    command = [sys.executable, "-c", WITHOUT_LSCPU]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "physical cores" not in done.stderr


WAITING = """
import os
from penstock.bundle.openmp import provide
provide()
print(os.environ["OMP_WAIT_POLICY"], os.environ.get("GOMP_SPINCOUNT"))
"""


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({}, "PASSIVE 10000"),
        ({"GOMP_SPINCOUNT": "5"}, "PASSIVE 5"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None"),
    ],
)
def test_how_threads_wait_is_the_users_to_say(given, then):
    environment = {"PYTHONPATH": ":".join(sys.path), **given}
    done = subprocess.run([sys.executable, "-c", WAITING], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == then


def test_a_name_is_replaced_at_the_same_length():
    library = b"ELF\0libgomp-e985bcbb.so.1.0.0\0rest"

    changed = renamed(library, "libgomp-e985bcbb.so.1.0.0")

    assert len(changed) == len(library)
    assert b"\0libgomp.so.1\0" in changed
    assert changed.endswith(b"\0rest")
