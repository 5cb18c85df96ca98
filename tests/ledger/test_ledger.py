import math
import threading
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import Conflict, PenstockError, UsageError
from penstock.ledger import (
    Alert,
    AuditEntry,
    Cursor,
    Edge,
    Execution,
    Ledger,
    Metric,
    Param,
    Ref,
    Run,
    Version,
    node,
    utc_now,
)

NOW = datetime(2013, 4, 1, 12, 30, 15, 123456, tzinfo=UTC)
EACH_EXAMPLE_ON_ITS_OWN_KEY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def execution(key="k", **fields):
    return Execution(
        **{"key": key, "step": "train", "inputs": {}, "outputs": {}, "seconds": 1.5, "finished_at": NOW} | fields
    )


def run(number, **fields):
    known = dict.fromkeys(("status", "key", "function", "code", "environment"), "x")
    maps = {name: {} for name in ("params", "data", "features", "host")}
    rest = {"seed": 7, "git_commit": None, "patch": None, "pid": 1, "started_at": NOW}
    return Run(**{"id": f"run-{number}", "number": number, **known, **maps, **rest} | fields)


AUC = Metric("run-1", "auc", value=0.7, step=0, at=NOW, low=0.6, high=0.8, n=3)


def version(commit, dataset="flights"):
    return Version(commit, dataset, "content", "schema", 3, 100, "producer", NOW)


def test_what_is_added_is_found_again(ledger):
    record = execution(inputs={"data": ["a", "b"], "n": 3, "rate": 100.0}, outputs={"bundle": None})
    with ledger.write() as transaction:
        transaction.add(record)
    with ledger.read() as reader:
        assert reader.get(Execution, key="k") == record
        assert reader.get(Execution, key="other") is None


def test_every_table_takes_its_record_back(ledger):
    optional = run(1, finished_at=None, bundle="b", error="line 1\nline 2")
    edge = Edge(node("data", "a"), node("run", "1"), "train", at=NOW)
    with ledger.write() as transaction:
        transaction.add(optional, version("c1"), edge, AUC, Param("run-1", "depth", "6"))
    with ledger.read() as reader:
        assert reader.find(Run) == [optional]
        assert reader.find(Edge) == [edge]
        assert reader.get(Metric, run="run-1", name="auc") == AUC


@EACH_EXAMPLE_ON_ITS_OWN_KEY
@given(moment=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])), value=JSON)
def test_times_and_documents_come_back_exactly(ledger, moment, value):
    with ledger.write() as transaction:
        transaction.put(execution(inputs={"value": value}, finished_at=moment))
        found = transaction.get(Execution, key="k")
    assert found.finished_at == moment
    assert found.finished_at.tzinfo is UTC
    assert found.inputs == {"value": value}


@EACH_EXAMPLE_ON_ITS_OWN_KEY
@given(st.floats() | st.sampled_from([math.nan, math.inf, -0.0, 5e-324]))
def test_every_number_comes_back(ledger, number):
    with ledger.write() as transaction:
        transaction.put(execution(seconds=number))
        found = transaction.get(Execution, key="k").seconds
    assert found == number or (math.isnan(found) and math.isnan(number))


def test_numpy_numbers_are_numbers(ledger):
    with ledger.write() as transaction:
        transaction.add(version("c")._replace(rows=np.int64(12)), execution(seconds=np.float32(0.5)))
        assert transaction.get(Version, commit="c").rows == 12
        assert transaction.get(Execution, key="k").seconds == 0.5


def test_text_that_a_database_cannot_hold_is_made_readable(ledger):
    with ledger.write() as transaction:
        transaction.add(run(1, error="nul \0 and surrogate \udc80"))
        assert transaction.get(Run, number=1).error == "nul \ufffd and surrogate \ufffd"


