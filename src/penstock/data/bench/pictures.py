"""Pictures of findings, as Plotly specifications: plain dictionaries, made from a finding's evidence alone."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from penstock.data.bench.finding import ColumnSummary, Finding
from penstock.report import BAD, BEFORE, NOW, Picture, plot_layout

WIDEST = 40  # columns in the picture of what is missing
SHARE = ".2~%"  # 0.25%, 5%, 50%


def picture_of(finding: Finding) -> Picture | None:
    """What a finding looks like; None where there is nothing to see."""
    draw = _DRAW.get(finding.kind)
    return draw(finding.evidence) if draw and finding.evidence else None


def missing_picture(columns: Sequence[ColumnSummary]) -> Picture | None:
    """Shares without a value by column, now and before; None where every value is there."""
    gaps = [one for one in columns if one.missing or one.missing_before]
    shown = sorted(gaps, key=lambda one: -max(one.missing, one.missing_before or 0))[:WIDEST][::-1]
    if not shown:
        return None
    names = [one.name for one in shown]
    traces = [_bars(names, [one.missing for one in shown], "now", NOW, lying=True)]
    if any(one.missing_before is not None for one in shown):
        traces.insert(0, _bars(names, [one.missing_before or 0 for one in shown], "before", BEFORE, lying=True))
    layout = plot_layout(height=110 + 26 * len(shown), margin_left=130)
    return {"data": traces, "layout": {**layout, "xaxis": {"tickformat": SHARE, "rangemode": "tozero"}}}


def _shift(evidence: Mapping[str, Any]) -> Picture | None:
    found = evidence.get("picture") or {}
    if "edges" in found:
        edges = found["edges"]
        places = [(low + high) / 2 for low, high in pairwise(edges)]
    elif "levels" in found:
        places = found["levels"]
    else:
        return None
    traces = [_bars(places, found["before"], "before", BEFORE), _bars(places, found["now"], "now", NOW)]
    axis = {"tickformat": SHARE, "title": {"text": "share of rows"}}
    return {"data": traces, "layout": {**plot_layout(), "yaxis": axis}}


def _outlier(evidence: Mapping[str, Any]) -> Picture | None:
    if not evidence.get("quantiles"):
        return None
    low, first, middle, third, high = (_value(each, evidence) for each in evidence["quantiles"].values())
    box = {
        "type": "box", "orientation": "h", "name": "98 % of the rows", "y": [""], "marker": {"color": NOW},
        "lowerfence": [low], "q1": [first], "median": [middle], "q3": [third], "upperfence": [high],
    }  # fmt: skip
    far = [_value(each, evidence) for each in evidence.get("far", ())]
    points = {
        "type": "scatter", "mode": "markers", "name": "far from all others", "x": far, "y": [""] * len(far),
        "marker": {"color": BAD, "size": 9, "symbol": "x"},
    }  # fmt: skip
    return {"data": [box, points], "layout": plot_layout(height=190)}


def _value(seconds: float, evidence: Mapping[str, Any]) -> float | str:
    """A number, or the time that it stands for as Plotly reads it."""
    if not evidence.get("temporal"):
        return seconds
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _category(evidence: Mapping[str, Any]) -> Picture | None:
    counts = evidence.get("categories") or evidence.get("vanished")
    return _counts(counts, "now" if "categories" in evidence else "before") if counts and len(counts) > 1 else None


def _classes(evidence: Mapping[str, Any]) -> Picture | None:
    return _counts(evidence["classes"], "now") if evidence.get("classes") else None


def _counts(counts: Mapping[str, int], name: str) -> Picture:
    bars = _bars([str(each) for each in counts], list(counts.values()), name, NOW if name == "now" else BEFORE)
    return {"data": [bars], "layout": {**plot_layout(height=240), "yaxis": {"title": {"text": "rows"}}}}


def _importance(evidence: Mapping[str, Any]) -> Picture | None:
    drops = dict(reversed(list(evidence.get("importance", {}).items())))
    if not drops:
        return None
    layout = plot_layout(height=120 + 28 * len(drops), margin_left=130)
    title = {"title": {"text": "fall of the ROC AUC when the column is shuffled"}}
    bars = _bars(list(drops), list(drops.values()), "", NOW, lying=True)
    return {"data": [bars], "layout": {**layout, "xaxis": title, "showlegend": False}}


def _bars(places: Sequence[Any], sizes: Sequence[float], name: str, colour: str, *, lying: bool = False) -> Picture:
    across = (
        {"x": list(sizes), "y": list(places), "orientation": "h"} if lying else {"x": list(places), "y": list(sizes)}
    )
    return {"type": "bar", "name": name, "marker": {"color": colour}, **across}


_DRAW: Mapping[str, Callable[[Mapping[str, Any]], Picture | None]] = {
    "shift": _shift,
    "outlier": _outlier,
    "category": _category,
    "class_balance": _classes,
    "multivariate_shift": _importance,
}
