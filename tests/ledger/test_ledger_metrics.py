from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.ledger import Ledger, Metric, MetricPoint, Point, Run, add_points, curve, utc_now

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def start(transaction, identifier="r", number=1):
    known = dict.fromkeys(("status", "key", "function", "code", "environment"), "x")
    maps = {name: {} for name in ("params", "data", "features", "host")}
    rest = {"seed": 7, "git_commit": None, "patch": None, "pid": 1, "started_at": utc_now()}
    transaction.add(Run(id=identifier, number=number, **known, **maps, **rest))


def points(*values, name="loss", first=0):
    return [Point(name, value, step, NOW + timedelta(seconds=step)) for step, value in enumerate(values, first)]


def test_each_value_is_kept_and_the_summary_covers_all(ledger):
    with ledger.write() as transaction:
        start(transaction)
        add_points(transaction, "r", points(0.9, 0.4))
    with ledger.write() as transaction:
        add_points(transaction, "r", [*points(0.5, first=2), *points(7.0, name="rate")])

    with ledger.read() as reader:
        loss, rate = reader.find(Metric, run="r", order_by="name")
        kept = reader.find(MetricPoint, run="r", name="loss")
    assert loss == Metric("r", "loss", value=0.5, step=2, at=NOW + timedelta(seconds=2), low=0.4, high=0.9, n=3)
    assert rate.n == 1
    assert [(each.number, each.step, each.value) for each in kept] == [(1, 0, 0.9), (2, 1, 0.4), (3, 2, 0.5)]


def test_a_late_value_of_an_earlier_step_is_kept_but_is_not_the_newest(ledger):
    with ledger.write() as transaction:
        start(transaction)
        add_points(transaction, "r", [*points(0.3, first=5), *points(0.1, first=2), *points(0.2, first=5)])

    with ledger.read() as reader:
        newest = reader.get(Metric, run="r")
    assert (newest.value, newest.step, newest.low, newest.n) == (0.2, 5, 0.1, 3)


@pytest.mark.parametrize("odd", [nan, inf, -inf])
def test_a_value_that_is_no_finite_number_is_kept(ledger, odd):
    with ledger.write() as transaction:
        start(transaction)
        add_points(transaction, "r", points(odd))

    with ledger.read() as reader:
        assert repr(reader.get(MetricPoint).value) == repr(odd)


def test_numbers_cover_what_is_no_number(ledger):
    with ledger.write() as transaction:
        start(transaction)
        add_points(transaction, "r", points(nan, 2.0, nan, 1.0))

    with ledger.read() as reader:
        summary = reader.get(Metric)
    assert (summary.low, summary.high, summary.n) == (1.0, 2.0, 4)


@given(batches=st.lists(st.lists(st.floats(allow_nan=False), max_size=5), min_size=1, max_size=4))
def test_batches_and_one_go_give_the_same_summary(tmp_path_factory, batches):
    ledger = Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    values = points(*(value for batch in batches for value in batch))
    with ledger.write() as transaction:
        start(transaction)
        start(transaction, "whole", 2)
        add_points(transaction, "whole", values)
        at = 0
        for batch in batches:
            add_points(transaction, "r", values[at : at + len(batch)])
            at += len(batch)
        summaries = [each._replace(run="") for each in transaction.find(Metric)]
    ledger.close()
    assert len(summaries) == 2 * bool(values)
    assert len(set(summaries)) <= 1


def test_a_curve_has_evenly_chosen_values_and_the_last(ledger):
    with ledger.write() as transaction:
        start(transaction)
        add_points(transaction, "r", points(*map(float, range(10))))
    with ledger.read() as reader:
        (metric,) = reader.find(Metric, name="loss")
        drawn = {most: [point.step for point in curve(reader, metric, most=most)] for most in (3, 5, 10, 500)}
    assert drawn == {3: [0, 4, 8, 9], 5: [0, 2, 4, 6, 8, 9], 10: [*range(10)], 500: [*range(10)]}
