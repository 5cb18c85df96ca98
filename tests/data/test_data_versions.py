import subprocess
import sys
from itertools import pairwise

import polars as pl
import pytest

from penstock import Project
from penstock.data import diff, head, history, pin, publish, publish_derived, resolve, tag, version_of
from penstock.errors import Conflict, UsageError
from penstock.ledger import Edge, Ref, RefMove, node, utc_now
from penstock.store import Manifest, read_lock


def made(lab, frame: pl.DataFrame, parent: str | None = None, **notes: object) -> str:
    table = lab.store.write_table(frame)
    parents = (parent,) if parent else ()
    return lab.store.commit(Manifest(table.schema, table.parts, parents=parents, notes=notes))


def put(lab, frame: pl.DataFrame, *, expected: str | None = None, dataset: str = "flights") -> str:
    commit = made(lab, frame, expected)
    with lab.ledger.write() as tx:
        publish(tx, version_of(dataset, commit, lab.store.manifest(commit)), expected=expected)
    return commit


def found(lab, text: str) -> str:
    with lab.ledger.read() as reader:
        return resolve(reader, text).commit


@pytest.fixture
def two(lab):
    first = put(lab, pl.DataFrame({"id": [1]}))
    return lab, first, put(lab, pl.DataFrame({"id": [2]}), expected=first)


def test_publish_moves_the_branch_from_what_was_expected(two) -> None:
    lab, first, second = two
    with lab.ledger.read() as reader:
        assert head(reader, "flights").commit == second
        assert head(reader, "weather") is None
        assert [version.commit for version in history(reader, "flights")] == [second, first]


def test_publish_from_somewhere_else_is_a_conflict_with_both_ids(two) -> None:
    lab, first, second = two
    third = made(lab, pl.DataFrame({"id": [3]}))
    with pytest.raises(Conflict) as conflict, lab.ledger.write() as tx:
        publish(tx, version_of("flights", third, lab.store.manifest(third)), expected=first)
    assert first[:12] in str(conflict.value)
    assert second[:12] in str(conflict.value)
    assert found(lab, "flights") == second


def test_resolve_by_ref_prefix_and_time(two) -> None:
    lab, first, second = two
    with lab.ledger.write() as tx:
        tag(tx, "flights", "before", first)
    assert found(lab, "flights") == found(lab, "flights@main") == second
    assert found(lab, "flights@before") == first
    assert found(lab, f"flights@{first[:6]}") == first
    assert found(lab, f"flights@{utc_now():%Y-%m-%d}") == second
    with lab.ledger.read() as reader:
        between = history(reader, "flights")[1].created_at
    assert found(lab, f"flights@{between.isoformat()}") == first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flihgts", "did you mean 'flights'"),
        ("flights@bfore", "did you mean 'before'"),
        ("flights@1999-01-01", "flights had no version yet at 1999-01-01"),
        ("flights@1999-01-01T12:00", "when the first one came"),
        ("flights@2024-99-99", "is not a time"),
        ("flights@abc", "unknown version"),
    ],
)
def test_what_cannot_be_resolved(two, text: str, message: str) -> None:
    lab, first, _ = two
    with lab.ledger.write() as tx:
        tag(tx, "flights", "before", first)
    with pytest.raises(UsageError, match=message):
        found(lab, text)


def test_a_prefix_of_several(lab) -> None:
    version = version_of("flights", "a" * 64, Manifest((), ()))
    with lab.ledger.write() as tx:
        publish(tx, version, expected=None)
        publish(tx, version_of("flights", "aaaa" + "b" * 60, Manifest((), ())), expected="a" * 64)
    with pytest.raises(UsageError, match="beginning of 2 versions"):
        found(lab, "flights@aaaa")


def test_tags_never_move(two) -> None:
    lab, first, second = two
    with lab.ledger.write() as tx:
        assert tag(tx, "flights", "v1", first).kind == "tag"
        assert tag(tx, "flights", "v1", first).commit == first
        with pytest.raises(Conflict, match="already"):
            tag(tx, "flights", "v1", second)
        with pytest.raises(UsageError):
            tag(tx, "flights", "main", first)


def test_a_derived_table_is_published_with_its_sources(two) -> None:
    lab, _first, second = two
    commit = made(lab, pl.DataFrame({"n": [1]}))
    for _ in range(2):
        publish_derived(lab.ledger, lab.store, "counts", commit, {node("data", second): "transform"})
    with lab.ledger.read() as reader:
        assert head(reader, "counts").commit == commit
        assert reader.count(Edge, target=node("data", commit)) == 1
    publish_derived(lab.ledger, lab.store, "counts", made(lab, pl.DataFrame({"n": [2]})), {})
    publish_derived(lab.ledger, lab.store, "counts", commit, {})  # the inputs went back
    with lab.ledger.read() as reader:
        assert reader.get(Ref, dataset="counts", name="main").commit == commit


