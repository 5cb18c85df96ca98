"""The report for people: one HTML file that needs nothing from outside, or Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from penstock.data.bench.finding import SEVERITIES, BenchReport, Finding
from penstock.data.bench.pictures import missing_picture, picture_of
from penstock.digest import short
from penstock.report import Document, Heading, Table, Text, cell, plot_html, scripts_for

NAMES = {"error": "Errors", "warn": "Warnings", "info": "Good to know"}
COUNTED = {"error": ("error", "errors"), "warn": ("warning", "warnings"), "info": ("hint", "hints")}
STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1c2733; background: #f6f8fa; margin: 0; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; } h3 { font-size: 1rem; margin: 0; }
.card { background: #fff; border: 1px solid #dde3ea; border-left: .35rem solid #8a97a6; border-radius: .4rem; }
.card { padding: .9rem 1rem; margin: 0 0 .9rem; overflow-wrap: anywhere; }
.error { border-left-color: #b3261e; } .warn { border-left-color: #d98e04; }
.kind { color: #5a6878; font-size: .85rem; } p { margin: .35rem 0; } .note { color: #5a6878; }
code { display: block; background: #f0f3f6; border-radius: .3rem; padding: .45rem .6rem; font-size: .85rem; }
code { white-space: pre-wrap; max-height: 9rem; overflow: auto; }
table { border-collapse: collapse; font-size: .88rem; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #e6ebf0; } th { color: #5a6878; }
.counts b { font-size: 1.4rem; margin-right: .3rem; } .counts span { margin-right: 1.6rem; white-space: nowrap; }
"""


def bench_html(report: BenchReport) -> str:
    """One HTML page with every finding and its picture. Plotly is in it once, if anything is drawn."""
    body = "\n".join(_body(report))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(_title(report))}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><main>{body}</main>{scripts_for(body)}</body></html>\n"
    )


def bench_document(report: BenchReport) -> Document:
    """The same as blocks, for Markdown."""
    blocks: list[Heading | Text | Table] = [Text(_subtitle(report))]
    for severity, findings in _by_severity(report):
        blocks.append(Heading(NAMES[severity]))
        rows = [(one.kind, one.what, one.do, one.filter or "") for one in findings]
        blocks.append(Table(("kind", "what", "what to do", "rows"), rows))
    if not report.findings:
        blocks.append(Text("Nothing was found."))
    return Document(_title(report), blocks)


def _title(report: BenchReport) -> str:
    return f"{report.dataset}@{short(report.commit)}: what was found"


def _subtitle(report: BenchReport) -> str:
    said = f"{report.rows:,} rows, {len(report.columns):,} columns, {report.depth} bench"
    if report.against:
        batch = "all" if report.batch == report.rows else f"the {report.batch:,} new ones"
        said += f"; {batch} compared with the {report.rows_before:,} rows of {report.dataset}@{short(report.against)}"
    return said + "."


def _body(report: BenchReport) -> Iterator[str]:
    yield f"<h1>{escape(_title(report))}</h1><p class=note>{escape(_subtitle(report))}</p>"
    counts = {severity: len(findings) for severity, findings in _by_severity(report)}
    words = {one: COUNTED[one][counts.get(one, 0) != 1] for one in SEVERITIES}
    numbers = (f"<span><b>{counts.get(one, 0)}</b>{words[one]}</span>" for one in SEVERITIES)
    yield f'<p class="counts">{"".join(numbers)}</p>'
    for severity, findings in _by_severity(report):
        yield f"<h2>{NAMES[severity]}</h2>"
        yield from map(_card, findings)
    if not report.findings:
        yield '<div class="card"><h3>Nothing was found.</h3></div>'
    if missing := missing_picture(report.columns):
        yield f'<h2>Without a value</h2><div class="card">{plot_html(missing)}</div>'


def _card(finding: Finding) -> str:
    picture = picture_of(finding)
    parts = [
        f'<div class="card {finding.severity}"><span class="kind">{escape(finding.kind.replace("_", " "))}</span>',
        f"<h3>{escape(finding.what)}</h3>",
        f"<p><b>Why it matters:</b> {escape(finding.why)}.</p><p><b>What to do:</b> {escape(finding.do)}.</p>",
        plot_html(picture) if picture else "",
        _rows(finding.evidence.get("rows")),
        f"<p class=note>Select these rows:</p><code>{escape(finding.filter)}</code>" if finding.filter else "",
        "</div>",
    ]  # fmt: skip
    return "".join(parts)


def _rows(rows: Any) -> str:
    """Rows of the evidence as a table, where it has some."""
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
        return ""
    names = list(rows[0])
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = ("".join(f"<td>{escape(_said(row.get(name)))}</td>" for name in names) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {cell(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else cell(value)


def _by_severity(report: BenchReport) -> Iterator[tuple[str, list[Finding]]]:
    for severity in SEVERITIES:
        if findings := [one for one in report.findings if one.severity == severity]:
            yield severity, findings
