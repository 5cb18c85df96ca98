"""`penstock train search` as its users meet it."""

import json
from pathlib import Path

import pytest
from cli.command import document, invoke, replaced
from search_project import SEARCH, project

from penstock.project import load_project


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was searched."""
    root = tmp_path_factory.mktemp("searched") / "parcels"
    project(root, search=SEARCH.replace("trials: 3", "trials: 5"))
    said = invoke("train", "search", "-C", root).stdout
    (root / "said").write_text(said)
    return root


def test_each_trial_is_a_line_and_the_best_are_a_table(root: Path) -> None:
    said = (root / "said").read_text()
    assert said.startswith("search: minimise cost (objective.kpis.")
    assert said.count("\ntrial ") == 5 + 1
    assert "5 trials (5 finished); 5 trials" in said
    assert "best: trial" in said
    assert "next: penstock" in said


def test_the_status_is_read_from_the_ledger(root: Path) -> None:
    said = invoke("train", "search", "--status", "-C", root).stdout
    assert "5 trials (5 finished)\n" in said
    found = document(invoke("train", "search", "--status", "--json", "-C", root))
    assert found["aim"]["metric"] == "cost"
    assert len(found["trials"]) == 5


def test_the_page_needs_nothing_from_outside(root: Path) -> None:
    page = root / "search.html"
    assert f"wrote {page}" in invoke("train", "search", "--status", "-o", page, "-C", root).stdout
    text = page.read_text()
    assert 'src="http' not in text
    pictures = [json.loads(part.split("</script>")[0]) for part in text.split('<script type="application/json">')[1:]]
    assert [picture["data"][0]["type"] for picture in pictures] == ["scatter", "bar", "scatter", "parcoords"]
    assert len(pictures[3]["data"][0]["dimensions"]) == 2


def test_the_best_is_written_and_nothing_else(root: Path) -> None:
    found = document(invoke("train", "search", "--status", "--json", "-C", root))
    before = (root / "penstock.yaml").read_text()
    said = invoke("train", "search", "--status", "--apply", "-C", root).stdout
    assert "next: penstock run" in said
    after = (root / "penstock.yaml").read_text()
    assert after == before.replace("params: {C: 1.0}", f"params: {{C: {found['best']['choice']['params']['C']}}}")
    section = load_project(root).config.train
    assert section
    assert section.params == found["best"]["choice"]["params"]


def test_what_is_wrong_in_the_section_is_told_with_its_line(tmp_path: Path) -> None:
    project(tmp_path / "p")
    replaced(tmp_path / "p" / "penstock.yaml", ("max: 100.0", "mx: 100.0"), ("folds: {n: 2}", "folds: {n: 1}"))
    ended = invoke("train", "search", "-C", tmp_path / "p")
    assert ended.exit_code == 2
    assert "unknown key 'mx' in `train.search.space.C` (did you mean 'max'?)" in ended.stderr
    assert "`train.search.folds.n` is 1 (expected at least 2)" in ended.stderr


def test_without_a_search_there_is_no_status(tmp_path: Path) -> None:
    project(tmp_path / "p")
    ended = invoke("train", "search", "--status", "-C", tmp_path / "p")
    assert ended.exit_code == 2
    assert "nothing was searched yet" in ended.stderr


def test_nothing_is_written_when_no_trial_keeps_the_limits(tmp_path: Path) -> None:
    project(tmp_path / "p", search=SEARCH.replace("trials: 3", "trials: 1"))
    replaced(tmp_path / "p" / "penstock.yaml", ("roc_auc: {min: 0.7}", "roc_auc: {min: 1.0}"))
    before = (tmp_path / "p" / "penstock.yaml").read_text()
    ended = invoke("train", "search", "--apply", "-C", tmp_path / "p")
    assert ended.exit_code == 3
    assert "no trial keeps the limits" in ended.stderr
    assert (tmp_path / "p" / "penstock.yaml").read_text() == before
