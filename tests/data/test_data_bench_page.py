import json
import re
from html.parser import HTMLParser

import polars as pl
from data.planted import clean, report

from penstock.data import BenchReport, bench_document, bench_html
from penstock.report import to_markdown


class Reader(HTMLParser):
    """What a page would load, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


def troubled() -> BenchReport:
    place = pl.int_range(pl.len())
    rows = clean().with_columns(
        pl.col("size") + 1,
        age=pl.when(place < 5).then(999).otherwise("age"),
        shop=pl.when(place % 40 == 0).then(pl.lit("</script><b>east")).otherwise("shop"),
        price=pl.when(place % 3 == 0).then(None).otherwise("price"),
    )
    return report(rows, clean(seed=1), depth="full", key=("id",))


def test_the_page_loads_nothing_from_outside() -> None:
    page = bench_html(troubled())
    reader = Reader()
    reader.feed(page)
    assert reader.loads == []
    assert "@import" not in re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert "url(" not in page.split("</style>")[0]


def test_every_finding_is_on_the_page_with_its_picture() -> None:
    found = troubled()
    page = bench_html(found)
    assert {finding.kind for finding in found.findings} >= {
        "shift",
        "outlier",
        "category",
        "missing",
        "multivariate_shift",
    }
    assert page.count('<div class="card ') == len(found.findings)
    pictures = re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.S)
    kinds = {trace["type"] for picture in pictures for trace in json.loads(picture)["data"]}
    assert kinds == {"bar", "box", "scatter"}


def test_texts_of_the_data_are_texts_on_the_page() -> None:
    page = bench_html(troubled())
    assert "<b>east" not in page
    assert "&lt;/script&gt;&lt;b&gt;east" in page


def test_a_page_without_pictures_is_small() -> None:
    page = bench_html(report(clean(), clean(seed=1), key=("id",)))
    assert "Nothing was found." in page
    assert len(page) < 5_000


def test_markdown_tells_the_same() -> None:
    found = troubled()
    text = to_markdown(bench_document(found))
    assert all(finding.what.replace("|", "\\|") in text for finding in found.findings)
