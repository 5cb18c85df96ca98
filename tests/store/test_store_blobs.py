import os
import stat
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.digest import digest_bytes
from penstock.errors import Damaged, UsageError
from penstock.store.blobs import Blobs


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "store")


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=5000))
def test_what_is_put_is_read_under_its_own_digest(blobs, data):
    digest = blobs.put(data)
    assert digest == digest_bytes(data)
    assert blobs.read(digest) == data
    assert blobs.path(digest).read_bytes() == data
    assert blobs.put(data) == digest


def test_a_blob_is_a_read_only_file_named_by_its_digest(blobs):
    digest = blobs.put(b"bytes")
    path = blobs.root / "blobs" / digest[:2] / digest
    assert blobs.path(digest) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert list(blobs.drafts()) == []


def test_a_file_is_copied_so_that_editing_it_changes_nothing(blobs, tmp_path):
    source = tmp_path / "data.csv"
    source.write_bytes(b"a,b\n1,2\n" * 500_000)
    digest = blobs.put_file(source)
    before = source.read_bytes()
    source.write_bytes(b"other")

    assert blobs.read(digest) == before
    assert digest == digest_bytes(before)
    assert blobs.put_file(blobs.path(digest)) == digest
    assert list(blobs.drafts()) == []


def test_opening_and_asking_write_nothing(blobs):
    assert not blobs.has("0" * 64)
    assert list(blobs.digests()) == []
    assert not blobs.root.exists()


@pytest.mark.parametrize(
    "digest", ["", "abc", "../" * 20 + "etc/passwd", "A" * 64, "g" * 64, "0" * 65, "0" * 64 + "\n"]
)
def test_a_name_that_is_no_digest_never_becomes_a_path(blobs, digest):
    for ask in (blobs.has, blobs.read, blobs.path):
        with pytest.raises(UsageError, match="not a digest"):
            ask(digest)


def test_a_missing_blob_is_named(blobs):
    digest = digest_bytes(b"never written")
    for ask in (blobs.read, blobs.path, blobs.check):
        with pytest.raises(Damaged, match=f"{digest} is missing"):
            ask(digest)


def flip(path, position):
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[position // 8] ^= 1 << position % 8
    path.write_bytes(data)


@pytest.mark.parametrize("position", [0, 1, 4000 * 8 + 3, 8 * 8000 - 1])
def test_a_flipped_bit_is_found_and_named(blobs, position):
    digest = blobs.put(bytes(8000))
    blobs.path(digest)
    flip(blobs.location(digest), position)

    for ask in (blobs.read, blobs.path, blobs.check):
        with pytest.raises(Damaged) as found:
            ask(digest)
        assert digest in str(found.value)
        assert str(blobs.location(digest)) in str(found.value)


def test_a_cut_file_is_damaged(blobs):
    digest = blobs.put(b"x" * 1000)
    blobs.location(digest).chmod(0o644)
    os.truncate(blobs.location(digest), 10)
    with pytest.raises(Damaged, match="damaged"):
        blobs.path(digest)


def test_a_directory_in_place_of_a_blob_is_damage_not_a_crash(blobs):
    digest = digest_bytes(b"x")
    blobs.location(digest).mkdir(parents=True)
    with pytest.raises(Damaged, match="cannot be read"):
        blobs.read(digest)


def test_putting_the_same_bytes_again_repairs_a_damaged_blob(blobs, tmp_path):
    digest = blobs.put(b"precious")
    flip(blobs.location(digest), 3)
    assert blobs.put(b"precious") == digest
    assert blobs.read(digest) == b"precious"

    flip(blobs.location(digest), 3)
    (tmp_path / "file").write_bytes(b"precious")
    assert blobs.put_file(tmp_path / "file") == digest
    assert blobs.read(digest) == b"precious"


def test_path_reads_a_blob_again_only_when_it_changed(blobs):
    digest = blobs.put(b"x")
    blobs.path(digest)
    verified = dict(blobs._verified)
    blobs.path(digest)
    assert blobs._verified == verified

    os.utime(blobs.location(digest), (1, 1))
    blobs.path(digest)
    assert blobs._verified != verified


def test_a_source_that_fails_half_way_leaves_no_draft(blobs, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        blobs.put_file(tmp_path / "absent")
    assert list(blobs.drafts()) == []


def put_all(root):
    return [Blobs(root).put(bytes([number]) * 200_000) for number in range(20)]


def test_processes_that_put_the_same_blobs_at_once_agree(blobs):
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        answers = list(pool.map(put_all, [blobs.root] * 8))

    assert len({tuple(answer) for answer in answers}) == 1
    assert sorted(answers[0]) == sorted(blobs.digests())
    for digest in blobs.digests():
        blobs.check(digest)
    assert list(blobs.drafts()) == []


def test_threads_that_put_the_same_blob_at_once_agree(blobs):
    data = bytes(300_000)
    threads = [threading.Thread(target=blobs.put, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(blobs.digests()) == [digest_bytes(data)]
    assert list(blobs.drafts()) == []