def test_a_version_that_came_back_is_the_newest_again(lab) -> None:
    first, second = (made(lab, pl.DataFrame({"n": [n]})) for n in (1, 2))
    moments = []
    for commit in (first, second, first, first):
        publish_derived(lab.ledger, lab.store, "counts", commit, {})
        moments.append(utc_now())
    with lab.ledger.read() as reader:
        assert [version.commit for version in history(reader, "counts")] == [first, second]
        assert reader.get(Ref, dataset="counts", name="main").updated_at < moments[2]
    assert [found(lab, f"counts@{moment.isoformat()}") for moment in moments] == [first, second, first, first]
    assert found(lab, f"counts@{moments[0]:%Y-%m-%d}") == first


def test_the_lock_file_pins_datasets_and_heals(two) -> None:
    lab, _, second = two
    lab.datasets["flights"] = "{source: a.csv}"
    pin(lab.project, lab.ledger)
    path = lab.root / "penstock.lock"
    assert list(read_lock(path)) == ["flights"]
    assert read_lock(path)["flights"].commit == second
    third = put(lab, pl.DataFrame({"id": [3]}), expected=second)
    pin(lab.project, lab.ledger)
    assert read_lock(path)["flights"].commit == third


# --- diff ----------------------------------------------------------------------------------------

BEFORE = pl.DataFrame({"id": [1, 2, 3], "x": ["a", None, "c"]})


def difference(lab, after: pl.DataFrame, before: pl.DataFrame = BEFORE, key: tuple[str, ...] = ()):
    return diff(lab.store, made(lab, before), made(lab, after), key=key)


def test_rows_by_key(lab) -> None:
    after = pl.DataFrame({"id": [2, 3, 4], "x": ["b", "c", "d"]})
    found = difference(lab, after, key=("id",))
    assert (found.added, found.removed, found.changed, found.schema) == (1, 1, 1, ())
    assert not found.same


def test_whole_rows_without_a_key(lab) -> None:
    after = pl.DataFrame({"id": [3, 2, 4, 4], "x": ["c", None, "d", "d"]})
    found = difference(lab, after)
    assert (found.added, found.removed, found.changed) == (2, 1, 0)
    assert difference(lab, BEFORE.sample(fraction=1, shuffle=True, seed=7)).same


def test_the_key_that_it_was_ingested_with(flights) -> None:
    lab = flights("1,2,AA\n2,2,AA\n", settings=", key: id")
    first = lab.ingest("flights").commit
    lab.write("data/a.csv", "id,delay,carrier\n1,3,AA\n")
    found = diff(lab.store, first, lab.ingest("flights").commit)
    assert (found.key, found.added, found.removed, found.changed) == (("id",), 0, 1, 1)


def test_rows_that_share_a_key_are_not_matched_by_it(flights) -> None:
    lab = flights("1,2,AA\n1,3,AA\n1,4,AA\n2,2,AA\n")
    first = lab.ingest("flights").commit
    lab.datasets["flights"] = lab.datasets["flights"].replace("}", ", key: id}")
    lab.write("data/a.csv", "id,delay,carrier\n1,2,AA\n2,9,AA\n")
    second = lab.ingest("flights").commit
    found = diff(lab.store, first, second)
    assert (found.key, found.added, found.removed, found.changed) == ((), 1, 3, 0)
    with pytest.raises(UsageError, match="rows cannot be matched by id: some of them share it"):
        diff(lab.store, first, second, key=["id"])


def test_columns(lab) -> None:
    after = pl.DataFrame({"id": [1.0, 2.0, 3.0], "y": [1, 2, 3]})
    found = difference(lab, after, key=("id",))
    assert [(c["column"], c["change"]) for c in found.schema] == [
        ("id", "type changed"),
        ("x", "removed"),
        ("y", "added"),
    ]
    assert found.key == ()
    assert (found.added, found.removed) == (3, 3)


def test_shared_parts_are_not_read(lab) -> None:
    old = lab.store.write_table(BEFORE)
    new = lab.store.write_table(pl.DataFrame({"id": [4], "x": ["d"]}))
    before = lab.store.commit(Manifest(old.schema, old.parts))
    after = lab.store.commit(Manifest(old.schema, (*old.parts, *new.parts)))
    shared = lab.store.path(old.parts[0].digest)
    shared.chmod(0o644)
    shared.unlink()
    found = diff(lab.store, before, after, key=("id",))
    assert (found.parts_added, found.parts_removed, found.added, found.removed) == (1, 0, 1, 0)


def test_a_part_that_is_there_twice_counts_twice(lab) -> None:
    rows = lab.store.write_table(pl.DataFrame({"id": [1, 2, 3]}))
    once, twice = (lab.store.commit(Manifest(rows.schema, rows.parts * times)) for times in (1, 2))
    more, less = diff(lab.store, once, twice), diff(lab.store, twice, once)
    assert (more.rows_before, more.rows_after, more.added, more.parts_added, more.same) == (3, 6, 3, 1, False)
    assert (less.removed, less.parts_removed, less.same) == (3, 1, False)


