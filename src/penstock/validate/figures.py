"""Pictures of a card, as SVG text drawn from the record."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from penstock.report import Figure

INK, SOFT, GOOD, BAD = "#1c2733", "#9aa7b4", "#11734b", "#b3261e"
SIZE, EDGE = 320, 46
ROW, LABELS, WIDTH = 22, 190, 620


def calibration_figure(bins: Sequence[Mapping[str, Any]], task: str) -> Figure:
    """What came true over what was predicted; on the diagonal a prediction keeps its word."""
    ends = [number for b in bins for number in (b["claimed"], b["value"], b["low"], b["high"]) if number is not None]
    low, high = (0.0, 1.0) if task != "regression" else (min(ends), max(ends))
    place = _scale(low, high, EDGE, SIZE - 12)
    parts = [
        _line(place(low), SIZE - place(low), place(high), SIZE - place(high), SOFT, dashed=True),
        *(_text(place(x), SIZE - EDGE + 18, f"{x:.3g}", "middle") for x in _ticks(low, high)),
        *(_text(EDGE - 8, SIZE - place(y) + 4, f"{y:.3g}", "end") for y in _ticks(low, high)),
        _text((EDGE + SIZE) / 2, SIZE - 8, "predicted", "middle"),
    ]
    for b in bins:
        x = place(b["claimed"])
        if b["low"] is not None:
            parts.append(_line(x, SIZE - place(b["low"]), x, SIZE - place(b["high"]), INK))
        parts.append(f'<circle cx="{x:.1f}" cy="{SIZE - place(b["value"]):.1f}" r="4" fill="{INK}"/>')
    return Figure(_svg(SIZE, SIZE, parts), "What came true over what was predicted, with 95 % intervals.")


def slice_figure(gate: Mapping[str, Any]) -> Figure:
    """A gate's groups or slices, each an interval; those not judged are grey."""
    rows = [row for row in gate["table"] if row["value"] is not None]
    ends = [number for row in rows for number in (row["value"], row["low"], row["high"]) if number is not None]
    bound = gate["limit"] if gate["kind"] == "bound" else None
    ends += [bound] if bound is not None else []
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    place = _scale(low, high, LABELS, WIDTH - 20)
    height = ROW * (len(gate["table"]) + 1) + 8
    parts = [] if bound is None else [_line(place(bound), 4, place(bound), height - ROW, SOFT, dashed=True)]
    for index, row in enumerate(gate["table"]):
        parts += _slice_row(row, ROW * index + ROW // 2 + 6, place)
    parts += [_text(place(x), height - 4, f"{x:.3g}", "middle") for x in (low, high)]
    small = "; grey: too few rows to judge" if any(not row["judged"] for row in gate["table"]) else ""
    return Figure(_svg(WIDTH, height, parts), f"{gate['name']}: {gate['metric']} with simultaneous intervals{small}.")


def _slice_row(row: Mapping[str, Any], y: float, place: Any) -> list[str]:
    colour = INK if row["judged"] else SOFT
    colour = {"FAIL": BAD, "PASS": GOOD}.get(row.get("outcome", ""), colour)
    parts = [_text(LABELS - 12, y + 4, f"{row['slice']} ({row['n']:,})", "end", colour)]
    if row["value"] is None:
        return parts
    if row["low"] is not None and row["high"] is not None:
        parts.append(_line(place(row["low"]), y, place(row["high"]), y, colour))
    return [*parts, f'<circle cx="{place(row["value"]):.1f}" cy="{y}" r="4" fill="{colour}"/>']


def _scale(low: float, high: float, start: float, end: float) -> Any:
    width = high - low or 1.0
    return lambda value: start + (end - start) * (value - low) / width


def _ticks(low: float, high: float) -> list[float]:
    return [low, (low + high) / 2, high]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="1.6"{dash}/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
    return f'{head} font-family="system-ui, sans-serif" font-size="12">{"".join(parts)}</svg>'
