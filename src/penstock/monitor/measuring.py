"""Which windows changed since the last look, and every measure of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

import polars as pl

from penstock.data import head
from penstock.digest import short
from penstock.errors import PenstockError
from penstock.ledger import Cursor, Ledger, Reader, SeriesPoint, Transaction, utc_now
from penstock.monitor.labels import FEEDBACK, joined, labels_of
from penstock.monitor.measures import (
    DRIFT,
    VOLUME,
    Judge,
    Measure,
    feature_drift,
    merged,
    quality,
    sample_of,
    score_drift,
    score_table,
    service,
    vectors_of,
)
from penstock.monitor.reference import Reference, reference_of
from penstock.monitor.windows import Progress, Stage, Window, latest_windows, window_starts
from penstock.project import Config, ProjectFile, load_function
from penstock.stats import Profile
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.validate import Metric

ALL = "*"  # all models together
TOGETHER = 16  # windows measured and written at a time
VECTORS = 50_000  # decoded at a time
_ANSWER = ("id", "key", "event_time", "model", "bundle", "score", "probabilities", "latency_us")


@dataclass(frozen=True)
class Logged:
    """What an endpoint has logged so far."""

    predictions: pl.LazyFrame
    feedback: pl.LazyFrame
    rows: int
    labels: int

    @classmethod
    def read(cls, reader: Reader, store: Store, endpoint: str) -> "Logged | None":
        """The newest versions of both datasets; None before the first prediction."""
        predictions, feedback = head(reader, f"predictions.{endpoint}"), head(reader, f"feedback.{endpoint}")
        if predictions is None:
            return None
        labels = store.scan(feedback.commit) if feedback else pl.LazyFrame(schema=dict(FEEDBACK))
        return cls(store.scan(predictions.commit), labels, predictions.rows, feedback.rows if feedback else 0)

    def since(self, progress: Progress) -> Progress:
        """With the windows that new predictions fall into, or predictions with new labels."""
        start = window_starts(pl.col("event_time"), progress.every).alias("window")
        new = self.predictions.slice(progress.predictions).select(start).unique().collect()["window"]
        late = self.feedback.slice(progress.feedback).select("prediction", "key").collect()
        keys = late.filter(pl.col("prediction").is_null())["key"].unique()
        named = pl.col("id").is_in(late["prediction"].implode()) | pl.col("key").is_in(keys.implode())
        told = self.predictions.filter(named).select(start).unique().collect()["window"] if late.height else new[:0]
        return progress.changed([*new, *told], predictions=self.rows, feedback=self.labels)


@dataclass(frozen=True)
class Measured:
    """What was measured, and what could not be, in words; `open_until` as in `Progress`."""

    points: tuple[SeriesPoint, ...] = ()
    notices: tuple[str, ...] = ()
    open_until: datetime | None = None


def measure_windows(project: ProjectFile, ledger: Ledger, store: Store, now: datetime) -> Measured:
    """Measure every window that is over at `now` and has changed, and remember how far that is.

    Of two looks at once, the one that comes second stops where the first has measured.
    """
    monitor = project.config.monitor
    name = f"windows.{project.config.deliver.endpoint}"
    with ledger.read() as reader:
        logged = Logged.read(reader, store, project.config.deliver.endpoint)
        cursor = reader.get(Cursor, name=name)
    if logged is None:
        return Measured()
    before = Progress.from_json(cursor.position if cursor else {}, monitor.window)
    progress = logged.since(before).bounded(now)
    todo = progress.due(now, monitor.labels_after)
    meter = Meter(project, store, logged, now)
    points: list[SeriesPoint] = []
    for some in [todo[at : at + TOGETHER] for at in range(0, len(todo), TOGETHER)] or [[]]:
        found = list(meter.points(some))
        progress = progress.measured(some)
        if progress == before:
            break
        moved = Cursor(name, progress.to_json(), utc_now())
        with ledger.write() as tx:
            if tx.get(Cursor, name=name) != cursor:
                break
            _forget(tx, project.config.deliver.endpoint, [window.start for window, _ in some])
            tx.add(*found)
            tx.put(moved)
        points, cursor = [*points, *found], moved
    if cursor and any(rule.metric == VOLUME for rule in monitor.alerts):
        points += _fill_silence(project, ledger, cursor, now)
    return Measured(tuple(points), tuple(meter.notices), progress.open_until(now))


def _forget(tx: Transaction, endpoint: str, starts: Sequence[datetime]) -> None:
    """Drop what was measured of windows before: a number that is no longer defined must not stay."""
    # a look-up by key: most windows were never measured, and need no scan
    known = tx.find(SeriesPoint, endpoint=endpoint, metric=VOLUME, subject="", model=ALL, window_start=list(starts))
    if known:
        tx.remove(SeriesPoint, endpoint=endpoint, window_start=[point.window_start for point in known])


def _fill_silence(project: ProjectFile, ledger: Ledger, cursor: Cursor, now: datetime) -> list[SeriesPoint]:
    """A volume of 0 for the latest windows in which nobody asked anything, so that an outage can alert."""
    with ledger.read() as reader:
        if not _silent(reader, project.config, now):
            return []
    with ledger.write() as tx:
        if tx.get(Cursor, name=cursor.name) != cursor:  # another look measures meanwhile
            return []
        silent = _silent(tx, project.config, now)
        tx.put(*silent)
    return silent


def _silent(reader: Reader, config: Config, now: datetime) -> list[SeriesPoint]:
    of: dict[str, Any] = {"endpoint": config.deliver.endpoint, "metric": VOLUME, "subject": "", "model": ALL}
    first = reader.find(SeriesPoint, **of, order_by="window_start", limit=1)
    windows = latest_windows(first[0].window_start, now, config.monitor.window) if first else []
    known = reader.find(SeriesPoint, **of, window_start=[window.start for window in windows])
    told = {(point.window_start, point.window_end) for point in known}
    return [
        SeriesPoint(**of, window_start=window.start, window_end=window.end, value=0.0, n=0, at=now)
        for window in windows
        if (window.start, window.end) not in told
    ]


class Meter:
    """Measures windows of one endpoint; reads each model's reference once. `notices`: what could not be measured."""

    def __init__(self, project: ProjectFile, store: Store, logged: Logged, now: datetime) -> None:
        self._config = project.config
        self._store = store
        self._logged = logged
        self._now = now
        self._references: dict[str, Reference | None] = {}
        self.notices: list[str] = []
        self._metrics = tuple(self._custom_metrics(project))

    def points(self, windows: Sequence[tuple[Window, Stage]]) -> Iterator[SeriesPoint]:
        """Every measure of each window: of each model, and of all together."""
        if not windows:
            return
        answered = self._logged.predictions.filter(pl.any_horizontal(_inside(window) for window, _ in windows))
        rows = answered.select(_ANSWER).collect()
        rows = joined(rows, labels_of(self._logged.feedback, rows))
        for window, stage in windows:
            for model, measure in self._measures(window, rows.filter(_inside(window)), stage):
                yield self._point(window, model, measure)

    def _measures(self, window: Window, rows: pl.DataFrame, stage: Stage) -> Iterator[tuple[str, Measure]]:
        drifts: list[Measure] = []
        for (model, bundle), part in rows.partition_by("model", "bundle", as_dict=True, maintain_order=True).items():
            found = [*service(part), *self._drift(window, model, bundle, part)]
            drifts += [one for one in found if one.metric in DRIFT]
            found += self._quality(bundle, part) if stage is Stage.QUALITY else []
            yield from ((model, one) for one in found)
        together = [*service(rows), *merged(drifts)]
        # several models are judged as the one that answered last: by its classes and its threshold
        together += self._quality(rows["bundle"][-1], rows) if stage is Stage.QUALITY else []
        yield from ((ALL, one) for one in together)

    def _drift(self, window: Window, model: str, bundle: str, rows: pl.DataFrame) -> Iterator[Measure]:
        reference = self._reference(bundle)
        if reference is None:
            return
        same = (pl.col("model") == model) & (pl.col("bundle") == bundle)
        logged = self._logged.predictions.filter(_inside(window), same).select("vector")
        profiles = (
            Profile.build(vectors_of(batch["vector"], reference.outputs), reference.vectors)
            for batch in logged.collect_batches(chunk_size=VECTORS)
        )
        yield from feature_drift(reference.vectors, reduce(Profile.merge, profiles))
        yield from score_drift(reference.scores, score_table(rows, reference.target))

    def _quality(self, bundle: str, rows: pl.DataFrame) -> Iterator[Measure]:
        from penstock.validate import metrics_for

        reference, objective = self._reference(bundle), self._config.objective
        if reference is None or not rows["truth"].count():
            return
        costs = objective.costs if objective else None
        sample = sample_of(rows, Judge(reference.target, reference.threshold, costs))
        for metric in (*metrics_for(sample.task, costs=costs is not None), *self._metrics):
            try:
                yield from quality(metric, sample)
            except PenstockError as error:  # a user's metric
                self._notice(f"{metric.name} was not measured: {error}")

    def _custom_metrics(self, project: ProjectFile) -> "Iterator[Metric]":
        """The user's functions that a KPI, a threshold or an alert names."""
        from penstock.validate import custom_metric

        named = {rule.metric for rule in self._config.monitor.alerts}
        if objective := self._config.objective:
            named |= {kpi.metric for kpi in objective.kpis} | set(objective.thresholds)
        for name in sorted(name for name in named if ":" in name):
            try:
                yield custom_metric(load_function(project.root, name, parameters=["y", "scores"]))
            except PenstockError as error:
                self._notice(f"{name} was not measured: {error}")

    def _reference(self, bundle: str) -> Reference | None:
        if bundle not in self._references:
            try:
                self._references[bundle] = reference_of(self._store, bundle)
            except PenstockError as error:
                self._references[bundle] = None
                self._notice(f"drift and quality of bundle {short(bundle)} were not measured: {error}")
        return self._references[bundle]

    def _point(self, window: Window, model: str, measure: Measure) -> SeriesPoint:
        endpoint = self._config.deliver.endpoint
        return SeriesPoint(
            endpoint=endpoint,
            metric=measure.metric,
            subject=measure.subject,
            window_start=window.start,
            window_end=window.end,
            model=model,
            value=measure.value,
            n=measure.n,
            at=self._now,
        )

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)


def _inside(window: Window) -> pl.Expr:
    return pl.col("event_time").is_between(window.start, window.end, closed="left")
