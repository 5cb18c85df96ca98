import signal
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.scratch import scratch_directory

HOLD = """
import signal, sys
from penstock.scratch import scratch_directory

with scratch_directory() as room:
    (room / "copy.csv").write_text("a,b")
    print(room, flush=True)
    signal.pause()
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for temporary files of our own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def hold() -> "tuple[subprocess.Popen[str], Path]":
    child = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    return child, Path(child.stdout.readline().strip())


def test_the_room_is_empty_and_gone_at_the_end(elsewhere: Path) -> None:
    with scratch_directory() as room:
        assert list(room.iterdir()) == []
        (room / "copy.csv").write_text("a,b")
    assert list(elsewhere.iterdir()) == []


def test_the_room_is_gone_after_an_error(elsewhere: Path) -> None:
    with pytest.raises(ValueError, match="broken"), scratch_directory():
        raise ValueError("broken")
    assert list(elsewhere.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_one(elsewhere: Path) -> None:
    child, room = hold()
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert (room / "copy.csv").exists()
    with scratch_directory():
        assert not room.exists()


def test_what_a_living_process_holds_stays(elsewhere: Path) -> None:
    child, room = hold()
    try:
        with scratch_directory() as other:
            assert (room / "copy.csv").exists()
            assert other != room
    finally:
        child.kill()
        child.wait()


def test_directories_of_others_stay(elsewhere: Path) -> None:
    (elsewhere / "penstock-scratch-mine").mkdir()
    (elsewhere / "penstock-scratch-file").write_text("not a directory")
    with scratch_directory():
        pass
    assert len(list(elsewhere.iterdir())) == 2
