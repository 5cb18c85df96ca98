import os
from multiprocessing import get_context
from pathlib import Path

import pytest
from power import Power
from services import tmpfs

from penstock.errors import PenstockError, UsageError
from penstock.store.directory import Directory


@pytest.fixture
def place(tmp_path: Path) -> Directory:
    return Directory.open(tmp_path / "a" / "b", create=True)


def test_a_directory_is_made_when_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        Directory.open(tmp_path / "new", create=False)
    Directory.open(tmp_path / "new", create=True).write("a", b"1")
    assert (tmp_path / "new" / "a").read_bytes() == b"1"
    with pytest.raises(UsageError, match="not a directory"):
        Directory.open(tmp_path / "new" / "a", create=True)


def test_what_is_put_there_is_read_again(place: Directory, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data := os.urandom(3_000_000))
    place.send("x/y", tmp_path / "file")
    place.write("x/z", b"{}")
    assert (place.size("x/y"), place.size("x/none")) == (len(data), None)
    assert (b"".join(place.chunks("x/y") or ()), place.chunks("x/none")) == (data, None)
    assert (place.read("x/z") or ())[:1] == (b"{}",)
    assert place.read("x/none") is None
    assert (place.keys("x"), place.keys("none")) == (["x/y", "x/z"], [])
    assert os.listdir(place.root / "tmp") == []


def test_compare_and_set(place: Directory) -> None:
    assert place.replace("ref", b"1", None)
    first = (place.read("ref") or (b"", {}))[1]
    assert not place.replace("ref", b"2", None)
    assert place.replace("ref", b"2", first)
    assert not place.replace("ref", b"3", first)
    assert (place.root / "ref").read_bytes() == b"2"


def test_of_many_that_compare_and_set_at_once_none_is_lost(place: Directory) -> None:
    with get_context("spawn").Pool(4) as pool:
        pool.map(count_up, [place.root] * 4)
    assert (place.root / "count").read_bytes() == b"100"


def count_up(root: Path) -> None:
    place = Directory.open(root, create=False)
    for _ in range(25):
        done = False
        while not done:
            data, state = place.read("count") or (b"0", None)
            done = place.replace("count", b"%d" % (int(data) + 1), state)


def test_what_is_settled_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    power = Power(monkeypatch)
    place = Directory.open(tmp_path / "a" / "b", create=True)
    (tmp_path / "file").write_bytes(b"data")
    place.write("x/now", b"1")
    place.send("x/y/later", tmp_path / "file")
    assert power.leaves(place.root / "x/now", below=tmp_path)
    assert not power.leaves(place.root / "x/y/later", below=tmp_path)
    place.settle(["x/y/later"])
    assert power.leaves(place.root / "x/y/later", below=tmp_path)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "2m") as disk:
        place = Directory.open(disk / "remote", create=True)
        place.write("before", b"1")
        (tmp_path / "big").write_bytes(os.urandom(3_000_000))
        with pytest.raises(PenstockError, match="the disk is full"):
            place.send("after", tmp_path / "big")
        assert place.keys("") == ["before"]


def test_what_cannot_be_read_is_named(place: Directory) -> None:
    (place.root / "directory").mkdir()
    with pytest.raises(PenstockError, match="cannot be read: Is a directory") as error:
        place.read("directory")
    assert error.value.where == str(place.root / "directory")
