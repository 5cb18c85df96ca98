"""The model card: an evaluation for people, made from its record alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from penstock.digest import short
from penstock.report import Document, Figure, Heading, Table, Text, agreed, measured
from penstock.validate.figures import calibration_figure, slice_figure

Block = Figure | Heading | Table | Text

VERDICTS = {
    "PASS": "Every gate that can block has passed.",
    "FAIL": "It fails a gate that blocks: it may not be promoted.",
    "UNDECIDED": "A gate that can block is undecided: it may not be promoted before more rows decide it.",
}
IF_NOT = {"block": "blocks", "warn": "warns"}
GOALS = {"maximise": "more", "minimise": "less", "zero": "closer to 0", "none": ""}


def card(record: Mapping[str, Any], version: str = "") -> Document:
    """The card of a recorded evaluation; of `version`, `flight-delay@3`, where it has become one."""
    bundle = record["bundle"]
    blocks: list[Block] = [
        Text(f"{record['verdict']}. {VERDICTS[record['verdict']]}"),
        Table(("", ""), list(_identity(record))),
        Heading("What it is for"),
        *_purpose(record["objective"]),
        Heading("Gates"),
        *_gates(record["gates"]),
        Heading("Measures"),
        *_measures(record),
        *_calibration(record),
        *_slices(record["slices"]),
        *_cases(record["cases"]),
        Heading("Where it comes from"),
        Table(("", ""), list(_origin(record))),
    ]
    title = version or f"{record['model']}, bundle {short(bundle['digest'])}"
    return Document(f"{title}: model card", blocks)


def _identity(record: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    bundle, data = record["bundle"], record["data"]
    event = f", event {bundle['classes'][1]!r}" if bundle["task"] == "binary" else ""
    yield "Predicts", f"{bundle['target']} ({bundle['task']}{event})"
    yield "Judged", f"{record['at'][:16].replace('T', ' ')} UTC, on {data['rows']:,} rows it was not trained on"
    yield "Against", f"champion {short(record['champion'])}" if record["champion"] else "no champion"
    if bundle["threshold"] is not None:
        yield "Decides for the event from", bundle["threshold"]
    if data["trained_until"]:
        yield "Newest training row", data["trained_until"][:16].replace("T", " ")


def _purpose(objective: Mapping[str, Any]) -> Iterator[Block]:
    yield Text(objective["problem"])
    rows = [("Decision", objective["decision"]), ("Owner", objective["owner"])]
    if costs := objective["costs"]:
        rows.append(("A missed event costs", f"{agreed(costs['false_negative'])} {costs['unit']}".strip()))
        rows.append(("A false alarm costs", f"{agreed(costs['false_positive'])} {costs['unit']}".strip()))
    yield Table(("", ""), rows)


def _gates(gates: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    if not gates:
        yield Text("The project has no gates.")
        return
    rows = [(g["name"], g["outcome"], IF_NOT[g["severity"]], g["reason"]) for g in gates]
    yield Table(("gate", "outcome", "if not", "why"), rows)
    for gate in gates:
        if gate["table"]:
            yield slice_figure(gate)


def _measures(record: Mapping[str, Any]) -> Iterator[Block]:
    rows = [
        (m["metric"], m["value"], span(m), m["champion"], m["baseline"], GOALS[m["goal"]]) for m in record["metrics"]
    ]
    yield Table(("metric", "value", "95 % interval", "champion", "baseline", "better is"), rows)
    if counts := record["confusion"]:
        table = [
            ("event", counts["true_positive"], counts["false_negative"]),
            ("no event", counts["false_positive"], counts["true_negative"]),
        ]
        yield Table(("truth", "decided for the event", "decided against"), table)
    if apart := record["disagreement"]:
        yield Text(
            f"It decides otherwise than the champion on {apart['n']:,} rows ({apart['share']:.1%}); "
            f"on {apart['candidate_right']:,} of them it is right."
        )
    if times := record["latency"]:
        ms = {name: f"{1000 * times[name]:.3g} ms" for name in ("p50", "p95", "p99")}
        yield Text(
            f"One request takes {ms['p50']} (median), {ms['p95']} (95 of 100), {ms['p99']} (99 of 100); "
            f"{times['calls']} requests, on the machine that judged.",
            note=True,
        )


def _calibration(record: Mapping[str, Any]) -> Iterator[Block]:
    if len(record["calibration"]) > 1:
        yield Heading("Calibration")
        yield calibration_figure(record["calibration"], record["bundle"]["task"])
        rows = [(b["claimed"], b["value"], span(b), b["n"]) for b in record["calibration"]]
        yield Table(("predicted", "came true", "95 % interval", "rows"), rows)


def _slices(slices: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    for cut in slices:
        metrics = list(cut["groups"][0]["metrics"]) if cut["groups"] else []
        rows = [
            (group["name"], group["n"], *(_estimate(group["metrics"][name]) for name in metrics))
            for group in cut["groups"]
        ]
        yield Heading(f"By {cut['column']}")
        yield Table((cut["column"], "rows", *metrics), rows)


def _cases(cases: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    if cases:
        yield Heading("Known cases")
        rows = [(case["name"], "PASS" if case["holds"] else "FAIL", case["found"], case["reason"]) for case in cases]
        yield Table(("case", "outcome", "found", "kept because"), rows)


def _origin(record: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    bundle, lineage = record["bundle"], record["bundle"]["lineage"]
    yield "Bundle", bundle["digest"]
    yield "Content of the model", bundle["content_hash"]
    yield "Its answers on the probe", bundle["probe_hash"]
    yield "Format", bundle["format"]
    yield "Features", ", ".join(bundle["features"])
    yield from ((name.replace("_", " "), _lineage(value)) for name, value in sorted(lineage.items()))
    yield "Holdout", record["data"]["holdout"]
    yield "Objective", record["objective"]["digest"]
    yield "Gates", record["gates_digest"]


def _lineage(value: object) -> object:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {inner}" for name, inner in sorted(value.items()))
    return value


def _estimate(numbers: Mapping[str, float | None]) -> str:
    value = numbers["value"]
    return "–" if value is None else f"{measured(value)} ({span(numbers)})"


def span(numbers: Mapping[str, Any]) -> str:
    """`0.662 to 0.680`, or a dash where nothing is known."""
    low, high = numbers["low"], numbers["high"]
    return "–" if low is None or high is None else f"{measured(low)} to {measured(high)}"
