import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.ledger import Edge, trace

LOOP = [
    ("data:flights", "run:1"),
    ("code:c", "run:1"),
    ("run:1", "bundle:b"),
    ("bundle:b", "model:m@1"),
    ("model:m@1", "prediction:p"),
    ("data:flights", "run:2"),
    ("run:2", "bundle:b2"),
]


def graph(ledger, pairs):
    with ledger.write() as transaction:
        for source, target in pairs:
            transaction.link(source, target, "made")


def ends(edges):
    return {(edge.source, edge.target) for edge in edges}


def test_upstream_of_a_prediction_is_what_it_came_from(ledger):
    graph(ledger, LOOP)
    with ledger.read() as reader:
        found = trace(reader, "prediction:p")
    assert ends(found.upstream) == set(LOOP[:5])
    assert found.downstream == ()
    assert found.nodes[0] == "prediction:p"
    assert set(found.nodes) == {"prediction:p", "model:m@1", "bundle:b", "run:1", "code:c", "data:flights"}
    assert not found.truncated


def test_downstream_of_data_is_what_was_made_of_them(ledger):
    graph(ledger, LOOP)
    with ledger.read() as reader:
        found = trace(reader, "data:flights")
    assert ends(found.downstream) == set(LOOP) - {("code:c", "run:1")}
    assert found.upstream == ()


def test_both_directions_are_kept_apart(ledger):
    graph(ledger, LOOP)
    with ledger.read() as reader:
        found = trace(reader, "run:1")
        assert ends(found.upstream) == set(LOOP[:2])
        assert ends(found.downstream) == set(LOOP[2:5])
        assert ends(found.edges) == set(LOOP[:5])
        assert trace(reader, "run:1", up=False).upstream == ()
        assert trace(reader, "run:1", down=False).downstream == ()


def test_circles_end(ledger):
    graph(ledger, [("data:1", "run:1"), ("run:1", "data:2"), ("data:2", "data:1"), ("data:1", "data:1")])
    with ledger.read() as reader:
        found = trace(reader, "run:1")
    assert len(found.upstream) == len(found.downstream) == 4
    assert set(found.nodes) == {"data:1", "run:1", "data:2"}


def test_a_node_without_edges_is_alone(ledger):
    with ledger.read() as reader:
        found = trace(reader, "run:nobody")
    assert (found.nodes, found.edges, found.truncated) == (("run:nobody",), (), False)


@pytest.mark.parametrize(("limit", "truncated"), [(4, True), (5, False), (6, False)])
def test_a_limit_says_that_there_is_more(ledger, limit, truncated):
    graph(ledger, [("data:1", f"run:{n}") for n in range(5)])
    with ledger.read() as reader:
        found = trace(reader, "data:1", limit=limit)
    assert len(found.downstream) == min(limit, 5)
    assert found.truncated is truncated


def test_near_comes_before_far(ledger):
    graph(ledger, [(f"data:{n}", f"data:{n + 1}") for n in range(30)])
    with ledger.read() as reader:
        assert [edge.target for edge in trace(reader, "data:0", limit=3).downstream] == ["data:1", "data:2", "data:3"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_a_walk_finds_what_reachability_says(ledger, pairs):
    named = {(f"data:{a}", f"data:{b}") for a, b in pairs}
    with ledger.write() as transaction:
        for edge in transaction.find(Edge):
            transaction.session.change("DELETE FROM edges WHERE source = ?", [edge.source])
        for source, target in named:
            transaction.link(source, target, "made")
        found = trace(transaction, "data:0")
    assert ends(found.downstream) == reached(named, "data:0")
    turned = {(target, source) for source, target in named}
    assert ends(found.upstream) == {(a, b) for b, a in reached(turned, "data:0")}


def reached(pairs, start):
    seen, todo = set(), [start]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += [target for source, target in pairs if source == here]
    return {(source, target) for source, target in pairs if source in seen}
