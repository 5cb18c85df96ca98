"""A document is a title and a list of blocks; two renderers read it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from penstock.report.plots import Picture, plot_html, scripts_for

STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1c2733; }
body { max-width: 60rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; margin: .6rem 0 1rem; font-size: .93rem; }
th, td { text-align: left; padding: .38rem 1.2rem .38rem 0; border-bottom: 1px solid #dde3ea; vertical-align: top; }
th { color: #5a6878; font-weight: 600; white-space: nowrap; } td { overflow-wrap: anywhere; min-width: 3rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; } figure { margin: .6rem 0 1rem; }
.PASS, .ok { color: #11734b; font-weight: 600; } .FAIL, .bad { color: #b3261e; font-weight: 600; }
.UNDECIDED { color: #8a6100; font-weight: 600; } p.note { color: #5a6878; }
.wide { overflow-x: auto; } pre { background: #f4f6f8; border-radius: .3rem; padding: .6rem .8rem; overflow-x: auto; }
pre { font-size: .85rem; line-height: 1.4; } pre ins { background: #d7f2e2; text-decoration: none; }
pre del { background: #f8dcda; text-decoration: none; }
@media print { body { margin: 0; max-width: none; } }
"""


OUTCOMES = ("PASS", "FAIL", "UNDECIDED")


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
    """Rows under column names. Columns of numbers are set right; PASS, FAIL and UNDECIDED are coloured.

    Table(("gate", "value"), [("roc_auc", 0.71)])        rows under names
    Table(("", ""), [("Owner", "ops@airline.example")])   facts: what it is, and how it is
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    @property
    def facts(self) -> bool:
        """Whether the columns have no names, so that the first names each row."""
        return not any(self.columns)


@dataclass(frozen=True)
class Figure:
    """A picture as SVG text, with the sentence that says what it shows."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Plot:
    """A picture as Plotly reads it, with the sentence that says what it shows."""

    picture: Picture
    caption: str


@dataclass(frozen=True)
class Patch:
    """A unified difference between two texts; what came and what went is coloured."""

    text: str


Block = Heading | Text | Table | Figure | Plot | Patch


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
        f"<body><h1>{title}</h1>\n{body}\n{scripts_for(body)}</body></html>\n"
    )


def measured(value: float) -> str:
    """A measurement as people write it, in four significant digits: 0.7388, 229,125; never 2.291e+05 or -0."""
    return f"{value or 0.0:,.4g}" if abs(value) < 9_999.5 else f"{value:,.0f}"


def agreed(value: float) -> str:
    """A number that somebody has decided, with every digit: 0.64, 4,500, 2,000,000."""
    return f"{value or 0.0:,.12g}"


def cell(value: object) -> str:
    """A value as people write it: four significant digits, `yes` and `no`, a dash for nothing."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return measured(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"## {block.text}"
    if isinstance(block, Text):
        return f"*{block.text}*" if block.note else block.text
    if isinstance(block, Figure | Plot):
        return f"*{block.caption}*"
    if isinstance(block, Patch):
        return f"```diff\n{block.text.rstrip()}\n```"
    cells = [[cell(value) for value in row] for row in block.rows]
    if block.facts:
        return "\n".join(f"- {name}: {' '.join(rest)}" for name, *rest in cells)
    return "\n".join([_markdown_row(block.columns), "|" + "---|" * len(block.columns), *map(_markdown_row, cells)])


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|").replace("\n", " ") for text in cells) + " |"


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h2>{escape(block.text)}</h2>"
    if isinstance(block, Text):
        return f"<p{' class=note' if block.note else ''}>{escape(block.text)}</p>"
    if isinstance(block, Figure | Plot):
        drawn = block.svg if isinstance(block, Figure) else plot_html(block.picture)
        return f"<figure>{drawn}<figcaption><p class=note>{escape(block.caption)}</p></figcaption></figure>"
    if isinstance(block, Patch):
        return "<pre>" + "\n".join(map(_html_line, block.text.splitlines())) + "</pre>"
    if block.facts:
        return _html_table("", [_html_cell("th", name) + _html_cells(rest) for name, *rest in block.rows])
    right = [_is_numeric(block.rows, index) for index in range(len(block.columns))]
    head = "".join(_html_cell("th", name, number) for name, number in zip(block.columns, right, strict=True))
    return _html_table(f"<thead><tr>{head}</tr></thead>", [_html_cells(row, right) for row in block.rows])


def _html_line(line: str) -> str:
    """A line of a patch; those with two marks name the files."""
    tag = {"+": "ins", "-": "del"}.get(line[:1]) if line[:3] not in ("+++", "---") else None
    return f"<{tag}>{escape(line)}</{tag}>" if tag else escape(line)


def _html_table(head: str, rows: Sequence[str]) -> str:
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table>{head}<tbody>\n{body}\n</tbody></table></div>'


def _is_numeric(rows: Sequence[Sequence[object]], index: int) -> bool:
    there = [row[index] for row in rows if row[index] is not None]
    return bool(there) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)


def _html_cells(values: Sequence[object], right: Sequence[bool] = ()) -> str:
    sides = right or [False] * len(values)
    return "".join(_html_cell("td", value, number) for value, number in zip(values, sides, strict=True))


def _html_cell(tag: str, value: object, number: bool = False) -> str:
    style = "number" if number else value if value in OUTCOMES else ""
    text = escape(cell(value) if tag == "td" else str(value))
    return f'<{tag} class="{style}">{text}</{tag}>' if style else f"<{tag}>{text}</{tag}>"
