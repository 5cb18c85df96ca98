"""A search as one HTML page that needs nothing from outside: history, what matters, slices, parallel coordinates."""

import json
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Any

from penstock.train.search.found import Found
from penstock.train.search.pictures import Picture, history, parallel, slices, what_matters
from penstock.train.search.trials import Trial

SHOWN = 20  # trials of the table
STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1c2733; background: #f6f8fa; margin: 0; }
main { max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
.note { color: #5a6878; margin: .2rem 0 .8rem; }
.card { background: #fff; border: 1px solid #dde3ea; border-radius: .4rem; padding: .6rem .8rem; }
.slices { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: .8rem; }
.plot { min-height: 18rem; }
table { border-collapse: collapse; font-size: .88rem; display: block; overflow-x: auto; }
th, td { text-align: right; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #e6ebf0; white-space: nowrap; }
th { color: #5a6878; } .best td { font-weight: 600; } .broken td { color: #8a97a6; }
"""
DRAW = """
for (const place of document.querySelectorAll(".plot")) {
  const picture = JSON.parse(place.nextElementSibling.textContent);
  Plotly.newPlot(place, picture.data, picture.layout, {displayModeBar: false, responsive: true});
}
"""


def search_html(found: Found) -> str:
    """The page of a search."""
    body = "\n".join(_body(found))
    # read from the package: importing Plotly for one file of it takes a second
    plotly = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(found.experiment)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><main>{body}</main><script>{plotly}</script><script>{DRAW}</script></body></html>\n"
    )


def _body(found: Found) -> Iterator[str]:
    yield f"<h1>{escape(_title(found))}</h1>"
    yield f'<p class="note">{escape(_subtitle(found))}</p>'
    yield _table(found)
    yield "<h2>History</h2>"
    yield '<p class="note">The mean over the folds of each trial; the line is the best that keeps the limits.</p>'
    yield f'<div class="card">{_plot(history(found))}</div>'
    if matters := what_matters(found):
        yield "<h2>What matters</h2>"
        yield '<p class="note">Share of each choice in how far the finished trials differ (functional ANOVA).</p>'
        yield f'<div class="card">{_plot(matters)}</div>'
    if pictures := slices(found):
        yield "<h2>Slices</h2>"
        yield '<div class="slices">'
        yield from (f'<div class="card">{_plot(picture)}</div>' for picture in pictures)
        yield "</div>"
    if picture := parallel(found):
        yield "<h2>Parallel coordinates</h2>"
        yield '<p class="note">A line per trial; drag along an axis to select.</p>'
        yield f'<div class="card">{_plot(picture)}</div>'


def _title(found: Found) -> str:
    best = f"{found.best.value(found.aim):.6g}" if found.best else "none"
    return f"{found.experiment}: best {found.aim.metric} {best}"


def _subtitle(found: Found) -> str:
    states = [trial.status for trial in found.trials]
    parts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    limits = "; ".join(limit.name for limit in found.aim.limits)
    within = f" within {limits}" if limits else ""
    return f"{found.aim.goal} {found.aim.metric}{within}; {len(found.trials)} trials: {', '.join(parts)}."


def _table(found: Found) -> str:
    ranked = found.ranked()[:SHOWN]
    names = list(dict.fromkeys(name for trial in ranked for name, _ in found.said(trial)))
    head = "".join(f"<th>{escape(name)}</th>" for name in ("trial", "run", *found.aim.metrics, *names, "seconds"))
    return f"<table><tr>{head}</tr>{''.join(_row(found, trial, names) for trial in ranked)}</table>"


def _row(found: Found, trial: Trial, names: list[str]) -> str:
    metrics, said = trial.metrics or {}, dict(found.said(trial))
    kind = "best" if trial is found.best else "broken" if found.aim.broken(metrics) else ""
    numbers = [f"{metrics[name]:.6g}" if name in metrics else "" for name in found.aim.metrics]
    values = [trial.number, trial.run, *numbers, *(_said(said.get(name, "")) for name in names), f"{trial.seconds:.1f}"]
    return f'<tr class="{kind}">{"".join(f"<td>{escape(str(value))}</td>" for value in values)}</tr>'


def _said(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _plot(picture: Picture) -> str:
    # a text of the data must not end the script that holds it
    text = json.dumps(picture, allow_nan=False).replace("<", "\\u003c")
    return f'<div class="plot"></div><script type="application/json">{text}</script>'