@pytest.mark.parametrize("key", [(), ("rows",)])
def test_a_column_may_have_any_name(lab, key: tuple[str, ...]) -> None:
    before = pl.DataFrame({"rows": [1, 2], "n": [1, 1], "__before__": ["a", "b"], "n__after__": [0, 0]})
    after = before.with_columns(n=pl.Series([1, 5]))
    found = diff(lab.store, made(lab, before), made(lab, after), key=key)
    assert (found.added, found.removed, found.changed) == ((0, 0, 1) if key else (1, 1, 0))


def test_an_unknown_key_is_named(lab) -> None:
    commit = made(lab, pl.DataFrame({"id": [1]}))
    with pytest.raises(UsageError, match="unknown column 'ids'"):
        diff(lab.store, commit, commit, key=("ids",))


# --- what it costs, and what goes wrong ----------------------------------------------------------


def stored(lab) -> int:
    return sum(path.stat().st_size for path in (lab.root / ".penstock" / "store").rglob("*") if path.is_file())


def test_one_percent_more_rows_take_about_one_percent_more_bytes(lab) -> None:
    rows = pl.select(row=pl.int_range(200_000)).with_columns(
        **{f"x{n}": pl.col("row").hash(n) % 1_000_000 for n in range(6)}, name=pl.format("name {}", "row")
    )
    lab.datasets["flights"] = "{source: data/*.parquet, mode: append, key: row}"
    (lab.root / "data").mkdir()
    rows.write_parquet(lab.root / "data" / "a.parquet")
    lab.ingest("flights")
    first = stored(lab)
    rows.head(2_000).with_columns(row=pl.col("row") + 200_000).write_parquet(lab.root / "data" / "b.parquet")
    assert lab.ingest("flights").rows == 202_000
    assert stored(lab) - first < 0.015 * first


def test_a_damaged_or_missing_manifest_is_told_with_the_refs_that_point_to_it(flights) -> None:
    lab = flights("1,2,AA\n")
    commit = lab.ingest("flights").commit
    project = Project.open(lab.root, actor="ada")
    project.data.tag("flights", "v1")
    path = lab.store.blobs.location(commit)
    path.chmod(0o644)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for harm in ("damaged", "missing"):
        (damage,) = [one for one in project.data.verify() if one.digest == commit]
        assert harm in damage.why
        assert {"flights@main", "flights@v1"} <= set(damage.parts)
        path.unlink(missing_ok=True)
    path.write_bytes(whole)
    assert project.data.verify() == ()


PUBLISH = """
import sys
from pathlib import Path
import polars as pl
from penstock.data import head, publish, version_of
from penstock.errors import Conflict
from penstock.ledger import Ledger
from penstock.store import Manifest, Store

root, name = Path(sys.argv[1]), sys.argv[2]
ledger, store = Ledger.open(f"sqlite:///{root / '.penstock' / 'ledger.db'}"), Store.open(root / ".penstock" / "store")
made = 0
while made < 15:
    with ledger.read() as reader:
        before = head(reader, "flights")
    old = store.manifest(before.commit) if before else Manifest((), ())
    table = store.write_table(pl.DataFrame({"who": [name], "n": [made]}))
    manifest = Manifest(table.schema, (*old.parts, *table.parts), (before.commit,) if before else ())
    commit = store.commit(manifest)
    try:
        with ledger.write() as tx:
            publish(tx, version_of("flights", commit, manifest), expected=before.commit if before else None)
        made += 1
    except Conflict:
        pass
"""


def test_two_that_publish_to_one_ref_lose_nothing(lab) -> None:
    command = [sys.executable, "-c", PUBLISH, str(lab.root)]
    writers = [subprocess.Popen([*command, name]) for name in ("ada", "bob")]
    assert [writer.wait() for writer in writers] == [0, 0]
    with lab.ledger.read() as reader:
        moves = reader.find(RefMove, dataset="flights", name="main", order_by="number")
    assert [move.number for move in moves] == list(range(1, 31))
    for before, after in pairwise(moves):
        assert lab.store.manifest(after.commit).parents == (before.commit,)
    rows = lab.rows("flights").sort("who", "n")
    assert rows.rows() == [(who, n) for who in ("ada", "bob") for n in range(15)]


def test_distributions_of_two_versions(lab) -> None:
    rows = pl.select(x=pl.int_range(2_000)).with_columns(y=pl.col("x") % 7, name=pl.lit("a"), deep=pl.struct("x"))
    after = rows.with_columns(x=pl.col("x") + 1_000, name=pl.when(pl.col("y") < 3).then(pl.lit("b")).otherwise("name"))
    one, other = made(lab, rows), made(lab, after)
    found = diff(lab.store, one, other, distribution=True).shifts
    assert [(shift.column, shift.shifted) for shift in found][-1] == ("y", False)
    assert {shift.column: shift.shifted for shift in found} == {"x": True, "name": True, "y": False}
    assert {shift.column: shift.new for shift in found}["name"] == ("b",)
    assert [shift.drift.debiased for shift in found][:2] == sorted((s.drift.debiased for s in found[:2]), reverse=True)
    assert diff(lab.store, one, other).shifts == ()
    assert diff(lab.store, one, made(lab, rows.clear()), distribution=True).shifts == ()
