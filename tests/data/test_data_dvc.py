"""DVC's layout, written here as DVC 3.67 leaves it."""

import hashlib
import json
from pathlib import Path

import pytest
from data.conftest import Lab

from penstock.data.sources.dvc import locate, tracked
from penstock.errors import Damaged, PenstockError, UsageError


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def keep(store: Path, key: str, content: bytes, *, legacy: bool = False) -> None:
    place = store / ("" if legacy else "files/md5") / key[:2] / key[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def track(lab: Lab, name: str, key: str, *, legacy: bool = False) -> None:
    kind = "" if legacy else "  hash: md5\n"
    lab.write(f"{name}.dvc", f"outs:\n- md5: {key}\n  size: 8\n{kind}  path: {Path(name).name}\n")


@pytest.fixture
def dvc(lab: Lab) -> Lab:
    """A lab in a DVC repository with an empty cache and a remote."""
    lab.write(".dvc/config", "[core]\n    remote = store\n['remote \"store\"']\n    url = ../remote\n")
    (lab.root / ".dvc/cache").mkdir()
    (lab.root / "remote").mkdir()
    lab.datasets["t"] = "{source: data/t.csv.dvc}"
    return lab


def test_a_tracked_file_comes_from_the_cache_and_follows_its_dvc_file(dvc: Lab) -> None:
    for content in (b"a,b\n1,2\n", b"a,b\n3,4\n5,6\n"):
        keep(dvc.root / ".dvc/cache", md5(content), content)
        track(dvc, "data/t.csv", md5(content))
        assert not dvc.ingest("t").skipped
        assert dvc.ingest("t").why == "source unchanged"
    assert dvc.rows("t").rows() == [(3, 4), (5, 6)]


def test_what_the_cache_lacks_comes_from_the_remote(dvc: Lab) -> None:
    keep(dvc.root / "remote", md5(b"a\n1\n"), b"a\n1\n")
    track(dvc, "data/t.csv", md5(b"a\n1\n"))
    assert dvc.ingest("t").rows == 1
    assert not list((dvc.root / ".dvc/cache").iterdir())


def test_a_local_setting_goes_before_the_shared_one(dvc: Lab) -> None:
    keep(dvc.root / "elsewhere", md5(b"a\n1\n"), b"a\n1\n")
    dvc.write(".dvc/config.local", "['remote \"store\"']\n    url = ../elsewhere\n")
    track(dvc, "data/t.csv", md5(b"a\n1\n"))
    assert dvc.ingest("t").rows == 1


def test_the_files_of_a_tracked_directory_are_an_input_each(dvc: Lab) -> None:
    files = {"p.csv": b"x\n1\n", "deep/q.csv": b"x\n2\n"}
    listing = json.dumps([{"md5": md5(content), "relpath": name} for name, content in files.items()]).encode()
    for content in files.values():
        keep(dvc.root / ".dvc/cache", md5(content), content)
    keep(dvc.root / ".dvc/cache", f"{md5(listing)}.dir", listing)
    track(dvc, "parts", f"{md5(listing)}.dir")
    dvc.datasets["t"] = "{source: parts.dvc}"
    dvc.ingest("t")
    assert dvc.rows("t")["x"].to_list() == [2, 1]


@pytest.mark.parametrize("content", [b"a\r\n1\r\n", b"a\n1\n"])
def test_dvc_2_digested_texts_as_unix_writes_them(dvc: Lab, content: bytes) -> None:
    key = md5(content.replace(b"\r\n", b"\n"))
    keep(dvc.root / ".dvc/cache", key, content, legacy=True)
    track(dvc, "data/t.csv", key, legacy=True)
    assert dvc.ingest("t").rows == 1


def test_bytes_that_are_not_what_was_tracked_are_refused(dvc: Lab, tmp_path: Path) -> None:
    keep(dvc.root / ".dvc/cache", md5(b"a\n1\n"), b"a\n9\n")
    track(dvc, "data/t.csv", md5(b"a\n1\n"))
    (one,) = tracked(dvc.root / "data/t.csv.dvc")
    with pytest.raises(Damaged, match="not those that DVC tracks"):
        locate(one, tmp_path)
    with pytest.raises(Damaged):
        dvc.ingest("t")
    assert dvc.head("t") is None


def test_what_neither_cache_nor_remote_has_is_told(dvc: Lab) -> None:
    track(dvc, "data/t.csv", md5(b"gone"))
    with pytest.raises(PenstockError, match="no such object"):
        dvc.ingest("t")
    dvc.write(".dvc/config", "")
    with pytest.raises(PenstockError, match="there is no remote"):
        dvc.ingest("t")


@pytest.mark.parametrize("text", ["outs: 3\n", "- a\n", "outs:\n- path: x\n", "outs: [\n"])
def test_what_is_no_file_of_dvc_is_told(dvc: Lab, text: str) -> None:
    dvc.write("data/t.csv.dvc", text)
    with pytest.raises(UsageError, match="not a file of DVC"):
        dvc.ingest("t")


def test_a_dvc_file_outside_of_a_repository_is_told(lab: Lab) -> None:
    lab.datasets["t"] = "{source: t.csv.dvc}"
    track(lab, "t.csv", md5(b"a\n1\n"))
    with pytest.raises(UsageError, match="no DVC repository"):
        lab.ingest("t")
