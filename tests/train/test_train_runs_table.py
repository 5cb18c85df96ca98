from datetime import datetime

import polars as pl
import pytest
from train.train_runs import START, add_run

from penstock.errors import UsageError
from penstock.ledger import Ledger
from penstock.train.runs import run_table


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.close()


@pytest.fixture
def runs(ledger):
    add_run(ledger, 1, params={"depth": 6, "kind": "gbdt"}, metrics={"auc": [0.5, 0.9, 0.8]}, data={"rows": "c1"})
    add_run(ledger, 2, params={"depth": "deep", "rate": 0.05}, metrics={"auc": 0.7, "loss": 2}, tags={"team": "core"})
    add_run(ledger, 3, status="running", finished_at=None, experiment="search", name="third")
    return ledger


def shown(ledger, *arguments, **options):
    with ledger.read() as reader:
        return run_table(reader, *arguments, **options)


def test_by_itself_a_page_shows_what_the_runs_have_of_what_matters(runs):
    found = shown(runs, favourites=["auc", "cost"])
    assert found.columns == ("number", "name", "status", "started", "duration", "experiment", "metrics.auc")
    assert found.rows[1] == (2, None, "finished", found[1].started_at, 2.0, None, 0.7)
    assert found.rows[0][1:] == ("third", "running", found[0].started_at, None, "search", None)


def test_what_no_run_of_the_page_has_is_not_shown(runs):
    assert shown(runs, "number < 3").columns == ("number", "status", "started", "duration")


def test_what_runs_are_sorted_by_is_shown(runs):
    found = shown(runs, sort="params.depth")
    assert found.columns[-1] == "params.depth"
    assert [row[-1] for row in found.rows] == [6]


def test_columns_are_what_was_asked_for(runs):
    found = shown(runs, "number <= 2", columns="max.auc,number,params.*,data.rows,tags.team")
    assert found.to_dicts() == [
        {
            "max.auc": 0.7, "number": 2, "params.depth": "deep", "params.kind": None, "params.rate": 0.05,
            "data.rows": None, "tags.team": "core",
        },
        {
            "max.auc": 0.9, "number": 1, "params.depth": 6, "params.kind": "gbdt", "params.rate": None,
            "data.rows": "c1", "tags.team": None,
        },
    ]  # fmt: skip


def test_pages_follow_one_another(runs):
    first, second = shown(runs, limit=2), shown(runs, limit=2, offset=2)
    assert [run.number for run in first] == [3, 2]
    assert ([run.number for run in second], first.more, second.more) == ([1], True, False)
    assert len(shown(runs, limit=None)) == 3


def test_the_frame_has_a_type_for_each_column(runs):
    frame = shown(runs, columns="number,started,duration,params.depth,params.rate,metrics.loss").frame()
    assert frame.schema == {
        "number": pl.Int64, "started": pl.Datetime("us", "UTC"), "duration": pl.Float64, "params.depth": pl.String,
        "params.rate": pl.Float64, "metrics.loss": pl.Float64,
    }  # fmt: skip
    assert frame["params.depth"].to_list() == [None, "deep", "6"]
    assert frame["started"][2] == datetime.fromisoformat("2026-05-02T12:00+00:00")
    assert frame["started"][0] > START


def test_a_frame_without_rows_has_the_columns(ledger):
    assert shown(ledger, columns="number,metrics.auc").frame().columns == ["number", "metrics.auc"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"where": "metrics.acu > 1"}, "no run has the metric 'acu' (did you mean 'auc'?)"),
        ({"where": "auc > 1"}, "unknown field 'auc' (did you mean 'metrics.auc'?)"),
        ({"where": "stat = 'x'"}, "unknown field 'stat' (did you mean 'status'?)"),
        ({"sort": "params.dept"}, "no run has the parameter 'dept' (did you mean 'depth'?)"),
        ({"columns": "number,metric.auc"}, "unknown kind of field 'metric' (did you mean 'metrics'?)"),
        ({"columns": "tags.tem", "where": "data.row = 'c'"}, "no run has the dataset 'row' (did you mean 'rows'?); "),
        ({"columns": "tags.tem", "where": "data.row = 'c'"}, "; no run has the tag 'tem' (did you mean 'team'?)"),
    ],
)
def test_names_that_no_run_has_are_told_at_once(runs, arguments, says):
    with pytest.raises(UsageError) as caught:
        shown(runs, **arguments)
    assert says in caught.value.what


def test_without_runs_every_name_may_come_to_be(ledger):
    assert len(shown(ledger, "metrics.auc > 0.7", sort="-params.depth")) == 0
