import pytest
from train.train_runs import add_run

from penstock.ledger import Artifact, Ledger
from penstock.report import Heading, Plot, Table
from penstock.train.runs import run_details, run_page


@pytest.fixture
def ledger(tmp_path):
    return Ledger.open(f"sqlite:///{tmp_path}/ledger.db")


def sections(page):
    """The table under each heading; the facts stand under no heading."""
    found, heading = {}, ""
    for block in page.blocks:
        heading = block.text if isinstance(block, Heading) else heading
        if isinstance(block, Table):
            found[heading] = block.rows
    return found


def page_of(ledger, run):
    with ledger.read() as reader:
        return run_page(run_details(reader, run))


def test_a_run_with_everything(ledger):
    run = add_run(
        ledger, 3, params={"depth": 6}, metrics={"auc": 0.7, "loss": [3.0, 1.0, 2.0]}, tags={"team": "core"},
        data={"rows": "c" * 64}, git_commit="abc", patch="p", experiment="search", host={"name": "here", "cpus": 2},
    )  # fmt: skip
    with ledger.write() as transaction:
        transaction.add(Artifact(run.id, "plot.png", "d" * 64, 2048))
    page = page_of(ledger, run)
    found = sections(page)
    assert page.title == "Run 3: finished"
    facts = dict(found[""])
    assert facts["code"] == "x, commit abc with an uncommitted patch"
    assert (facts["machine"], facts["experiment"], facts["seconds"]) == ("here, 2 CPUs", "search", 3.0)
    assert found["Data"] == [["rows", "c" * 12]]
    assert found["Parameters"] == [["depth", 6]]
    assert found["Tags"] == [["team", "core"]]
    assert found["Metrics"] == [["auc", 0.7]]
    assert found["By step"] == [["loss", 2.0, 2, 1.0, 3.0, 3, "█▁▅"]]
    assert found["Artifacts"] == [["plot.png", "d" * 12, 2048]]
    assert [block.caption for block in page.blocks if isinstance(block, Plot)] == ["loss by step"]


def test_what_a_run_does_not_have_is_not_shown(ledger):
    found = sections(page_of(ledger, add_run(ledger, 1, code="", environment="", finished_at=None, status="running")))
    assert list(found) == [""]
    assert {name for name, _ in found[""]} == {"id", "function", "seed", "started"}


@pytest.mark.parametrize(
    ("values", "course"),
    [
        ([1.0, 2.0], "▁█"),
        ([5.0, 5.0, 5.0], "▁▁▁"),
        ([1.0, float("nan"), 2.0], "▁█"),
        ([float("nan")] * 2, ""),
        ([float(value) for value in range(1000)], "▁▁▂▂▂▃▃▃▄▄▅▅▅▆▆▆▇▇▇█"),
    ],
)
def test_a_course_in_signs(ledger, values, course):
    (row,) = sections(page_of(ledger, add_run(ledger, 1, metrics={"loss": values})))["By step"]
    assert row[-1] == course


def test_a_long_curve_keeps_its_ends(ledger):
    run = add_run(ledger, 1, metrics={"loss": [float(value) for value in range(1234)]})
    with ledger.read() as reader:
        (curve,) = run_details(reader, run).curves
    assert len(curve.values) <= 501
    assert (curve.values[0], curve.values[-1], curve.steps[-1]) == (0.0, 1233.0, 1233)
