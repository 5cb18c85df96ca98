"""What a person asks of runs at the command line."""

import pytest
from cli.command import document, invoke

from penstock import Project


@pytest.fixture(scope="module")
def root(trained, tmp_path_factory):
    """A project with two runs."""
    import toy

    root = toy.copy_project(trained, tmp_path_factory.mktemp("runs") / "parcels")
    Project.open(root, sets=["train.params.C=0.01"], actor="ada").run()
    return root


def test_runs_are_found_sorted_and_shown_by_column(root):
    call = ["train", "runs", "params.C < 5", "--sort", "params.C", "--columns", "number,params.C", "-C", root]
    assert [line.split() for line in invoke(*call).stdout.splitlines()] == [
        ["run", "params.C"], ["2", "0.01"], ["1", "1"],
    ]  # fmt: skip
    assert document(invoke(*call, "--json")) == [{"number": 2, "params.C": 0.01}, {"number": 1, "params.C": 1}]


def test_by_itself_the_objectives_metrics_are_shown(root):
    head, *rows = (line.split() for line in invoke("train", "runs", "-C", root).stdout.splitlines())
    assert head[-2:] == ["metrics.cost", "metrics.roc_auc"]
    assert [row[0] for row in rows] == ["2", "1"]


def test_a_page_says_how_to_get_the_next(root):
    assert "more: --offset 1" in invoke("train", "runs", "-n", 1, "-C", root).stdout
    assert "more" not in invoke("train", "runs", "-n", 1, "--offset", 1, "-C", root).stdout
    assert invoke("train", "runs", "status = 'failed'", "-C", root).stdout == "no run fits\n"


def test_a_wrong_filter_says_where_and_what_was_meant(root):
    cut = invoke("train", "runs", "metrics.roc_auc >", "-C", root)
    assert (cut.exit_code, "column 18" in cut.stderr, "a number" in cut.stderr) == (2, True, True)
    wrong = invoke("train", "runs", "metrics.roc_acu > 0", "-C", root)
    assert (wrong.exit_code, "did you mean 'roc_auc'?" in wrong.stderr) == (2, True)


def test_runs_side_by_side_on_the_terminal_and_in_a_page(root, tmp_path):
    shown = invoke("train", "compare", 1, 2, "-C", root).stdout
    assert ["C", "1", "0.01"] in [line.split() for line in shown.splitlines()]
    assert "Pictures" not in shown
    page = tmp_path / "comparison.html"
    assert invoke("train", "compare", 1, 2, "-C", root, "-o", page).stdout == f"wrote {page}\n"
    assert "Plotly.newPlot(" in page.read_text()


def test_a_leaderboard_by_kpi_and_by_slice(root):
    assert "Leaderboard by cost, less is better" in invoke("train", "leaderboard", "-C", root).stdout
    found = document(
        invoke("train", "leaderboard", "--metric", "cost_per_parcel", "--slice", "depot=north", "-C", root, "--json")
    )
    assert [(each["metric"], each["slice"], each["runs"]) for each in found] == [("cost", "depot = north", 2)]
    nobody = invoke("train", "leaderboard", "--experiment", "it's \\ mine", "-C", root)
    assert (nobody.exit_code, "no run that fits" in nobody.stderr) == (2, True)


def test_a_tag_finds_its_run(root):
    invoke("train", "tag", 2, "team=growth", "note=a=b", "-C", root)
    assert document(invoke("train", "runs", "tags.note = 'a=b'", "-c", "number", "-C", root, "--json")) == [
        {"number": 2}
    ]
    wrong = invoke("train", "tag", 2, "growth", "-C", root)
    assert (wrong.exit_code, "NAME=VALUE" in wrong.stderr) == (2, True)


def test_one_run_and_all_of_them_in_pages(root, tmp_path):
    assert "Run 1: finished" in invoke("train", "show", 1, "-C", root).stdout
    for call in (["show", 1], ["report"], ["leaderboard"]):
        invoke("train", *call, "-C", root, "-o", tmp_path / f"{call[0]}.md")
    assert (tmp_path / "show.md").read_text().startswith("# Run 1: finished\n")
    assert "| metrics.roc_auc |" in (tmp_path / "report.md").read_text()
