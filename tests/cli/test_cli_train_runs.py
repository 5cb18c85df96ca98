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