@pytest.mark.parametrize(
    "fields",
    [
        {"seconds": "fast"},
        {"step": 3},
        {"step": None},
        {"finished_at": datetime(2013, 1, 1)},
        {"inputs": {"x": object}},
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_refused_on_every_database(ledger, fields):
    with pytest.raises(UsageError, match=next(iter(fields))), ledger.write() as transaction:
        transaction.add(execution(**fields))


def test_find_by_equality_list_and_none_in_an_order(ledger):
    with ledger.write() as transaction:
        transaction.add(*(run(n, status="failed" if n % 2 else "finished", finished_at=NOW) for n in range(1, 5)))
        transaction.add(run(5, finished_at=None))
    with ledger.read() as reader:
        assert [r.number for r in reader.find(Run, order_by="-number", limit=2)] == [5, 4]
        assert [r.number for r in reader.find(Run, status="failed", order_by="number")] == [1, 3]
        assert [r.number for r in reader.find(Run, number=[4, 2], order_by="number")] == [2, 4]
        assert [r.number for r in reader.find(Run, number=())] == []
        assert [r.number for r in reader.find(Run, finished_at=None)] == [5]
        assert [r.number for r in reader.find(Run, order_by="finished_at")][-1] == 5
        assert [r.number for r in reader.find(Run, order_by="-finished_at")][-1] == 5
        assert reader.find(Run, started_at=NOW.astimezone(timezone(timedelta(hours=-4))), limit=1)
        assert reader.count(Run) == 5
        assert reader.count(Run, status="finished") == 2


def test_text_sorts_by_code_point_everywhere(ledger):
    names = ["b", "A", "a", "B", "é", "_", "Z", "10", "9"]
    with ledger.write() as transaction:
        transaction.add(*(execution(name) for name in names))
    with ledger.read() as reader:
        assert [e.key for e in reader.find(Execution)] == sorted(names)


def test_a_prefix_finds_what_it_shortens(ledger):
    with ledger.write() as transaction:
        transaction.add(*(execution(key) for key in ["ab1", "ab2", "aB3", "b_4", "b%5"]))
    with ledger.read() as reader:
        assert [e.key for e in reader.starting(Execution, "key", "ab")] == ["ab1", "ab2"]
        assert [e.key for e in reader.starting(Execution, "key", "ab1")] == ["ab1"]
        assert [e.key for e in reader.starting(Execution, "key", "b_")] == ["b_4"]
        assert reader.starting(Execution, "key", "c") == []


def test_unknown_names_are_answered_with_the_closest(ledger):
    with ledger.read() as reader:
        with pytest.raises(UsageError, match="did you mean 'status'"):
            reader.find(Run, staus="running")
        with pytest.raises(UsageError, match="did you mean 'number'"):
            reader.find(Run, order_by="-numbr")
        with pytest.raises(UsageError, match="unknown ledger record 'dict'"):
            reader.find(dict)


def test_get_of_something_ambiguous_is_an_error(ledger):
    with ledger.write() as transaction:
        transaction.add(execution("a"), execution("b"))
    with ledger.read() as reader, pytest.raises(UsageError, match="more than one Execution"):
        reader.get(Execution, step="train")


def test_adding_twice_is_a_conflict_and_undoes_the_decision(ledger):
    with ledger.write() as transaction:
        transaction.add(execution("a"))
    with pytest.raises(Conflict), ledger.write() as transaction:
        transaction.add(execution("b"), execution("a"))
    with ledger.read() as reader:
        assert [e.key for e in reader.find(Execution)] == ["a"]


def test_a_conflict_that_is_swallowed_still_undoes_the_decision(ledger):
    def swallow(transaction):
        transaction.add(execution("a"))
        for attempt in (lambda: transaction.add(execution("a")), lambda: transaction.find(Execution)):
            with pytest.raises(Conflict):
                attempt()

    with pytest.raises(Conflict), ledger.write() as transaction:
        swallow(transaction)
    with ledger.read() as reader:
        assert reader.count(Execution) == 0


def test_put_replaces_by_key(ledger):
    with ledger.write() as transaction:
        transaction.add(run(1), AUC)
        transaction.put(run(1, status="finished"), Cursor("log", {"at": 3}, NOW))
    with ledger.read() as reader:
        assert reader.get(Run, id="run-1").status == "finished"
        assert reader.count(Metric) == 1
        assert reader.get(Cursor, name="log").position == {"at": 3}


def test_change_is_compare_and_set(ledger):
    with ledger.write() as transaction:
        transaction.add(version("c1"), version("c2"), Ref("flights", "main", "branch", "c1", NOW))
    key = {"dataset": "flights", "name": "main"}
    with ledger.write() as transaction:
        assert transaction.change(Ref, key, expect={"commit": "c1"}, commit="c2")
        assert not transaction.change(Ref, key, expect={"commit": "c1"}, commit="c3")
        assert not transaction.change(Ref, {**key, "name": "gone"}, commit="c3")
    with ledger.read() as reader:
        assert reader.get(Ref, **key).commit == "c2"


def test_change_can_expect_a_document(ledger):
    with ledger.write() as transaction:
        transaction.add(Cursor("log", {"file": "b", "at": 1.5}, NOW))
        read = transaction.get(Cursor, name="log").position
        assert transaction.change(Cursor, {"name": "log"}, expect={"position": read}, position={"file": "c", "at": 0})
        assert not transaction.change(Cursor, {"name": "log"}, expect={"position": read}, position={})


def test_change_can_expect_nothing_to_be_there(ledger):
    with ledger.write() as transaction:
        transaction.add(run(1))
        assert transaction.change(Run, {"id": "run-1"}, expect={"finished_at": None}, finished_at=NOW, status="killed")
        assert not transaction.change(Run, {"id": "run-1"}, expect={"finished_at": None}, status="finished")


def test_a_record_needs_its_parent_when_the_decision_ends(ledger):
    with ledger.write() as transaction:
        transaction.add(AUC)
        transaction.add(run(1))
    with pytest.raises(UsageError, match="does not hold"), ledger.write() as transaction:
        transaction.add(AUC._replace(run="run-2"))
    with ledger.read() as reader:
        assert reader.count(Metric) == 1


def test_one_open_alert_per_rule_and_subject(ledger):
    alert = Alert("1", "e", "auc", "", "page", "firing", 0.6, 0.62, "low", NOW, NOW, NOW)
    with ledger.write() as transaction:
        transaction.add(alert, alert._replace(id="2", state="resolved"), alert._replace(id="3", subject="UA"))
    with pytest.raises(Conflict), ledger.write() as transaction:
        transaction.add(alert._replace(id="4"))


def test_an_error_in_the_block_undoes_all_of_it(ledger):
    def crash(transaction):
        transaction.add(execution("a"))
        raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"), ledger.write() as transaction:
        crash(transaction)
    with ledger.read() as reader:
        assert reader.count(Execution) == 0


def test_links_are_idempotent(ledger):
    for _ in range(2):
        with ledger.write() as transaction:
            transaction.link("data:a", "run:1", "train")
            transaction.link("data:a", "run:1", "train")
            transaction.link("data:a", "run:1", "holdout")
    with ledger.read() as reader:
        assert reader.count(Edge) == 2


def test_a_reader_sees_one_moment(ledger):
    with ledger.read() as reader:
        assert reader.count(Execution) == 0
        with ledger.write() as transaction:
            transaction.add(execution("a"))
        assert reader.count(Execution) == 0
    with ledger.read() as reader:
        assert reader.count(Execution) == 1


def test_a_reader_ends_with_its_block(ledger):
    with ledger.read() as reader:
        pass
    with ledger.write() as transaction:
        pass
    for ended in (reader, transaction):
        with pytest.raises(UsageError, match="block has ended"):
            ended.find(Execution)


def test_a_write_inside_a_write_is_refused_instead_of_waiting_for_itself(ledger):
    with ledger.write() as outer:
        with pytest.raises(UsageError, match="inside a write"), ledger.write():
            pass
        outer.add(execution("a"))
    with ledger.write() as transaction:
        transaction.add(execution("b"))


def test_threads_share_a_ledger_and_take_turns(ledger):
    def count_up():
        for _ in range(5):
            with ledger.write() as transaction:
                position = transaction.get(Cursor, name="n")
                transaction.put(Cursor("n", {"n": position.position["n"] + 1 if position else 1}, utc_now()))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.read() as reader:
        assert reader.get(Cursor, name="n").position == {"n": 20}


def test_audit_entries_cannot_be_written_by_hand(ledger):
    entry = AuditEntry(1, NOW, "me", "promote", "m", "", {}, "", "d", "k", "s")
    for write in (
        lambda t: t.add(entry),
        lambda t: t.put(entry),
        lambda t: t.change(AuditEntry, {"seq": 1}, reason=""),
    ):
        with pytest.raises(UsageError, match="appended"), ledger.write() as transaction:
            write(transaction)


def test_now_is_utc(ledger):
    with ledger.read() as reader:
        assert abs(reader.now() - utc_now()) < timedelta(minutes=1)
        assert reader.now().tzinfo is UTC


def test_a_ledger_that_is_no_database_is_said_to_be_damaged(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(PenstockError, match="not a whole SQLite database"):
        Ledger.open(f"sqlite:///{tmp_path}/ledger.db")


@pytest.mark.parametrize("wrong", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "ledger.db"])
def test_a_url_that_means_no_ledger_is_refused(wrong):
    with pytest.raises(UsageError, match="ledger"):
        Ledger.open(wrong)


def test_records_that_fit_are_removed(ledger):
    with ledger.write() as transaction:
        transaction.put(*(Cursor(name, {}, utc_now()) for name in ("a", "b")))
        assert transaction.remove(Cursor, name="a") == 1
        with pytest.raises(UsageError, match="every Cursor"):
            transaction.remove(Cursor)
    with ledger.read() as reader:
        assert [cursor.name for cursor in reader.find(Cursor)] == ["b"]
