import json
import re

import pytest
from train.train_runs import add_run

from penstock.ledger import Ledger
from penstock.report import Heading, Plot, Table, to_html, to_markdown
from penstock.store import Store
from penstock.train.runs import Ranked, Ranking, compare_runs, comparison_page, leaderboard_page


@pytest.fixture
def compared(tmp_path):
    ledger, store = Ledger.open(f"sqlite:///{tmp_path}/ledger.db"), Store.open(tmp_path / "store")
    metrics = {"loss": [3.0, 2.0], "auc": 0.75, "system.memory_mb": [1.0, 2.0]}
    runs = [
        add_run(ledger, 1, params={"depth": 6, "rate": 0.1}, metrics=metrics),
        add_run(ledger, 2, params={"depth": 8, "rate": 0.1}, metrics={"loss": [2.5, 1.0], "auc": 0.5}),
    ]
    with ledger.read() as reader:
        return compare_runs(reader, store, runs)


def sections(page):
    """The table under each heading."""
    found, heading = {}, ""
    for block in page.blocks:
        heading = block.text if isinstance(block, Heading) else heading
        if isinstance(block, Table):
            found[heading] = block
    return found


def test_by_itself_only_what_differs_is_shown(compared):
    found = sections(comparison_page(compared))
    assert [row[0] for row in found["Parameters"].rows] == ["depth"]
    assert found["Parameters"].columns == ["", "run 1", "run 2"]
    assert [row[0] for row in sections(comparison_page(compared, every=True))["Parameters"].rows] == ["depth", "rate"]


def test_of_two_runs_metrics_have_a_difference(compared):
    metrics = sections(comparison_page(compared))["Metrics"]
    assert metrics.columns[-1] == "difference"
    assert ["auc", 0.75, 0.5, -0.25] in metrics.rows


def test_curves_are_drawn_those_of_the_machine_only_on_request(compared):
    def drawn(page):
        return [block.caption for block in page.blocks if isinstance(block, Plot)]

    assert drawn(comparison_page(compared)) == ["loss by step", "auc"]
    assert "system.memory_mb by step" in drawn(comparison_page(compared, every=True))


def test_the_page_needs_nothing_from_outside_and_holds_the_numbers(compared):
    text = to_html(comparison_page(compared))
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", text)
    first = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
    assert [line["y"] for line in first["data"]] == [[3.0, 2.0], [2.5, 1.0]]


def test_in_markdown_a_plot_is_its_sentence(compared):
    text = to_markdown(comparison_page(compared))
    assert text.startswith("# Comparison of run 1, run 2\n")
    assert "| depth | 6 | 8 |" in text
    assert "*loss by step*" in text


def test_runs_with_the_same_inputs_say_so(tmp_path):
    ledger, store = Ledger.open(f"sqlite:///{tmp_path}/ledger.db"), Store.open(tmp_path / "store")
    runs = [add_run(ledger, number, metrics={"auc": number / 10}) for number in (1, 2)]
    with ledger.read() as reader:
        page = comparison_page(compare_runs(reader, store, runs))
    assert "The same data, parameters, code and environment" in page.blocks[0].text


def test_a_leaderboard_says_what_chance_may_have_done(tmp_path):
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    first, second = (add_run(ledger, number) for number in (1, 2))
    ranked = (Ranked(first, 0.9, 0.8, 0.95), Ranked(second, 0.85, 0.75, 0.91, as_good=True))
    page = leaderboard_page((Ranking("auc", "maximise", "h" * 64, "", 100, 5, ranked),))
    assert page.title == "Leaderboard by auc, more is better"
    text = to_markdown(page)
    assert "| 2 | 2 | 0.85 | 0.75 to 0.91 | may be as good as the first |" in text
    assert "## 100 rows of holdout hhhhhhhhhhhh" in text
    assert "*3 more*" in text
