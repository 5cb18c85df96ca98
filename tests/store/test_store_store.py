import subprocess
import sys

import polars as pl
import pytest

from penstock.errors import Damaged
from penstock.store import Manifest, Part, Store


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def test_equal_json_values_are_one_blob(store):
    digest = store.put_json({"b": [1, None], "a": "é"})
    assert store.put_json({"a": "é", "b": [1, None]}) == digest
    assert store.read_json(digest) == {"a": "é", "b": [1, None]}
    assert len(list(store.blobs.digests())) == 1


def test_a_blob_that_is_not_json_is_named(store):
    digest = store.put_bytes(b"\xff")
    with pytest.raises(Damaged, match=f"{digest} is not JSON"):
        store.read_json(digest)


def test_the_commit_is_the_digest_of_the_manifest(store):
    table = store.write_table(pl.DataFrame({"x": [1, 2]}))
    manifest = Manifest(table.schema, table.parts, producer="ingest", notes={"dataset": "a"})
    commit = store.commit(manifest)
    assert store.manifest(commit) == manifest
    assert store.commit(manifest) == commit
    assert commit == store.put_json(manifest.as_json())


def test_a_version_with_a_missing_part_cannot_be_committed(store):
    manifest = Manifest((("x", "Int64"),), (Part("0" * 64, 1, 1),))
    with pytest.raises(Damaged, match="part 1 of 1"):
        store.commit(manifest)
    assert list(store.blobs.digests()) == []


def test_an_appended_version_shares_its_parts(store):
    first = store.write_table(pl.DataFrame({"x": [1, 2]}))
    parent = store.commit(Manifest(first.schema, first.parts))
    more = store.write_table(pl.DataFrame({"x": [3]}))
    child = store.commit(Manifest(first.schema, (*first.parts, *more.parts), parents=(parent,)))

    assert store.scan(child).collect()["x"].to_list() == [1, 2, 3]
    assert store.scan(parent).collect()["x"].to_list() == [1, 2]
    assert len(list(store.blobs.digests())) == 4


def test_a_copied_store_is_the_same_store(store, tmp_path):
    table = store.write_table(pl.DataFrame({"x": [1, 2]}))
    commit = store.commit(Manifest(table.schema, table.parts))
    (tmp_path / "store").rename(tmp_path / "moved")
    assert Store.open(tmp_path / "moved").scan(commit).collect()["x"].to_list() == [1, 2]


def test_parts_are_plain_parquet(store):
    table = store.write_table(pl.DataFrame({"x": [1, 2]}))
    assert pl.read_parquet(store.path(table.parts[0].digest).read_bytes())["x"].to_list() == [1, 2]


def test_importing_the_door_loads_no_frame_library():
    code = "import sys, penstock.store; sys.exit(bool({'polars', 'numpy', 'blake3'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
