import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from train.train_environments import index, only, run_in, wheel

from penstock.errors import PenstockError
from penstock.store import Store
from penstock.train.environment.capture import capture, distributions, python_facts
from penstock.train.reproduction.rebuild import Kept, missing_here, rebuild


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


@pytest.fixture
def record(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An environment of two distributions: one from an index, one that was kept."""
    index(tmp_path / "index", wheel(tmp_path / "wheels", "rounding", "1.0", "DIGITS = 2\n"))
    kept = wheel(tmp_path / "kept", "penstock", "0.0", "WHAT = 'the one of that time'\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(only(tmp_path / "index")))
    return {
        "python": python_facts(),
        "distributions": {
            "penstock": {"version": "0.0", "digest": "d", "wheel": store.put_bytes(kept.read_bytes())},
            "rounding": {"version": "1.0", "digest": "d"},
        },
    }


def test_the_recorded_distributions_are_there_and_no_others(
    record: dict[str, Any], store: Store, tmp_path: Path
) -> None:
    python = rebuild(record, Kept(), store, tmp_path)
    script = """
import importlib.metadata, penstock, rounding
print(penstock.WHAT, rounding.DIGITS, len([*importlib.metadata.distributions()]))
"""
    assert run_in(python, script, PYTHONPATH="") == "the one of that time 2 2\n"
    assert [python.parents[1]] == list((tmp_path / "environments").iterdir())


def test_it_is_built_once_by_several_at_once(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        built = set(pool.map(lambda _: rebuild(record, Kept(), store, tmp_path), range(3)))
    (python,) = built
    inode = python.parents[1].stat().st_ino
    assert rebuild(record, Kept(), store, tmp_path) == python
    assert python.parents[1].stat().st_ino == inode
    assert len(list((tmp_path / "environments").iterdir())) == 1


def test_a_file_that_is_not_the_locked_one_is_refused(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    locked = f"rounding==1.0 --hash=sha256:{'0' * 64}\n"
    with pytest.raises(PenstockError, match="Hash mismatch") as caught:
        rebuild(record, Kept(locked), store, tmp_path)
    assert "UV_DEFAULT_INDEX" in str(caught.value.hint)
    assert list((tmp_path / "environments").iterdir()) == []


def test_what_no_index_has_is_named(record: dict[str, Any], store: Store, tmp_path: Path) -> None:
    record["distributions"]["in_house"] = {"version": "3.1", "digest": "d"}
    with pytest.raises(PenstockError, match=r"in_house==3\.1, and no wheel was kept") as caught:
        rebuild(record, Kept(), store, tmp_path)
    assert "--here" in str(caught.value.hint)
    assert list((tmp_path / "environments").iterdir()) == []


def test_a_python_that_is_not_there_is_named(
    record: dict[str, Any], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    record["python"]["version"] = "3.11.999"
    with pytest.raises(PenstockError, match=r"there is no Python 3\.11\.999") as caught:
        rebuild(record, Kept(), store, tmp_path)
    assert "uv python install 3.11.999" in str(caught.value.hint)


def test_without_uv(record: dict[str, Any], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PenstockError, match="uv is not installed") as caught:
        rebuild(record, Kept(), store, tmp_path)
    assert "pip install uv" in str(caught.value.hint)


def test_penstock_that_was_not_installed_cannot_be_built_again(
    record: dict[str, Any], store: Store, tmp_path: Path
) -> None:
    del record["distributions"]["penstock"]
    with pytest.raises(PenstockError, match="run from its sources"):
        rebuild(record, Kept(), store, tmp_path)


def test_the_environment_at_hand_is_recognised_and_what_differs_is_named(store: Store) -> None:
    here = capture(store.put_bytes)
    assert missing_here(here, store) == ()
    here["distributions"]["numpy"] = {**here["distributions"]["numpy"], "version": "1.0"}
    here["distributions"]["gone"] = {"version": "2", "digest": "d"}
    now = distributions()["numpy"].version
    assert missing_here(here, store) == ("gone: 2 then, not installed now", f"numpy: 1.0 then, {now} now")


def test_a_changed_file_of_a_kept_wheel_is_seen(store: Store, tmp_path: Path) -> None:
    here = capture(store.put_bytes)
    name, version = next((name, each["version"]) for name, each in here["distributions"].items() if "wheel" in each)
    other = wheel(tmp_path / "kept", name, version, "CHANGED = True\n")
    here["distributions"][name] = {"version": version, "digest": "d", "wheel": store.put_bytes(other.read_bytes())}
    assert missing_here(here, store) == (f"{name} {version}: same version, other files",)
