from datetime import timedelta

import pytest
from train.train_runs import START, add_run

from penstock.errors import UsageError
from penstock.ledger import Evaluation, Ledger, SealedBundle
from penstock.store import Store
from penstock.train.runs import leaderboard


@pytest.fixture
def place(tmp_path):
    return Ledger.open(f"sqlite:///{tmp_path}/ledger.db"), Store.open(tmp_path / "store")


def add_judged(place, number, value, *, holdout="h1", spread=0.05, slices=(), at=None, **fields):
    """A run with a bundle that was judged: its roc_auc, and per slice of `depot`."""
    ledger, store = place
    bundle = f"bundle-{number}"
    if at is None:
        add_run(ledger, number, metrics={"roc_auc": value}, bundle=bundle, **fields)
    record = {
        "data": {"rows": 100},
        "metrics": [{"metric": "roc_auc", "goal": "maximise", **interval(value, spread)}],
        "slices": [
            {
                "column": "depot",
                "groups": [
                    {"name": name, "n": 50, "metrics": {"roc_auc": interval(each, spread)}} for name, each in slices
                ],
            }
        ],
    }
    evaluation = Evaluation(
        f"evaluation-{number}-{at}", bundle, None, holdout, "o", "g", "PASS", store.put_json(record),
        at or START + timedelta(days=number),
    )  # fmt: skip
    with ledger.write() as transaction:
        if at is None:
            transaction.add(SealedBundle(bundle, f"run-{number}", "skops", 1, "p", "s", START))
        transaction.add(evaluation)


def interval(value, spread):
    ends = (None, None) if value is None else (value - spread, value + spread)
    return dict(zip(("value", "low", "high"), (value, *ends), strict=True))


def ranked(place, metric="roc_auc", **options):
    ledger, store = place
    with ledger.read() as reader:
        return leaderboard(reader, store, metric, **options)


def numbers(ranking):
    return [each.run.number for each in ranking.ranked]


def test_the_best_comes_first_and_whoever_may_be_as_good_is_told(place):
    for number, value in enumerate((0.70, 0.90, 0.87), 1):
        add_judged(place, number, value)
    (ranking,) = ranked(place)
    assert numbers(ranking) == [2, 3, 1]
    assert [each.as_good for each in ranking.ranked] == [False, True, False]
    assert (ranking.goal, ranking.rows, ranking.holdout, ranking.slice) == ("maximise", 100, "h1", "")
    assert ranking.ranked[0].low == pytest.approx(0.85)


def test_what_is_better_may_be_said(place):
    for number, value in enumerate((-0.3, 0.9, 0.2), 1):
        add_judged(place, number, value)
    assert numbers(ranked(place, goal="minimise")[0]) == [1, 3, 2]
    assert numbers(ranked(place, goal="zero")[0]) == [3, 1, 2]


def test_runs_judged_on_other_rows_stand_apart_the_newest_holdout_first(place):
    add_judged(place, 1, 0.9, holdout="h1")
    add_judged(place, 2, 0.7, holdout="h2")
    add_judged(place, 3, 0.8, holdout="h2")
    assert [(each.holdout, numbers(each)) for each in ranked(place)] == [("h2", [3, 2]), ("h1", [1])]


def test_the_newest_judgement_counts(place):
    add_judged(place, 1, 0.9)
    add_judged(place, 2, 0.8)
    add_judged(place, 1, 0.6, at=START + timedelta(days=9))
    assert numbers(ranked(place)[0]) == [2, 1]


def test_a_ranking_is_as_long_as_asked_for_and_says_how_many_there_are(place):
    for number in range(1, 6):
        add_judged(place, number, number / 10)
    (ranking,) = ranked(place, limit=2)
    assert (numbers(ranking), ranking.runs) == ([5, 4], 5)


def test_runs_that_fit_a_filter(place):
    add_judged(place, 1, 0.9, experiment="a")
    add_judged(place, 2, 0.8, experiment="b")
    assert numbers(ranked(place, where="experiment = 'b'")[0]) == [2]
    with pytest.raises(UsageError, match="no run that fits"):
        ranked(place, where="experiment = 'c'")


def test_each_slice_has_its_own_ranking(place):
    add_judged(place, 1, 0.9, slices=[("north", 0.95), ("south", 0.6)])
    add_judged(place, 2, 0.8, slices=[("north", 0.7), ("south", 0.8), ("west", None)])
    found = {each.slice: (numbers(each), each.rows) for each in ranked(place, by="depot") if each.ranked}
    assert found == {"depot = north": ([1, 2], 50), "depot = south": ([2, 1], 50)}
    assert [numbers(each) for each in ranked(place, by="depot=south")] == [[2, 1]]


def test_runs_that_nobody_judged_come_last_by_what_they_told(place):
    ledger, _ = place
    add_judged(place, 1, 0.6)
    for number, value in ((2, 0.7), (3, 0.9)):
        add_run(ledger, number, metrics={"roc_auc": value}, kind="tracked")
    judged, told = ranked(place)
    assert (numbers(judged), numbers(told)) == ([1], [3, 2])
    assert (told.holdout, told.rows, told.ranked[0].low) == ("", None, None)


def test_what_no_evaluation_knows_is_ranked_by_what_the_runs_told(place):
    ledger, _ = place
    add_judged(place, 1, 0.6)
    add_run(ledger, 2, metrics={"loss": [3.0, 2.0]})
    add_run(ledger, 3, metrics={"loss": [3.0, float("nan")]})
    add_run(ledger, 4, metrics={"loss": 1.0})
    (told,) = ranked(place, "loss", goal="minimise")
    assert numbers(told) == [4, 2]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"metric": "roc_acu"}, "did you mean 'roc_auc'"),
        ({"by": "depo"}, "did you mean 'depot'"),
        ({"by": "depot=nort"}, "did you mean 'north'"),
        ({"goal": "more"}, "goal 'more'"),
        ({"metric": "seconds"}, "whether more or less of seconds is better is not known"),
        ({"where": "metrics.nothing > 1"}, "no run has the metric 'nothing'"),
    ],
)
def test_what_cannot_be_ranked_says_why(place, options, says):
    add_judged(place, 1, 0.9, slices=[("north", 0.9)])
    add_run(place[0], 2, metrics={"seconds": 3.0})
    with pytest.raises(UsageError, match=says):
        ranked(place, **{"metric": "roc_auc", **options})


def test_without_a_run_it_says_how_to_get_one(place):
    with pytest.raises(UsageError) as caught:
        ranked(place)
    assert caught.value.hint == "penstock run"
