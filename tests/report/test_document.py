from html.parser import HTMLParser

import pytest

from penstock.report import (
    Document,
    Figure,
    Heading,
    Patch,
    Plot,
    Table,
    Text,
    agreed,
    cell,
    measured,
    to_html,
    to_markdown,
)

SHEET = Document(
    "Gates & more",
    [
        Text("All <gates>."),
        Heading("Results"),
        Table(
            ("gate", "value", "outcome"), [("auc | test", 0.71234, "PASS"), ("cost", None, "FAIL"), ("n", 12345, True)]
        ),
        Figure("<svg></svg>", "Calibration"),
        Text("set back", note=True),
    ],
)


def test_markdown_is_a_table_that_github_reads() -> None:
    text = to_markdown(SHEET)
    assert text.startswith("# Gates & more\n")
    assert "| gate | value | outcome |\n|---|---|---|\n| auc \\| test | 0.7123 | PASS |" in text
    assert "| n | 12,345 | yes |" in text
    assert "*Calibration*" in text


def test_html_escapes_and_needs_nothing_from_outside() -> None:
    page = to_html(SHEET)
    HTMLParser().feed(page)
    assert "All &lt;gates&gt;." in page
    assert "<svg></svg>" in page
    assert '<td class="PASS">PASS</td>' in page
    assert "http" not in page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        (True, "yes"),
        (0.123456, "0.1235"),
        (1234567.8, "1,234,568"),
        (1234567, "1,234,567"),
        ("x", "x"),
    ],
)
def test_cell(value: object, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.73879, "0.7388"),
        (9_999.7, "10,000"),
        (229_125.4, "229,125"),
        (-5_037.2, "-5,037"),
        (-0.0, "0"),
        (1e-7, "1e-07"),
    ],
)
def test_measurements_have_no_powers_of_ten_that_people_stumble_over(value: float, text: str) -> None:
    assert measured(value) == text


def test_an_agreed_number_keeps_every_digit() -> None:
    assert [agreed(one) for one in (0.123456, 4500.0, 2e6, -0.0)] == ["0.123456", "4,500", "2,000,000", "0"]


def test_columns_of_numbers_are_set_right_with_their_name_and_what_lacks() -> None:
    page = to_html(Document("", [Table(("gate", "auc"), [("a", 0.5), ("b", None)])]))
    assert '<th>gate</th><th class="number">auc</th>' in page
    assert '<td class="number">–</td>' in page


def test_facts_read_as_a_list_and_are_not_set_right() -> None:
    facts = Document("", [Table(("", ""), [("Owner", "ada"), ("Seed", 7)])])
    assert "- Owner: ada\n- Seed: 7" in to_markdown(facts)
    assert "<tr><th>Seed</th><td>7</td></tr>" in to_html(facts)
    assert "<thead>" not in to_html(facts)


def test_a_plot_is_drawn_on_a_page_and_is_its_sentence_in_markdown() -> None:
    document = Document("x", [Plot({"data": [{"name": "</script>"}], "layout": {}}, "Loss by step")])
    page = to_html(document)
    assert '<script type="application/json">{"data": [{"name": "\\u003c/script>"}]' in page
    assert page.count("Plotly.newPlot(") == 1
    assert len(page) > 1_000_000  # the library is in it
    assert to_markdown(document) == "# x\n\n*Loss by step*\n"


def test_a_page_without_a_plot_has_no_script() -> None:
    assert "<script" not in to_html(SHEET)


def test_a_patch_is_coloured_by_line() -> None:
    document = Document("x", [Patch("--- a\n+++ b\n@@ -1 +1 @@\n-x < 1\n+x < 2\n")])
    assert "--- a\n+++ b\n@@ -1 +1 @@\n<del>-x &lt; 1</del>\n<ins>+x &lt; 2</ins>" in to_html(document)
    assert "```diff\n--- a\n" in to_markdown(document)
