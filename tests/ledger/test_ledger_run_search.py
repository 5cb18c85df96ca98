import operator
from datetime import UTC, datetime, timedelta
from math import isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.ledger import (
    All,
    AnyOf,
    Comparison,
    Ledger,
    Metric,
    Not,
    Param,
    Point,
    Run,
    Sort,
    Tag,
    add_points,
    count_runs,
    find_runs,
    has_name,
    names_of,
    node,
    run_search,
    values_of,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
AUCS = [0.5, 0.7, nan, 0.7, None, 0.9]  # of runs 1 to 6; None: never logged
DEPTHS = ["3", "6", "6", "deep", None, "10"]
TEAMS = ["growth", "Growth", "core", None, "core", "50%"]


def record(transaction, number):
    known = dict.fromkeys(("key", "code", "environment"), "x")
    maps = {name: {} for name in ("params", "features", "host")}
    transaction.add(
        Run(
            id=f"run-{number}", number=number, status="failed" if number == 3 else "finished", function="pipeline:fit",
            data={"flights": f"c{number % 2}"}, seed=7, git_commit=None, patch=None, pid=1,
            started_at=NOW + timedelta(days=number), **known, **maps,
            finished_at=None if number == 6 else NOW + timedelta(days=number, milliseconds=1500 * number),
        )
    )  # fmt: skip
    transaction.link(node("data", f"c{number % 2}abc"), node("run", f"run-{number}"), "flights")


@pytest.fixture
def runs(ledger):
    with ledger.write() as transaction:
        for number, (auc, depth, team) in enumerate(zip(AUCS, DEPTHS, TEAMS, strict=True), 1):
            record(transaction, number)
            if auc is not None:
                add_points(transaction, f"run-{number}", [Point("auc", 0.1, 0, NOW), Point("auc", auc, 1, NOW)])
            if depth is not None:
                is_number = depth.isdigit()
                transaction.add(Param(f"run-{number}", "depth", depth, float(depth) if is_number else None))
            if team is not None:
                transaction.add(Tag(f"run-{number}", "team", team))
    return ledger


def found(ledger, condition, **options):
    with ledger.read() as reader:
        numbers = [run.number for run in find_runs(reader, condition, **options)]
        assert count_runs(reader, condition) >= len(numbers)
    return numbers


def test_without_a_condition_every_run_is_found_the_newest_first(runs):
    assert found(runs, All()) == [6, 5, 4, 3, 2, 1]
    assert found(runs, All(), limit=2, offset=1) == [5, 4]


@pytest.mark.parametrize(
    ("comparison", "numbers"),
    [
        (("metrics", "auc", ">", 0.6), {2, 4, 6}),
        (("metrics", "auc", "!=", 0.7), {1, 6}),
        (("metrics", "auc", "in", (0.5, 0.9)), {1, 6}),
        (("min", "auc", "<", 0.2), {1, 2, 3, 4, 6}),
        (("max", "auc", ">=", 0.9), {6}),
        (("metrics", "loss", ">", 0), set()),
        (("params", "depth", "<=", 6), {1, 2, 3}),
        (("params", "depth", "=", "deep"), {4}),
        (("params", "depth", "=", "10"), {6}),
        (("params", "depth", "!=", 6), {1, 6}),
        (("tags", "team", "=", "core"), {3, 5}),
        (("tags", "team", "like", "grow%"), {1, 2}),
        (("tags", "team", "like", "50\\%"), {6}),
        (("tags", "team", "in", ("core", "50%")), {3, 5, 6}),
        (("data", "flights", "=", "c1"), {1, 3, 5}),
        (("data", "flights", "!=", "c1"), {2, 4, 6}),
        (("data", "weather", "=", "c1"), set()),
        (("", "status", "=", "failed"), {3}),
        (("", "started", ">", NOW + timedelta(days=4)), {5, 6}),
        (("", "number", "in", (1, 2)), {1, 2}),
        (("", "duration", ">", 3.001), {3, 4, 5}),
        (("", "duration", "<=", 1.6), {1}),
    ],
)
def test_one_comparison(runs, comparison, numbers):
    assert set(found(runs, Comparison(*comparison))) == numbers


def test_the_names_that_runs_have(runs):
    with runs.read() as reader:
        assert names_of(reader, "metrics") == names_of(reader, "min") == ["auc"]
        assert (names_of(reader, "tags"), names_of(reader, "data")) == (["team"], ["flights"])
        assert [has_name(reader, "params", name) for name in ("depth", "dept")] == [True, False]


def test_many_names_are_found_sorted(ledger):
    names = [f"{letter}{number}" for letter in "bZa" for number in range(30)]
    with ledger.write() as transaction:
        assert names_of(transaction, "metrics") == []
        record(transaction, 1)
        add_points(transaction, "run-1", [Point(name, 1, 0, NOW) for name in names])
        assert names_of(transaction, "metrics") == sorted(names)


def test_comparisons_are_combined(runs):
    good, deep = Comparison("metrics", "auc", ">", 0.6), Comparison("params", "depth", "=", "deep")
    assert found(runs, All((good, Not(deep)))) == [6, 2]
    assert found(runs, AnyOf((deep, Comparison("", "number", "=", 1)))) == [4, 1]
    assert found(runs, AnyOf(())) == []


def test_runs_are_sorted_by_what_they_have(runs):
    assert found(runs, All(), sort=Sort("metrics", "auc", falling=False)) == [1, 2, 4, 6]
    assert found(runs, All(), sort=Sort("metrics", "auc")) == [6, 4, 2, 1]  # of run 3 it is no number
    assert found(runs, All(), sort=Sort("params", "depth")) == [6, 3, 2, 1]  # of run 4 it is no number
    assert found(runs, All(), sort=Sort("tags", "team"))[-1] == 6
    assert found(runs, Comparison("", "number", "<", 4), sort=Sort("", "started", falling=False)) == [1, 2, 3]
    assert found(runs, All(), sort=Sort("", "duration")) == [5, 4, 3, 2, 1, 6]


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        (Comparison("metric", "auc", ">", 1), "metric"),
        (Comparison("", "state", "=", "x"), "state"),
        (Comparison("metrics", "auc", "like", "x"), "expected: a number"),
        (Comparison("metrics", "auc", "=", "high"), "expected: a number"),
        (Comparison("params", "depth", "~", 1), "~"),
        (Comparison("", "duration", "like", "1%"), "duration is compared"),
        (Comparison("data", "flights", "<", "c"), "beginning of a commit"),
    ],
)
def test_what_cannot_be_asked_says_what_can(runs, condition, says):
    with pytest.raises(UsageError, match=says):
        found(runs, condition)


