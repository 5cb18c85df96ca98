"""The ASGI application: a request is a transaction, done in a thread, and answered in MLflow's own forms."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from penstock.mlflow.artifact_app import ARTIFACTS, ArtifactApp
from penstock.mlflow.asgi import ClientGoneError, read_body, respond
from penstock.mlflow.errors import refusal, refused
from penstock.mlflow.routes import find_route
from penstock.mlflow.tracking import Tracking
from penstock.mlflow.wire import encode, read_request

MAX_BODY = 32 * 1024 * 1024  # bytes of a request that is no artifact
_HERE = ("127.0.0.1", "localhost", "::1")


class App:
    """Speaks the protocol for one project. `host` is the address that it listens on."""

    def __init__(self, tracking: Tracking, *, host: str = "127.0.0.1", max_body: int = MAX_BODY) -> None:
        self._tracking = tracking
        self._max_body = max_body
        self._local = host in _HERE
        # SQLite's writers wait for each other by asking again and again: in this process they queue instead.
        self._writer = ThreadPoolExecutor(1, "mlflow-write")
        self._readers = ThreadPoolExecutor(4, "mlflow-read")
        self._artifacts = ArtifactApp(tracking, self._writer, self._readers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        try:
            self._admit(scope)
            if scope["path"].startswith(ARTIFACTS):
                await self._artifacts(scope, receive, send)
            elif scope["path"] in _PLAIN:
                await respond(send, 200, _PLAIN[scope["path"]].encode(), [(b"content-type", b"text/plain")])
            else:
                await respond(send, 200, await self._answer(scope, receive))
        except ClientGoneError:
            return
        except Exception as error:
            status, told = refusal(error)
            await respond(send, status, encode(told))

    def close(self) -> None:
        """End the threads, after the work that they do."""
        self._writer.shutdown()
        self._readers.shutdown()

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        route, path = find_route(scope["method"], scope["path"])
        body = await read_body(receive, self._max_body)

        def work() -> bytes:
            ask: object = read_request(route.ask, body, scope["query_string"], path)
            return encode(route.answer(self._tracking, ask))

        pool = self._writer if route.writes else self._readers
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def _admit(self, scope: Scope) -> None:
        """Refuse what a page of the web makes a browser send: nobody logs in here."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise refused(f"a page of {origin} may not ask here")
        if self._local and urlsplit(f"//{host}").hostname not in (*_HERE, None):
            raise refused(f"this server does not answer as {host!r}", hint="ask it as 127.0.0.1 or localhost")


_PLAIN = {"/health": "OK", "/version": version("penstock")}
