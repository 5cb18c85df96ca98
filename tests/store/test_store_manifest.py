import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import penstock.store
from penstock.digest import canonical_json, digest_value
from penstock.errors import Damaged
from penstock.store import Manifest, Part

DIGESTS = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
PARTS = st.lists(st.builds(Part, DIGESTS, st.integers(0, 9), st.integers(0, 9)), max_size=5)
SCHEMAS = st.lists(st.tuples(st.text(max_size=3), st.sampled_from(["Int64", "String"])), max_size=3).map(tuple)
JSON = st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text(max_size=3), max_size=3)
MANIFESTS = st.builds(Manifest, SCHEMAS, PARTS.map(tuple), st.lists(DIGESTS, max_size=2).map(tuple), st.text(), JSON)


@given(MANIFESTS)
def test_json_gives_the_same_manifest_back(manifest):
    text = canonical_json(manifest.as_json())
    assert Manifest.from_json(json.loads(text), commit="0" * 64) == manifest


@given(MANIFESTS, st.randoms())
def test_content_ignores_history_and_the_order_of_parts(manifest, chance):
    parts = list(manifest.parts)
    chance.shuffle(parts)
    other = Manifest(manifest.schema, tuple(parts), parents=("f" * 64,), producer="other", notes={"x": 1})
    assert other.content == manifest.content
    assert other.schema_digest == manifest.schema_digest
    assert digest_value(other.as_json()) != digest_value(manifest.as_json())


@given(MANIFESTS, DIGESTS)
def test_content_changes_with_the_parts_and_with_the_schema(manifest, digest):
    more = Manifest(manifest.schema, (*manifest.parts, Part(digest, 1, 1)))
    wider = Manifest((*manifest.schema, ("new", "Int64")), manifest.parts)
    assert len({manifest.content, more.content, wider.content}) == 3


def test_rows_and_bytes_are_those_of_all_parts():
    manifest = Manifest((("a", "Int64"),), (Part("a" * 64, 3, 100), Part("b" * 64, 2, 50)))
    assert (manifest.rows, manifest.bytes) == (5, 150)


def test_identities_of_a_known_manifest_never_change():
    """A change here would give all data that anybody pinned another name."""
    parts = (Part("a" * 64, 3, 100, {"x": {"nulls": 0, "min": 1, "max": 3}}), Part("b" * 64, 2, 50))
    manifest = Manifest((("x", "Int64"),), parts, parents=("c" * 64,), producer="ingest", notes={"dataset": "é"})
    assert manifest.schema_digest == "2d189acbec59338291c1755f7b4caaf29fe725293d53d42169c66f6d2c06ead5"
    assert manifest.content == "0fffa8d4c5f96a85dfa9bd9df9cc30167ad465c931ad1bec08d88b7b41cfbfd6"
    assert digest_value(manifest.as_json()) == "b4d512ac441193efbad25b5f227a6b7935ebbe3b4c1639be0e64e6b698616d25"


def test_a_part_is_placed_for_people():
    parts = (Part("a" * 64, 3, 100), Part("b" * 64, 2, 50))
    assert (
        Manifest((), parts, notes={"dataset": "flights"}).place(1, "c0ffee") == "part 2 of 2 of flights (commit c0ffee)"
    )
    assert Manifest((), parts, producer="ingest").place(0) == "part 1 of 2 of ingest"


@pytest.mark.parametrize("value", [None, [], {}, {"format": "penstock.table/99"}, "text"])
def test_what_is_no_manifest_is_refused(value):
    with pytest.raises(Damaged, match="not a table's manifest"):
        Manifest.from_json(value, commit="0" * 64)


def test_the_door_is_sorted_and_documented():
    assert penstock.store.__all__ == sorted(penstock.store.__all__)
    assert all(getattr(penstock.store, name).__doc__ for name in penstock.store.__all__)
