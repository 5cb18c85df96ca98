import pytest
from train.train_runs import add_run

from penstock.errors import UsageError
from penstock.ledger import Ledger
from penstock.report import Heading, Plot, Table, Text
from penstock.train.runs import runs_report


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    for number, kind in enumerate(("tree", "line", "tree"), 1):
        lines = {"auc": number / 10, "loss": [3.0, float(number)], "system.memory_mb": [1.0, 2.0]}
        add_run(opened, number, params={"depth": number, "kind": kind, "same": 1}, metrics=lines)
    return opened


def report(ledger, *arguments, **options):
    with ledger.read() as reader:
        return runs_report(reader, *arguments, **options)


def plots(page):
    return {block.caption: block.picture for block in page.blocks if isinstance(block, Plot)}


def test_a_line_for_each_run_across_what_differs(ledger):
    (lines,) = next(iter(plots(report(ledger, favourites=["auc"])).values()))["data"]
    assert [axis["label"] for axis in lines["dimensions"]] == ["depth", "kind", "auc"]
    assert lines["dimensions"][0]["values"] == [3, 2, 1]
    assert (lines["dimensions"][1]["ticktext"], lines["dimensions"][1]["values"]) == (["line", "tree"], [1, 0, 1])
    assert lines["line"]["color"] == pytest.approx([0.3, 0.2, 0.1])


def test_the_metric_that_runs_are_sorted_by_stands_at_the_right(ledger):
    (lines,) = next(iter(plots(report(ledger, sort="metrics.loss", favourites=["auc"])).values()))["data"]
    assert [axis["label"] for axis in lines["dimensions"]][-1] == "loss"


def test_curves_of_the_runs_but_not_of_the_machine(ledger):
    drawn = plots(report(ledger, "params.kind = 'tree'"))
    assert list(drawn) == ["loss by step"]
    assert [line["name"] for line in drawn["loss by step"]["data"]] == ["run 3", "run 1"]


def test_the_table_and_how_many(ledger):
    page = report(ledger, "number > 1", columns="number,params.depth", limit=1)
    assert next(block.text for block in page.blocks if isinstance(block, Text)) == (
        "1 run for the filter number > 1, and there are more."
    )
    assert next(block for block in page.blocks if isinstance(block, Table)).rows == [["3", 3]]


def test_no_run_fits(ledger):
    page = report(ledger, "number > 9")
    assert not any(isinstance(block, Table | Heading | Plot) for block in page.blocks)


def test_a_wrong_name_is_told(ledger):
    with pytest.raises(UsageError, match="did you mean 'depth'"):
        report(ledger, "params.dept > 1")
