"""The loop at a glance."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.api.maturity import Maturity, maturity
from penstock.api.workspace import Workspace
from penstock.deliver import find_version, in_production, lacks
from penstock.errors import UsageError
from penstock.ledger import Action, Alert, Deployment, ModelVersion, Reader, SeriesPoint, Version
from penstock.objective import agreement
from penstock.project import Config
from penstock.report import agreed

RECENT = 32  # windows
MIN_ROWS = 100  # the default of `min_n`


@dataclass(frozen=True)
class Production:
    """What answers users, since when and why."""

    version: ModelVersion
    since: datetime
    by: str
    reason: str


@dataclass(frozen=True)
class Number:
    """A monitored number against the objective, of the newest window that has rows enough to judge by.

    holds   None when no window has: the newest one is told, and says nothing yet
    """

    metric: str
    value: float
    aim: str
    holds: bool | None
    window_start: datetime
    n: int


@dataclass(frozen=True)
class Status:
    """The state of a project.

    candidate   the newest version that is not in production, and what it lacks
    serving     the address of the running server
    due         what the loop or a person does next
    """

    project: str
    data: tuple[Version, ...]
    production: Production | None
    candidate: ModelVersion | None
    candidate_lacks: tuple[str, ...]
    signed_by: tuple[str, ...]
    numbers: tuple[Number, ...]
    alerts: tuple[Alert, ...]
    last_action: Action | None
    serving: str | None
    due: str
    maturity: Maturity


def status(workspace: Workspace) -> Status:
    """Read it all from the ledger."""
    project = workspace.project
    config = project.config
    with workspace.ledger.read() as reader:
        candidate = _candidate(reader, config)
        missing = lacks(reader, project, candidate, "production") if candidate and config.objective else ()
        agreed = agreement(reader, project) if config.objective else None
        production = _production(reader, config)
        alerts = tuple(reader.find(Alert, endpoint=config.deliver.endpoint, state="firing", order_by="opened_at"))
        actions = reader.find(Action, order_by="-started_at", limit=1)
        names = (*config.data.datasets, *config.data.transforms)
        heads = [head for name in names if (head := _head(reader, name, project.branch))]
        return Status(
            project=config.name,
            data=tuple(heads),
            production=production,
            candidate=candidate,
            candidate_lacks=missing,
            signed_by=tuple(f"{s.name} ({s.role})" for s in agreed.signatures) if agreed else (),
            numbers=tuple(_numbers(reader, config)),
            alerts=alerts,
            last_action=actions[0] if actions else None,
            serving=_serving(workspace),
            due=_due(heads, production, candidate, missing),
            maturity=maturity(reader, project),
        )


def _head(reader: Reader, dataset: str, branch: str) -> Version | None:
    from penstock.data import current

    return current(reader, dataset, branch)


def _production(reader: Reader, config: Config) -> Production | None:
    version = in_production(reader, config.name)
    if version is None:
        return None
    deployments = reader.find(Deployment, endpoint=config.deliver.endpoint, order_by="-generation")
    decided = next((d for d in deployments if d.kind != "refresh" and d.bundle == version.bundle), None)
    if decided is None:
        return Production(version, version.created_at, "", "")
    return Production(version, decided.at, decided.actor, decided.reason)


def _candidate(reader: Reader, config: Config) -> ModelVersion | None:
    try:
        newest = find_version(reader, config.name)
    except UsageError:
        return None
    return newest if newest.state in ("candidate", "staging") else None


def _numbers(reader: Reader, config: Config) -> Iterator[Number]:
    """Every metric that the objective bounds."""
    if config.objective is None:
        return
    for metric, aim, low, high in _aims(config):
        points = reader.find(
            SeriesPoint,
            endpoint=config.deliver.endpoint,
            metric=metric,
            subject="",
            model="*",
            order_by="-window_start",
            limit=RECENT,
        )
        least = _least_rows(config, metric)
        enough = [point for point in points if point.n >= least]
        for point in (enough or points)[:1]:
            holds = (low is None or point.value >= low) and (high is None or point.value <= high)
            yield Number(metric, point.value, aim, holds if enough else None, point.window_start, point.n)


def _least_rows(config: Config, metric: str) -> int:
    """What the alerts on the metric ask for; what an alert asks for by default where there is none."""
    kpis = config.objective.kpis if config.objective else ()
    names = {metric, *(kpi.name for kpi in kpis if kpi.metric == metric)}
    asked = [rule.min_n for rule in config.monitor.alerts if rule.metric in names]
    return min(asked, default=MIN_ROWS)


def _aims(config: Config) -> Iterator[tuple[str, str, float | None, float | None]]:
    objective = config.objective
    assert objective is not None
    for kpi in objective.kpis:
        if kpi.goal == "minimise":
            yield kpi.metric, f"≤ {agreed(kpi.target)}", None, kpi.target
        else:
            yield kpi.metric, f"≥ {agreed(kpi.target)}", kpi.target, None
    for metric, bound in objective.thresholds.items():
        sides = [f"{sign} {agreed(limit)}" for sign, limit in (("≥", bound.min), ("≤", bound.max)) if limit is not None]
        yield metric, ", ".join(sides), bound.min, bound.max
    if objective.slas.latency_p95:
        milliseconds = objective.slas.latency_p95 / timedelta(milliseconds=1)
        yield "latency_p95", f"≤ {milliseconds:g} ms", None, milliseconds


def _serving(workspace: Workspace) -> str | None:
    from penstock.deliver.serving_state import read_applied, server_running

    if not server_running(workspace.serve_directory):
        return None
    applied = read_applied(workspace.serve_directory)
    return applied.url if applied else None


def _due(
    heads: list[Version], production: Production | None, candidate: ModelVersion | None, missing: tuple[str, ...]
) -> str:
    if not heads or (production is None and candidate is None):
        return "penstock run"
    if candidate and missing:
        return missing[0]
    if candidate:
        return f"penstock promote {candidate.number}"
    return "penstock improve tick  # or `penstock up`, which looks by itself"
