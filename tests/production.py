"""A toy project in production, and logs as its server writes them, without a server."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import toy

from penstock import Project
from penstock.ids import new_id
from penstock.ledger import ModelVersion
from penstock.serve.log import FeedbackRecord, PredictionRecord, SegmentLog
from penstock.validate import open_sealed

FEBRUARY = datetime(2024, 2, 1)


def put_in_production(trained: Path, root: Path) -> Path:
    """A copy of a trained project whose first version answers users."""
    project = Project.open(toy.copy_project(trained, root), actor="ada")
    project.objective.sign(role="owner")
    project.promote(reason="first")
    return root


def parts(project: Project) -> tuple[Any, Any, Any]:
    """Project file, ledger and store, as the steps take them."""
    work = project._workspace
    return work.project, work.ledger, work.store


def answer(
    project: Project, rows: pl.DataFrame, *, version: str = "1", at: datetime | None = None
) -> list[PredictionRecord]:
    """What the server would log when asked about these parcels (their `late` is not looked at)."""
    file, ledger, store = parts(project)
    with ledger.read() as reader:
        model = reader.get(ModelVersion, model="parcels", number=int(version))
    bundle = open_sealed(file, ledger, store, model.bundle)
    depots = store.scan(project.data.version("depots").commit)
    requests = rows.drop("late")
    answers = bundle.predict(requests, {"load": bundle.features.view_rows("load", depots)})
    return [
        PredictionRecord(
            id=new_id(),
            at=at or datetime.now(UTC),
            endpoint="parcels",
            model=model.name,
            number=model.number,
            bundle=model.bundle,
            generation=1,
            role="champion",
            key=request["parcel_id"],
            request=request,
            vector=vector,
            score=float(score),
            label=bool(label),
            latency_us=1000 + 10 * number,
        )
        for number, (request, vector, score, label) in enumerate(
            zip(
                bundle.signature.encode(requests),
                answers.vectors.to_dicts(),
                answers.scores,
                answers.labels,
                strict=True,
            )
        )
    ]


def outcomes(rows: pl.DataFrame, *, at: datetime | None = None) -> list[FeedbackRecord]:
    """Feedback by key: whether each parcel was late."""
    return [told(label, key=key, at=at) for key, label in rows.select("parcel_id", "late").iter_rows()]


def told(label: Any, *, prediction: str | None = None, key: Any = None, at: datetime | None = None) -> FeedbackRecord:
    moment = at or datetime.now(UTC)
    return FeedbackRecord(id=new_id(), at=moment, endpoint="parcels", prediction=prediction, key=key, label=label)


def log(
    project: Project, records: Iterable[PredictionRecord | FeedbackRecord], *, segment_bytes: int = 1 << 26
) -> None:
    """Append records as a server does, in a segment of their own."""
    kinds: dict[Any, list[Any]] = {"predictions": [], "feedback": []}
    for record in records:
        kinds["predictions" if isinstance(record, PredictionRecord) else "feedback"].append(record)
    for kind, some in kinds.items():
        if some:
            segments = SegmentLog(project._workspace.serve_directory / "log", kind, segment_bytes=segment_bytes)
            for record in some:
                segments.append([record])
            segments.close()


def february(rows: int, *, day: int = 1, seed: int = 2, flip: bool = False) -> pl.DataFrame:
    """Parcels of February, an hour apart from the first hour of `day`."""
    return toy.parcels(rows, seed=seed, start=FEBRUARY + timedelta(days=day - 1), flip=flip)


def noon(day: int) -> datetime:
    """A moment in February."""
    return datetime(2024, 2, day, 12, tzinfo=UTC)


def values(project: Project, metric: str, *, subject: str = "", model: str = "*") -> Sequence[tuple[int, float, int]]:
    """Day of February, value and rows of each point of a series."""
    points = project.monitor.series(metric, subject=subject, model=model)
    return [(point.window_start.day, round(point.value, 6), point.n) for point in points]
