"""A document is a title and a list of blocks; two renderers read it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1c2733; }
body { max-width: 60rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1rem; font-size: .93rem; }
th, td { text-align: left; padding: .38rem .7rem; border-bottom: 1px solid #dde3ea; vertical-align: top; }
th { color: #5a6878; font-weight: 600; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.PASS, .ok { color: #11734b; font-weight: 600; } .FAIL, .bad { color: #b3261e; font-weight: 600; }
.UNDECIDED { color: #8a6100; font-weight: 600; } p.note { color: #5a6878; }
@media print { body { margin: 0; max-width: none; } }
"""


@dataclass(frozen=True)
class Heading:
    """A section's title."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph; a `note` is set back."""

    text: str
    note: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under column names. A cell that is a number is set right; PASS, FAIL and UNDECIDED are coloured."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Figure:
    """A picture as SVG text, with the sentence that says what it shows."""

    svg: str
    caption: str


Block = Heading | Text | Table | Figure


@dataclass(frozen=True)
class Document:
    """What a person reads."""

    title: str
    blocks: Sequence[Block] = field(default=())


def to_markdown(document: Document) -> str:
    """GitHub-flavoured Markdown; figures become their captions."""
    parts = [f"# {document.title}", *(_markdown(block) for block in document.blocks)]
    return "\n\n".join(parts) + "\n"


def to_html(document: Document) -> str:
    """One HTML page that needs nothing from outside."""
    body = "\n".join(_html(block) for block in document.blocks)
    title = escape(document.title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><h1>{title}</h1>\n{body}\n</body></html>\n"
    )


def cell(value: object) -> str:
    """A value as people write it: four significant digits, `yes` and `no`, a dash for nothing."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"## {block.text}"
    if isinstance(block, Text):
        return f"*{block.text}*" if block.note else block.text
    if isinstance(block, Figure):
        return f"*{block.caption}*"
    lines = [_markdown_row(block.columns), "|" + "---|" * len(block.columns)]
    return "\n".join([*lines, *(_markdown_row([cell(value) for value in row]) for row in block.rows)])


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|").replace("\n", " ") for text in cells) + " |"


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h2>{escape(block.text)}</h2>"
    if isinstance(block, Text):
        return f"<p{' class=note' if block.note else ''}>{escape(block.text)}</p>"
    if isinstance(block, Figure):
        return f"<figure>{block.svg}<figcaption><p class=note>{escape(block.caption)}</p></figcaption></figure>"
    head = "".join(f"<th>{escape(name)}</th>" for name in block.columns)
    rows = "\n".join("<tr>" + "".join(_html_cell(value) for value in row) + "</tr>" for row in block.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>"


def _html_cell(value: object) -> str:
    text = escape(cell(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="number">{text}</td>'
    if value in ("PASS", "FAIL", "UNDECIDED"):
        return f'<td class="{value}">{text}</td>'
    return f"<td>{text}</td>"
