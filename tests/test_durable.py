import os
from pathlib import Path

import pytest
from power import Power

from penstock.durable import sync


def test_synced_bytes_and_names_survive_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    power, file = Power(monkeypatch), tmp_path / "file"
    file.write_bytes(b"bytes")

    sync(file)
    assert not power.leaves(file, below=tmp_path)
    sync(tmp_path)
    assert power.leaves(file, below=tmp_path)


def test_what_the_disk_refuses_is_raised_and_nothing_stays_open(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)  # a pipe has no disk
    before = len(os.listdir("/dev/fd"))

    with pytest.raises(OSError, match=r"Invalid argument|not supported"):
        sync(pipe)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")
    assert len(os.listdir("/dev/fd")) == before
    os.close(writer)
