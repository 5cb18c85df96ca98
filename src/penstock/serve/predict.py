"""The hot path: rows in, predictions logged, reply out."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from penstock.bundle import Answers
from penstock.ids import new_ids
from penstock.serve.commit import GroupCommit
from penstock.serve.log import PredictionRecord, SegmentLog
from penstock.serve.protocol import RequestError, Row, encode_predictions
from penstock.serve.router import Route

THREADS = 4
QUEUE = 64


class Predictor:
    """Answers requests through a route and puts every answer on record first.

    Few rows are answered on the event loop; many rows, a slow model or a model that is busy, in a thread, so that the
    loop keeps answering health checks. A full queue is a 503 at once rather than a late answer.
    """

    def __init__(self, log: SegmentLog, commit: GroupCommit) -> None:
        self._log = log
        self._commit = commit
        self._queued = 0
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="predict")

    async def answer(self, route: Route, rows: Sequence[Row], started: float) -> bytes:
        """The reply to `rows`; `started` is when the request was complete (perf_counter)."""
        if len(rows) <= route.opened.inline_rows and route.opened.lock.acquire(blocking=False):
            try:
                reply, position = self._work(route, rows, started)
            finally:
                route.opened.lock.release()
        else:
            reply, position = await self._in_thread(route, rows, started)
        await self._commit.wait(position)
        return reply

    def close(self) -> None:
        """End the threads, after the requests that run."""
        self._threads.shutdown()

    async def _in_thread(self, route: Route, rows: Sequence[Row], started: float) -> tuple[bytes, int]:
        if self._queued >= QUEUE:
            raise RequestError(503, f"{QUEUE} requests wait already", hint="send it again later")
        self._queued += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._alone, route, rows, started)
        finally:
            self._queued -= 1

    def _alone(self, route: Route, rows: Sequence[Row], started: float) -> tuple[bytes, int]:
        with route.opened.lock:
            return self._work(route, rows, started)

    def _work(self, route: Route, rows: Sequence[Row], started: float) -> tuple[bytes, int]:
        bundle = route.opened.bundle
        requests, problems = bundle.signature.decode(rows)
        if problems:
            raise RequestError.bad_rows(problems)
        answers = bundle.predict(requests, route.views)
        records = list(records_of(route, rows, answers, started))
        return encode_predictions(records), self._log.append(records)


def records_of(route: Route, rows: Sequence[Row], answers: Answers, started: float) -> Iterator[PredictionRecord]:
    """One record per row: the request as it came, what the model saw and what it said."""
    latency = time.perf_counter() - started
    at = datetime.now(UTC)
    key = route.opened.bundle.features.spec.key
    vectors = answers.vectors.to_dicts() or [{}] * len(rows)
    for identifier, row, vector, verdict in zip(
        new_ids(len(rows)), rows, vectors, verdicts(route, answers), strict=True
    ):
        yield PredictionRecord(
            id=identifier,
            at=at,
            endpoint=route.endpoint,
            model=route.model.name,
            number=route.model.number,
            bundle=route.model.bundle,
            generation=route.generation,
            role=route.role,
            key=row.get(key) if key else None,
            request=row,
            vector=vector,
            latency_us=round(latency * 1e6),
            **verdict,
        )


def verdicts(route: Route, answers: Answers) -> Iterator[dict[str, Any]]:
    """Score, label and probabilities of each row, as plain values."""
    bundle = route.opened.bundle
    scores, labels = answers.scores.tolist(), plain(answers.labels)
    if bundle.task == "regression":
        yield from ({"score": score} for score in scores)
    elif bundle.task == "binary":
        yield from ({"score": score, "label": label} for score, label in zip(scores, labels, strict=True))
    else:
        names = [str(name) for name in plain(bundle.classes)]
        for row, label in zip(scores, labels, strict=True):
            yield {"score": max(row), "label": label, "probabilities": dict(zip(names, row, strict=True))}


def plain(values: Any) -> list[Any]:
    """Python values of a list or an array."""
    return values.tolist() if hasattr(values, "tolist") else list(values)
