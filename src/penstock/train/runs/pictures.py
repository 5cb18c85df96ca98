"""Pictures of runs, as Plotly reads them: curves, and a line per run across its parameters and metrics."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from penstock.report import SERIES, Picture, plot_layout
from penstock.train.runs.comparison import Curve

SYSTEM = "system."  # how metrics of the machine begin
_MOST_LEVELS = 12  # texts of one parameter that have a place of their own
_MOST_AXES = 10


def curve_pictures(curves: Sequence[Curve]) -> Iterator[tuple[str, Picture]]:
    """A picture for each metric, with a line for each run: name, picture."""
    for name in dict.fromkeys(curve.metric for curve in curves):
        yield name, curve_picture(name, [curve for curve in curves if curve.metric == name])


def curve_picture(name: str, curves: Sequence[Curve]) -> Picture:
    """The values of one metric by step."""
    lines = [
        {
            "type": "scatter", "mode": "lines", "name": f"run {curve.run}", "x": list(curve.steps),
            "y": [_finite(value) for value in curve.values], "line": {"color": SERIES[place % len(SERIES)]},
        }
        for place, curve in enumerate(curves)
    ]  # fmt: skip
    axes = {"xaxis": {"title": {"text": "step"}}, "yaxis": {"title": {"text": name}}}
    return {"data": lines, "layout": {**plot_layout(), **axes, "showlegend": len(lines) > 1}}


def bars_picture(name: str, runs: Sequence[int], values: Sequence[float | None]) -> Picture:
    """One number of each run."""
    there = [(f"run {run}", value) for run, value in zip(runs, values, strict=True) if value is not None]
    bars = {
        "type": "bar", "x": [run for run, _ in there], "y": [value for _, value in there],
        "marker": {"color": SERIES[0]},
    }  # fmt: skip
    layout = {**plot_layout(220), "yaxis": {"title": {"text": name}}, "showlegend": False}
    return {"data": [bars], "layout": layout}


def parallel_picture(columns: Mapping[str, Sequence[Any]], last: str) -> Picture | None:
    """A line for each run across the columns that differ, coloured by the column `last`, which stands at the right.

    None where fewer than two columns can be drawn. Of texts there may be twelve; runs without a value in one of the
    columns are left out.
    """
    axes = {name: axis for name, values in columns.items() if (axis := _axis(values)) is not None}
    if last not in axes or len(axes) < 2:
        return None
    shown = [*[name for name in axes if name != last][: _MOST_AXES - 1], last]
    whole = [row for row in range(len(columns[last])) if all(axes[name][0][row] is not None for name in shown)]
    dimensions = [_dimension(name, *axes[name], whole) for name in shown]
    line = {
        "color": [axes[last][0][row] for row in whole], "colorscale": "Viridis", "showscale": True,
        "colorbar": {"thickness": 12},
    }  # fmt: skip
    layout = {**plot_layout(380), "margin": {"l": 70, "r": 40, "t": 60, "b": 40}, "showlegend": False}
    return (
        {"data": [{"type": "parcoords", "dimensions": dimensions, "line": line}], "layout": layout} if whole else None
    )


Axis = tuple[list[float | None], list[str]]  # where each value stands, and the texts of the places


def _axis(values: Sequence[Any]) -> Axis | None:
    """Numbers as they are, texts at places of their own; None where all are the same or there are too many texts."""
    there = {value for value in values if value is not None and value == value}
    if len(there) < 2:
        return None
    if all(isinstance(value, int | float) for value in there):
        return [_finite(value) for value in values], []
    levels = sorted(map(str, there))
    if len(levels) > _MOST_LEVELS:
        return None
    return [None if value is None else levels.index(str(value)) for value in values], levels


def _dimension(name: str, places: Sequence[float | None], levels: Sequence[str], rows: Sequence[int]) -> dict[str, Any]:
    told = {"tickvals": list(range(len(levels))), "ticktext": list(levels)} if levels else {}
    return {"label": name.partition(".")[2] or name, "values": [places[row] for row in rows], **told}


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
