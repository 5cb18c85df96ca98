import json
import os
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.digest import digest_value
from penstock.train.environment.capture import capture, differences, distributions, host, record_digest

WHEEL = ["a/__init__.py,sha256=x,1", "a/b.py,sha256=y,2", '"a/odd, name.py",sha256=z,3']
INSTALLED = [
    "../../../bin/a,sha256=q,9",
    "a/__pycache__/b.cpython-311.pyc,,",
    "a-1.0.dist-info/INSTALLER,sha256=q,2",
    "a-1.0.dist-info/RECORD,,",
    "a-1.0.dist-info/REQUESTED,,",
    "a-1.0.dist-info/direct_url.json,sha256=q,2",
    "a-1.0.dist-info/uv_cache.json,sha256=q,2",
]


@given(st.permutations(WHEEL + INSTALLED), st.lists(st.sampled_from(INSTALLED)))
def test_record_digest_is_of_the_wheel_not_of_the_installation(lines: list[str], extra: list[str]) -> None:
    assert record_digest("\n".join(lines + extra)) == record_digest("\n".join(WHEEL))


def test_record_digest_sees_a_changed_file() -> None:
    assert record_digest("a.py,sha256=x,1") != record_digest("a.py,sha256=y,1")


def test_capture_is_json_and_the_same_in_a_fresh_process() -> None:
    first, second = captured(), captured()
    assert digest_value(first) == digest_value(second)
    assert first["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert first["distributions"]["numpy"]["version"] == distributions()["numpy"].version
    assert any(pool["internal_api"] == "openblas" for pool in first["threads"])
    assert all("/" not in str(value) for pool in first["threads"] for value in pool.values())


def captured() -> Any:
    load = "import json, numpy, sklearn; from penstock.train.environment.capture import capture"
    script = f"{load}; print(json.dumps(capture(str)))"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    return json.loads(subprocess.check_output([sys.executable, "-c", script], env=variables))


def test_nothing_differs_from_itself() -> None:
    assert differences(capture(str), capture(str)) == ()


def distribution(version: str, digest: str) -> dict[str, str]:
    return {"version": version, "digest": digest}


def test_differences_name_what_changed() -> None:
    pool = {"internal_api": "openblas", "version": "0.3.31", "architecture": "Haswell"}
    old = {"numpy": distribution("2.4", "x"), "gone": distribution("1", "x"), "same": distribution("1", "x")}
    new = {"numpy": distribution("2.5", "y"), "new": distribution("3", "x"), "same": distribution("1", "z")}
    then = {
        "python": {"version": "3.11.7"},
        "cpu": {"model": "A"},
        "threads": [{**pool, "num_threads": 2}],
        "distributions": old,
    }
    now = {
        "python": {"version": "3.12.1"},
        "cpu": {"model": "A"},
        "threads": [{**pool, "num_threads": 1}],
        "variables": {"OMP_NUM_THREADS": "1"},
        "distributions": new,
    }
    assert differences(then, now) == (
        "gone: 1 then, not installed now",
        "new: not installed then, 3 now",
        "numpy: 2.4 then, 2.5 now",
        "same 1: same version, other files",
        "native threads: openblas 0.3.31 Haswell x2 then, openblas 0.3.31 Haswell x1 now",
        "python version: 3.11.7 then, 3.12.1 now",
        "variables OMP_NUM_THREADS: unset then, 1 now",
    )


def test_files_are_the_same_whether_they_came_from_an_index_or_a_kept_wheel() -> None:
    then, now = distribution("1", "x"), {**distribution("1", "x"), "wheel": "blob"}
    assert differences({"distributions": {"a": then}}, {"distributions": {"a": now}}) == ()


def test_host_tells_the_machine_and_since_when() -> None:
    here = host()
    assert here["name"]
    assert here["created"] > 0
    assert json.loads(json.dumps(here)) == here
