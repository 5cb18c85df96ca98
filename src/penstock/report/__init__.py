"""Documents for people: written once as blocks, read as Markdown or as one self-contained HTML page."""

from penstock.report.document import (
    Document,
    Figure,
    Heading,
    Table,
    Text,
    agreed,
    cell,
    measured,
    to_html,
    to_markdown,
)

__all__ = ["Document", "Figure", "Heading", "Table", "Text", "agreed", "cell", "measured", "to_html", "to_markdown"]
