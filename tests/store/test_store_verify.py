import random

import polars as pl
import pytest

from penstock.errors import Damaged
from penstock.store import Damage, Manifest, Store


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def commit(store, rows, dataset):
    table = store.write_table(pl.DataFrame({"x": rows}), rows_per_part=2)
    return store.commit(Manifest(table.schema, table.parts, notes={"dataset": dataset}))


def flip(path, chance):
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(10))
def test_a_flipped_bit_is_named_with_digest_path_and_dataset_part(store, seed):
    flights = commit(store, [1, 2, 3, 4, 5], "flights")
    weather = commit(store, [7, 8], "weather")
    part = store.manifest(flights).parts[1].digest
    flip(store.blobs.location(part), random.Random(seed))

    with pytest.raises(Damaged) as found:
        store.scan(flights)
    for fact in (part, str(store.blobs.location(part)), "part 2 of 3 of flights", flights):
        assert fact in str(found.value)
    [damage] = store.verify()
    assert (damage.digest, damage.path) == (part, str(store.blobs.location(part)))
    assert damage.parts == (f"part 2 of 3 of flights (commit {flights})",)
    assert "part 2 of 3 of flights" in str(damage)
    assert store.verify([flights]) == [damage]
    assert store.verify([weather]) == []
    assert store.scan(weather).collect()["x"].to_list() == [7, 8]


def test_verify_reads_again_what_was_verified_before(store):
    kept = commit(store, [1, 2], "a")
    store.scan(kept)
    path = store.blobs.location(store.manifest(kept).parts[0].digest)
    found = path.stat()
    flip(path, random.Random(0))
    import os

    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert len(store.verify()) == 1


def test_a_missing_part_is_found_through_its_manifest(store):
    kept = commit(store, [1, 2, 3], "a")
    part = store.manifest(kept).parts[1].digest
    store.blobs.location(part).unlink()

    [damage] = store.verify()
    assert damage == Damage(part, str(store.blobs.location(part)), f"blob {part} is missing", damage.parts)
    assert damage.parts == (f"part 2 of 2 of a (commit {kept})",)
    with pytest.raises(Damaged, match="part 2 of 2 of a"):
        store.scan(kept)


def test_a_damaged_manifest_is_itself_the_damage(store):
    kept = commit(store, [1, 2], "a")
    flip(store.blobs.location(kept), random.Random(3))
    assert [damage.digest for damage in store.verify()] == [kept]
    with pytest.raises(Damaged, match=kept):
        store.manifest(kept)


def test_a_part_of_two_versions_is_named_in_both(store):
    first, second = commit(store, [1, 2], "a"), commit(store, [1, 2, 3], "b")
    store.blobs.location(store.manifest(first).parts[0].digest).unlink()
    [damage] = store.verify()
    assert set(damage.parts) == {f"part 1 of 1 of a (commit {first})", f"part 1 of 2 of b (commit {second})"}


def test_an_empty_store_is_whole(store):
    assert store.verify() == []
    assert store.verify(["0" * 64])[0].why == f"blob {'0' * 64} is missing"
