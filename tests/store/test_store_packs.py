import os
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.digest import digest_bytes
from penstock.errors import Damaged
from penstock.store import Manifest, Store, packs


def keyed(*contents: bytes) -> list[tuple[str, bytes]]:
    return [(digest_bytes(content), content) for content in contents]


@settings(max_examples=30, deadline=None)
@given(contents=st.lists(st.binary(max_size=200)))
def test_what_went_in_comes_out_each_once(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    store = Store.open(tmp_path_factory.mktemp("store"))
    found = store.scan_packs(store.write_packs(keyed(*contents))).collect()
    assert sorted(found.iter_rows()) == sorted(set(keyed(*contents)))


def test_equal_files_make_equal_packs(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    assert store.write_packs(keyed(b"a", b"b")) == store.write_packs(keyed(b"a", b"b", b"a"))


def test_a_pack_ends_where_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "PACK", 10)
    store = Store.open(tmp_path)
    made = store.write_packs(keyed(b"1234", b"56789", b"0", b"x" * 50, b"tail"))
    sizes = [
        store.scan_packs([pack]).select(pl.col("content").bin.size()).collect().to_series().to_list() for pack in made
    ]
    assert sizes == [[4, 5, 1], [50], [4]]


def test_no_file_makes_no_pack(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    assert store.write_packs([]) == ()
    assert store.scan_packs([]).collect().height == 0


def test_a_flipped_bit_in_a_pack_is_found_and_the_place_named(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    table = store.write_table(pl.DataFrame({"path": ["a"], "digest": [digest_bytes(b"bytes" * 500)]}))
    (pack,) = store.write_packs(keyed(b"bytes" * 500))
    commit = store.commit(Manifest(table.schema, table.parts, notes={"dataset": "images"}, packs=(pack,)))
    path = store.path(pack)
    os.chmod(path, 0o644)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    path.write_bytes(damaged)
    with pytest.raises(Damaged, match=pack):
        store.scan_packs([pack])
    (damage,) = store.verify()
    assert damage.parts == (f"pack 1 of 1 of images (commit {commit})",)


def test_a_version_cannot_be_made_of_packs_that_are_not_there(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with pytest.raises(Damaged, match="pack 1 of 1 of images is not in the store"):
        store.commit(Manifest((), (), notes={"dataset": "images"}, packs=("0" * 64,)))


def test_garbage_collection_keeps_the_packs_of_a_version(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    kept, _ = (store.write_packs(keyed(content))[0] for content in (b"kept", b"loose"))
    commit = store.commit(Manifest((), (), packs=(kept,)))
    assert store.collect_garbage([commit], grace=timedelta(seconds=-1)).removed == 1
    assert store.has(kept)


def test_a_table_without_packs_keeps_the_commit_that_it_always_had() -> None:
    assert "packs" not in Manifest((), ()).as_json()
