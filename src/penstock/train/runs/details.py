"""One run, whole: its record, and everything that hangs on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.ledger import Artifact, Evaluation, Metric, Param, Run, Tag, curve
from penstock.train.runs.comparison import Curve, curve_of

if TYPE_CHECKING:
    from penstock.ledger import Reader


@dataclass(frozen=True)
class RunDetails:
    """A run with everything recorded about it; a metric with several values has a curve."""

    run: Run
    params: tuple[Param, ...]
    metrics: tuple[Metric, ...]
    tags: tuple[Tag, ...]
    artifacts: tuple[Artifact, ...]
    evaluations: tuple[Evaluation, ...]
    curves: tuple[Curve, ...]


def run_details(reader: "Reader", run: Run) -> RunDetails:
    """Everything recorded about a run."""
    metrics = tuple(reader.find(Metric, run=run.id, order_by="name"))
    return RunDetails(
        run,
        tuple(reader.find(Param, run=run.id, order_by="name")),
        metrics,
        tuple(reader.find(Tag, run=run.id, order_by="name")),
        tuple(reader.find(Artifact, run=run.id, order_by="name")),
        tuple(reader.find(Evaluation, bundle=run.bundle, order_by="at")) if run.bundle else (),
        tuple(curve_of(run, curve(reader, metric)) for metric in metrics if metric.n > 1),
    )
