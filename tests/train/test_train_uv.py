import re
from pathlib import Path

import pytest
from train.train_environments import UV, only, wheel
from train.train_environments import index as index_of

from penstock.errors import PenstockError
from penstock.train.environment import uv
from penstock.train.environment.uv import find_uv, lock, normal, reason, require_uv

PYTHON = "3.11.7"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with an index of one distribution, all that uv may look at."""
    one = wheel(tmp_path / "wheels", "rounding", "1.0", "DIGITS = 2\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(only(index_of(tmp_path / "index", one))))
    return tmp_path


def test_a_lock_pins_version_and_hash(index: Path) -> None:
    made = lock(UV, ["rounding==1.0"], directory=index, python=PYTHON)
    assert made.text.startswith("rounding==1.0 \\\n    --hash=sha256:")
    assert str(index) not in made.text
    assert made.missing == ()


def test_what_the_index_lacks_is_told_apart(index: Path) -> None:
    made = lock(UV, ["rounding==1.0", "in_house==1.0", "other==2"], directory=index, python=PYTHON)
    assert made.text.startswith("rounding==1.0")
    assert sorted(made.missing) == ["in_house==1.0", "other==2"]


def test_a_directory_of_wheels_tells_no_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = wheel(tmp_path / "wheels", "rounding", "1.0", "")
    monkeypatch.setenv("UV_CONFIG_FILE", str(only(index_of(tmp_path / "index"), one.parent)))
    assert lock(UV, ["rounding==1.0"], directory=tmp_path, python=PYTHON).missing == ("rounding==1.0",)


def test_an_index_that_does_not_answer(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_CONFIG_FILE")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(index / "cache"))
    with pytest.raises(PenstockError, match=re.escape("127.0.0.1:9")):
        lock(UV, ["rounding==1.0", "other==2"], directory=index, python=PYTHON)


def test_no_uv_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_uv() is None
    with pytest.raises(PenstockError, match="uv is not installed") as caught:
        require_uv("pip install uv")
    assert caught.value.hint == "pip install uv"


def test_uv_says_why_on_one_line() -> None:
    assert reason("error: Request failed\n  cause: refused\n") == "Request failed: refused"
    assert reason("") == "it said nothing"


def test_names_are_compared_as_every_tool_does() -> None:
    assert normal("Scikit__Learn.x") == normal("scikit-learn-x")
