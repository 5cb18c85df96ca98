import json
import os
import threading
import time
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import Damaged
from penstock.store import Manifest, Store, Swept

NOW = timedelta(seconds=-1)  # a grace time that nothing is young enough for
DAYS = 86400


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store")


def age(store, digest, days):
    then = time.time() - days * DAYS
    os.utime(store.blobs.location(digest), (then, then))


def test_everything_that_a_root_reaches_stays(store, tmp_path):
    table = store.write_table(pl.DataFrame({"x": [1, 2, 3]}), rows_per_part=1)
    first = store.commit(Manifest(table.schema, table.parts))
    second = store.commit(
        Manifest(table.schema, table.parts[:1], parents=(first,), notes={"patch": store.put_bytes(b"p")})
    )
    (tmp_path / "bundle.json").write_text(json.dumps({"files": {"model": store.put_bytes(b"model")}}, indent=2))
    bundle = store.put_file(tmp_path / "bundle.json")
    run = store.put_json([{"data": f"data:{second}"}, bundle])
    lost = store.put_bytes(b"nobody refers to this")

    swept = store.collect_garbage([run], grace=NOW)

    assert (swept.removed, swept.young, swept.freed) == (1, 0, len(b"nobody refers to this"))
    assert not store.has(lost)
    assert store.verify() == []
    assert store.scan(first).collect().height == 3
    assert store.read_bytes(store.manifest(second).notes["patch"]) == b"p"
    assert store.has(bundle)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(links=st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=15), data=st.data())
def test_a_sweep_keeps_exactly_what_can_be_reached(tmp_path_factory, links, data):
    store = Store.open(tmp_path_factory.mktemp("store"))
    digests: list[str] = []
    reaches: list[set[str]] = []
    for number, targets in enumerate(links):
        known = [target for target in targets if target < number]
        digests.append(store.put_json({"number": number, "of": [digests[target] for target in known]}))
        reaches.append({digests[-1]}.union(*(reaches[target] for target in known)))
    roots = data.draw(st.sets(st.sampled_from(range(len(links)))))

    store.collect_garbage([digests[root] for root in roots], grace=NOW)

    assert set(store.blobs.digests()) == set().union(*(reaches[root] for root in roots))


def test_binary_blobs_that_contain_a_digest_do_not_refer(store):
    lost = store.put_bytes(b"lost")
    root = store.put_bytes(b"PAR1" + lost.encode())
    assert store.collect_garbage([root], grace=NOW).removed == 1


def test_roots_that_are_not_in_the_store_are_passed_over(store):
    kept = store.put_bytes(b"x")
    assert store.collect_garbage(["f" * 64, kept], grace=NOW).kept == 1


@pytest.mark.parametrize("place", [0, -80])
def test_a_damaged_manifest_stops_the_sweep_before_anything_is_removed(store, place):
    table = store.write_table(pl.DataFrame({"x": [1, 2, 3]}), rows_per_part=1)
    commit = store.commit(Manifest(table.schema, table.parts))
    manifest = store.blobs.location(commit)
    data = bytearray(manifest.read_bytes())
    data[place] ^= 1
    manifest.chmod(0o644)
    manifest.write_bytes(data)
    before = list(store.blobs.digests())
    with pytest.raises(Damaged, match=commit):
        store.collect_garbage([commit], grace=NOW)
    assert list(store.blobs.digests()) == before


def test_what_is_young_is_spared(store):
    young, old = store.put_bytes(b"young"), store.put_bytes(b"old")
    age(store, old, days=2)
    swept = store.collect_garbage([])
    assert swept == Swept(kept=0, young=1, removed=1, freed=3, drafts=0)
    assert store.has(young)


def test_putting_or_committing_again_makes_an_old_blob_young(store, tmp_path):
    (tmp_path / "file").write_bytes(b"file")
    frame = pl.DataFrame({"x": [1]})
    table = store.write_table(frame)
    digests = [store.put_bytes(b"a"), store.put_json({}), store.put_file(tmp_path / "file"), table.parts[0].digest]
    for digest in digests:
        age(store, digest, days=9)
    store.put_bytes(b"a")
    store.put_json({})
    store.put_file(tmp_path / "file")
    store.commit(Manifest(table.schema, table.parts))
    assert store.collect_garbage([]).removed == 0


def test_drafts_of_dead_writers_are_removed_after_the_grace_time(store):
    store.put_bytes(b"x")
    dead, alive = (store.blobs.root / "tmp" / name for name in ("dead", "alive"))
    dead.write_bytes(b"half")
    alive.write_bytes(b"half")
    os.utime(dead, (1, 1))
    assert store.collect_garbage([]).drafts == 1
    assert list(store.blobs.drafts()) == [alive]


def test_a_writer_waits_while_a_sweep_decides_and_writes_what_it_removed(store):
    digest = store.put_bytes(b"x")
    age(store, digest, days=2)
    with store.blobs.sweep_lock(exclusive=True):
        writer = threading.Thread(target=store.put_bytes, args=(b"x",))
        writer.start()
        writer.join(0.2)
        store.blobs.location(digest).unlink()
    writer.join()
    assert store.read_bytes(digest) == b"x"


def test_a_sweep_waits_while_a_writer_renews_an_old_blob(store):
    digest = store.put_bytes(b"x")
    age(store, digest, days=2)
    with store.blobs.sweep_lock(exclusive=False):
        sweeper = threading.Thread(target=store.collect_garbage, args=([],))
        sweeper.start()
        sweeper.join(0.2)
        age(store, digest, days=0)
    sweeper.join()
    assert store.has(digest)


def test_collecting_an_empty_store_does_nothing(store):
    assert store.collect_garbage(["0" * 64]) == Swept(kept=0, young=0, removed=0, freed=0, drafts=0)