def test_the_values_of_a_page_come_by_run(runs):
    with runs.read() as reader:
        page = find_runs(reader, limit=2)
        metrics, tags = (values_of(reader, kind, page) for kind in (Metric, Tag))
    assert [each.value for each in metrics["run-6"]] == [0.9]
    assert metrics["run-5"] == []
    assert tags["run-5"] == [Tag("run-5", "team", "core")]


COMPARISONS = st.one_of(
    st.builds(
        Comparison, st.sampled_from(["metrics", "params"]), st.sampled_from(["a", "b"]),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.integers(0, 3),
    ),
    st.builds(Comparison, st.just(""), st.just("number"), st.sampled_from(["=", "<", ">="]), st.integers(0, 4)),
)  # fmt: skip
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
SOME = st.one_of(st.none(), st.integers(0, 3), st.just(nan))
HOLDS = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def holds(condition, run):
    """The same question, asked of plain values."""
    match condition:
        case Comparison(place, name, word, value):
            known = run["number"] if place == "" else run[place].get(name)
            return known is not None and not isnan(known) and HOLDS[word](known, value)
        case Not(part):
            return not holds(part, run)
        case All(parts):
            return all(holds(part, run) for part in parts)
        case AnyOf(parts):
            return any(holds(part, run) for part in parts)


@settings(max_examples=60, deadline=None)
@given(
    condition=CONDITIONS,
    values=st.lists(st.fixed_dictionaries({"a": SOME, "b": SOME}), min_size=1, max_size=4),
)
def test_the_database_and_plain_python_agree(tmp_path_factory, condition, values):
    ledger = Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    plain = []
    with ledger.write() as transaction:
        for number, each in enumerate(values, 1):
            record(transaction, number)
            known = {name: value for name, value in each.items() if value is not None}
            add_points(transaction, f"run-{number}", [Point(name, value, 0, NOW) for name, value in known.items()])
            numbers = {name: value for name, value in known.items() if not isnan(value)}
            transaction.add(*(Param(f"run-{number}", name, str(value), value) for name, value in numbers.items()))
            plain.append({"number": number, "metrics": known, "params": numbers})

    fit = [run for run in plain if holds(condition, run)]
    for few in (run_search.FEW, 0):  # from the runs that an index finds, and by walking all of them
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run_search, "FEW", few)
            assert found(ledger, condition) == [run["number"] for run in reversed(fit)]
            for place in ("metrics", "params"):
                in_order = sorted((run for run in fit if not isnan(run[place].get("a", nan))), key=by(place))
                assert found(ledger, condition, sort=Sort(place, "a", falling=False)) == numbers_of(in_order)
    ledger.close()


def by(place):
    return lambda run: (run[place]["a"], run["number"])


def numbers_of(runs):
    return [run["number"] for run in runs]
