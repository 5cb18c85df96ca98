"""The ASGI application: `POST /predict/…` before any framework, Starlette for everything else."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import prometheus_client
from starlette import routing
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock.errors import PenstockError
from penstock.serve.commit import GroupCommit
from penstock.serve.feedback import Truth, read_feedback
from penstock.serve.limits import Limits
from penstock.serve.log import LogError, SegmentLog
from penstock.serve.metrics import Metrics
from penstock.serve.pages import docs_page, openapi
from penstock.serve.predict import Predictor, plain
from penstock.serve.protocol import RequestError, decode_rows, encode, encode_error
from penstock.serve.router import Route, Table

PREDICT = "/predict/"
_STRAY = {404: "there is nothing at this address", 405: "this address is asked with another method"}
_log = logging.getLogger("penstock.serve")


class ClientGoneError(Exception):
    """The client hung up before the request was complete: nobody waits for a reply."""


class App:
    """Serves what `table()` says at the moment of each request."""

    def __init__(
        self,
        table: Callable[[], Table],
        predictions: SegmentLog,
        feedback: SegmentLog,
        metrics: Metrics,
        limits: Limits,
    ) -> None:
        self._table = table
        self._metrics = metrics
        self._limits = limits
        self._commits = (GroupCommit(predictions), GroupCommit(feedback))
        self._predictor = Predictor(predictions, self._commits[0])
        self._feedback_log = feedback
        self._started_at = datetime.now(UTC)
        self._rest = self._framework()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(PREDICT):
            await self._predict(scope["path"][len(PREDICT) :], receive, send)
        else:
            await self._rest(scope, receive, send)

    def close(self) -> None:
        """End the threads, after the work that they do."""
        self._predictor.close()
        for commit in self._commits:
            commit.close()

    async def _predict(self, endpoint: str, receive: Receive, send: Send) -> None:
        route: Route | None = None
        try:
            body = await read_body(receive, self._limits.max_body)
            started = time.perf_counter()
            # One look at the table per request: the whole answer is of one generation.
            route = find_route(self._table(), endpoint)
            rows = decode_rows(body, self._limits.max_rows)
            reply = await self._predictor.answer(route, rows, started)
        except ClientGoneError:
            return
        except Exception as error:
            status, reply = refusal(error)
            reached = (route.endpoint, route.model.name) if route else ("", "")
            self._metrics.refused("predict", *reached, status)
        else:
            status = 200
            self._metrics.predicted(endpoint, route.model.name, len(rows), time.perf_counter() - started)
        await respond(send, status, reply)

    async def _feedback(self, request: Request) -> Response:
        endpoint: str = request.path_params["endpoint"]
        body = await read_body(request.receive, self._limits.max_body)
        bundle = find_route(self._table(), endpoint).opened.bundle
        truth = Truth(bundle.task, tuple(plain(bundle.classes or ())))
        rows = decode_rows(body, self._limits.max_rows)
        records = read_feedback(rows, endpoint, truth, datetime.now(UTC))
        await self._commits[1].wait(self._feedback_log.append(records))
        self._metrics.feedback(endpoint, len(records))
        return json({"accepted": len(records)})

    async def _health(self, _: Request) -> Response:
        table = self._table()
        refused = table.problem or any(endpoint.error for endpoint in table.endpoints.values())
        return json(
            {
                "status": "degraded" if refused else "ok",
                "ready": table.ready,
                "started_at": self._started_at,
                "endpoints": table.endpoints,
                "problem": table.problem,
            }
        )

    async def _ready(self, _: Request) -> Response:
        table = self._table()
        waiting = [name for name in table.endpoints if name not in table.routes]
        return json({"ready": table.ready, "waiting_for": waiting}, 200 if table.ready else 503)

    async def _scrape(self, _: Request) -> Response:
        return Response(self._metrics.render(), headers={"content-type": prometheus_client.CONTENT_TYPE_LATEST})

    async def _openapi(self, _: Request) -> Response:
        return json(openapi(self._table()))

    async def _docs(self, _: Request) -> Response:
        return Response(docs_page(), media_type="text/html")

    async def _home(self, _: Request) -> Response:
        return RedirectResponse("/docs")

    async def _use_post(self, _: Request) -> Response:
        raise RequestError(405, "a prediction is asked for with POST", hint="GET /docs shows how")

    async def _failed(self, request: Request, error: Exception) -> Response:
        if isinstance(error, ClientGoneError):
            return Response(status_code=499)
        status, reply = refusal(error)
        if request.url.path.startswith("/feedback/"):
            self._metrics.refused("feedback", "", "", status)
        further = error.headers if isinstance(error, HTTPException) else None
        return Response(reply, status, {**headers_of(status), **(further or {})})

    def _framework(self) -> ASGIApp:
        routes = [
            routing.Route("/", self._home),
            routing.Route("/docs", self._docs),
            routing.Route("/feedback/{endpoint}", self._feedback, methods=["POST"]),
            routing.Route("/health", self._health),
            routing.Route("/metrics", self._scrape),
            routing.Route("/openapi.json", self._openapi),
            routing.Route("/predict/{endpoint}", self._use_post),
            routing.Route("/ready", self._ready),
        ]
        handlers = dict.fromkeys((HTTPException, PenstockError, ClientGoneError, Exception), self._failed)
        return Starlette(routes=routes, exception_handlers=handlers)


def find_route(table: Table, endpoint: str) -> Route:
    """The route of an endpoint. RequestError 404 when there is none, 503 while it is being loaded."""
    route = table.routes.get(endpoint)
    if route:
        return route
    if endpoint in table.endpoints:
        why = table.endpoints[endpoint].error
        raise RequestError(
            503, f"endpoint {endpoint!r} cannot answer: {why}" if why else f"endpoint {endpoint!r} is being loaded"
        )
    raise RequestError.unknown_endpoint(endpoint, sorted(table.endpoints))


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. RequestError 413 beyond `limit` bytes, ClientGoneError when the client hung up."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            # Read on and throw away: a client that still sends would see a reset instead of the reply.
            chunks.clear()
        if not message.get("more_body", False):
            break
    if size > limit:
        raise RequestError(
            413, f"the body has {size} bytes", expected=f"at most {limit}", hint="send the rows in parts"
        )
    return b"".join(chunks)


def refusal(error: Exception) -> tuple[int, bytes]:
    """Status and body of the reply to a request that failed."""
    match error:
        case RequestError():
            return error.status, encode_error(error)
        case LogError():
            _log.error("%s", error)
            return 503, encode_error(error)
        case HTTPException():
            what = _STRAY.get(error.status_code, error.detail)
            return error.status_code, encode_error(PenstockError(what, hint="GET /docs shows what there is"))
    _log.error("a request failed", exc_info=error)
    # What user code raised may quote data of other people: it belongs into the server's log, not into a reply.
    return 500, encode_error(
        PenstockError("the server failed on this request", hint="the server's log holds the reason")
    )


def headers_of(status: int) -> Mapping[str, str]:
    """Headers of a JSON reply."""
    return {"content-type": "application/json", **({"retry-after": "1"} if status == 503 else {})}


def json(value: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(encode(value), status, headers_of(status))


async def respond(send: Send, status: int, body: bytes) -> None:
    """Send a JSON reply."""
    headers = [(name.encode(), value.encode()) for name, value in headers_of(status).items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
