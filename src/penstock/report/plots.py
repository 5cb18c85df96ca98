"""Pictures by Plotly: plain dictionaries on a page that has its script inside and loads nothing from elsewhere."""

import json
from typing import Any

NOW, BEFORE, BAD = "#1f6feb", "#aab4c0", "#b3261e"
# Okabe and Ito (2008): told apart by people who do not see every colour.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a", "#b8a500")
DRAW = """
for (const place of document.querySelectorAll(".plot")) {
  const picture = JSON.parse(place.nextElementSibling.textContent);
  place.textContent = "";
  Plotly.newPlot(place, picture.data, picture.layout, {displayModeBar: false, responsive: true});
}
"""

Picture = dict[str, Any]


def plot_html(picture: Picture) -> str:
    """Where a picture is drawn, and what; the page needs `scripts_for` too."""
    # a text of the data must not end the script that holds it
    text = json.dumps(picture, allow_nan=False).replace("<", "\\u003c")
    return f'<div class="plot"></div><script type="application/json">{text}</script>'


def scripts_for(body: str) -> str:
    """Plotly and what calls it, where something on the page is drawn."""
    return f"<script>{_plotly()}</script><script>{DRAW}</script>" if 'class="plot"' in body else ""


def plot_layout(height: int = 280, margin_left: int = 60) -> Picture:
    """The look that pictures share; a caller adds its axes."""
    return {
        "height": height,
        "margin": {"l": margin_left, "r": 10, "t": 36, "b": 50},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "barmode": "group",
        "bargap": 0.15,
        "showlegend": True,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
    }


def _plotly() -> str:
    from importlib.resources import files

    # read from the package: importing Plotly for one file of it takes a second
    return files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
