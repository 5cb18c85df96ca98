"""Pictures of a card, as SVG text drawn from the record."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from penstock.report import Figure, measured

INK, SOFT, GOOD, BAD = "#1c2733", "#9aa7b4", "#11734b", "#b3261e"
SIZE, EDGE, TOP, LETTER = 260, 46, 32, 7
ROW, LABELS, WIDTH = 22, 190, 620


def calibration_figure(bins: Sequence[Mapping[str, Any]], task: str) -> Figure:
    """What came true over what was predicted; on the diagonal a prediction keeps its word."""
    ends = [number for b in bins for number in (b["claimed"], b["value"], b["low"], b["high"]) if number is not None]
    low, high = (0.0, 1.0) if task != "regression" else (min(ends), max(ends))
    ticks = [(at, _tick(at)) for at in (low, (low + high) / 2, high)]
    left = max(EDGE, 14 + LETTER * max(len(text) for _, text in ticks))
    across, up = _scale(low, high, left, left + SIZE), _scale(low, high, SIZE + TOP, TOP)
    parts = [
        _line(across(low), up(low), across(high), up(high), SOFT, dashed=True),
        *(_text(across(x), SIZE + TOP + 20, text, "middle") for x, text in ticks),
        *(_text(left - 10, up(y) + 4, text, "end") for y, text in ticks),
        _text(left + SIZE / 2, SIZE + TOP + 38, "predicted", "middle"),
        _text(0, TOP - 16, "came true", "start"),
    ]
    for b in bins:
        x = across(b["claimed"])
        if b["low"] is not None:
            parts.append(_line(x, up(b["low"]), x, up(b["high"]), INK))
        parts.append(f'<circle cx="{x:.1f}" cy="{up(b["value"]):.1f}" r="4" fill="{INK}"/>')
    caption = "What came true over what was predicted, with 95 % intervals."
    return Figure(_svg(2 * left + SIZE, SIZE + TOP + EDGE, parts), caption)


def slice_figure(gate: Mapping[str, Any]) -> Figure:
    """A gate's groups or slices, each an interval; those not judged are grey."""
    rows = [row for row in gate["table"] if row["value"] is not None]
    ends = [number for row in rows for number in (row["value"], row["low"], row["high"]) if number is not None]
    bound = gate["limit"] if gate["kind"] == "bound" else None
    ends += [bound] if bound is not None else []
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    place = _scale(low, high, LABELS, WIDTH - 40)
    height = ROW * (len(gate["table"]) + 1) + 8
    parts = [] if bound is None else [_line(place(bound), 4, place(bound), height - ROW, SOFT, dashed=True)]
    for index, row in enumerate(gate["table"]):
        parts += _slice_row(row, ROW * index + ROW // 2 + 6, place)
    parts += [_text(place(x), height - 4, _tick(x), "middle") for x in (low, high)]
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


def _tick(value: float) -> str:
    return measured(float(f"{value:.3g}"))


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="1.6"{dash}/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
    return f'{head} font-family="system-ui, sans-serif" font-size="12">{"".join(parts)}</svg>'
