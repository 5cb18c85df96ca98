"""The requirements sheet: the objective as a page that a stakeholder can sign."""

from collections.abc import Iterator

from penstock.digest import short
from penstock.objective.signing import Agreement
from penstock.project import Objective, format_duration
from penstock.report import Document, Heading, Table, Text, agreed

AIMS = {"minimise": "at most", "maximise": "at least"}


def sheet(name: str, objective: Objective, agreement: Agreement) -> Document:
    """The objective of project `name` with its signatures."""
    blocks = [
        Text(objective.problem),
        Table(("", ""), list(_facts(objective))),
        Heading("What counts as good"),
        Table(("measure", "must be"), list(_bounds(objective))),
        Heading("Signatures"),
        *_signatures(agreement),
    ]
    return Document(f"{name}: requirements", blocks)


def _facts(objective: Objective) -> Iterator[tuple[str, object]]:
    target = objective.target
    event = f" = {target.positive!r}" if target.task == "binary" else ""
    yield "Decision", objective.decision
    yield "Owner", objective.owner
    yield "Serving", objective.serving
    yield "Predicted", f"{target.column}{event} ({target.task})"
    if costs := objective.costs:
        yield "A missed event costs", f"{agreed(costs.false_negative)} {costs.unit}".strip()
        yield "A false alarm costs", f"{agreed(costs.false_positive)} {costs.unit}".strip()


def _bounds(objective: Objective) -> Iterator[tuple[str, str]]:
    for kpi in objective.kpis:
        yield f"{kpi.name} ({kpi.metric})", f"{AIMS[kpi.goal]} {agreed(kpi.target)} {kpi.unit}".strip()
    for metric, bound in objective.thresholds.items():
        if bound.min is not None:
            yield metric, f"at least {agreed(bound.min)}"
        if bound.max is not None:
            yield metric, f"at most {agreed(bound.max)}"
    slas = objective.slas
    if slas.latency_p95:
        yield "latency, 95 of 100 requests", f"at most {format_duration(slas.latency_p95)}"
    if slas.availability:
        yield "availability", f"at least {slas.availability:.4%}"
    if slas.freshness:
        yield "age of the newest training row", f"at most {format_duration(slas.freshness)}"


def _signatures(agreement: Agreement) -> Iterator[Text | Table]:
    yield Text(f"Objective {short(agreement.objective)}", note=True)
    if agreement.signatures:
        rows = [(s.name, s.role, f"{s.at:%Y-%m-%d %H:%M} UTC", s.note) for s in agreement.signatures]
        yield Table(("name", "role", "signed", "note"), rows)
    else:
        yield Text("Nobody has signed this text yet: penstock objective sign --as NAME --role ROLE")
    if agreement.outdated:
        count = len(agreement.outdated)
        void = "1 earlier signature is void" if count == 1 else f"{count} earlier signatures are void"
        yield Text(f"{void}: the objective has changed since.", note=True)
