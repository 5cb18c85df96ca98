"""Documents for people: written once as blocks, read as Markdown or as one self-contained HTML page."""

from penstock.report.document import (
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
from penstock.report.plots import BAD, BEFORE, NOW, SERIES, Picture, plot_html, plot_layout, scripts_for

__all__ = [
    "BAD", "BEFORE", "NOW", "SERIES", "Document", "Figure", "Heading", "Patch", "Picture", "Plot", "Table", "Text",
    "agreed", "cell", "measured", "plot_html", "plot_layout", "scripts_for", "to_html", "to_markdown",
]  # fmt: skip
