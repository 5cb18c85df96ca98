"""Files: streamed into the store and out of it, listed and taken back. Nothing of them is ever opened or run here."""

import asyncio
import posixpath
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from penstock.ledger import Artifact, Reader, Transaction
from penstock.ledger.mlflow import ModelFile
from penstock.mlflow import runs
from penstock.mlflow.asgi import ClientGoneError, respond
from penstock.mlflow.errors import ProtocolError, invalid, missing
from penstock.mlflow.handlers.logged_models import model_of
from penstock.mlflow.paths import Kept, Place, files, listed, place_of
from penstock.mlflow.tracking import Tracking
from penstock.mlflow.wire import encode

ARTIFACTS = "/api/2.0/mlflow-artifacts/"
_FILES = f"{ARTIFACTS}artifacts"
_CHUNK = 1 << 20
# Shown by a browser, an HTML artifact would be a page of this server: it is only ever downloaded.
_HEADERS = [(b"content-type", b"application/octet-stream"), (b"x-content-type-options", b"nosniff")]
T = TypeVar("T")


class ArtifactApp:
    """Answers for the files of runs and logged models."""

    def __init__(self, tracking: Tracking, writer: Executor, readers: Executor) -> None:
        self._tracking = tracking
        self._writer = writer
        self._readers = readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        method, path = scope["method"], scope["path"]
        if path.rstrip("/") == _FILES and method == "GET":
            asked = parse_qs(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)
            await self._list(asked.get("path", [""])[-1], send)
        elif path.startswith(f"{_FILES}/") and method in ("GET", "PUT", "DELETE"):
            place = place_of(path.removeprefix(f"{_FILES}/"))
            if method == "GET":
                await self._download(place, send)
            elif method == "PUT":
                await self._upload(place, receive)
                await respond(send, 200, b"{}")
            else:
                await self._run(self._writer, lambda: self._remove(place))
                await respond(send, 200, b"{}")
        else:
            raise ProtocolError("NOT_IMPLEMENTED", f"{method} {path} is not spoken here: files are sent in one piece")

    async def _list(self, path: str, send: Send) -> None:
        place = place_of(path)

        def work() -> bytes:
            with self._tracking.ledger.read() as reader:
                entries = listed(files(reader, self._tracking.store, place), place.name)
            return encode({"files": [{"path": posixpath.basename(name), **each} for name, each in entries.items()]})

        await respond(send, 200, await self._run(self._readers, work))

    async def _upload(self, place: Place, receive: Receive) -> None:
        if not place.name:
            raise invalid("an artifact needs a name")
        await self._run(self._readers, lambda: self._check(place))
        with ExitStack() as stack:
            blob = await self._run(self._readers, lambda: stack.enter_context(self._tracking.store.blobs.filling()))
            async for chunk in _chunks(receive):
                await self._run(self._readers, partial(blob.write, chunk))
            await self._run(self._readers, stack.close)
        await self._run(self._writer, lambda: self._record(place, Kept(blob.digest, blob.size)))

    def _check(self, place: Place) -> None:
        with self._tracking.ledger.read() as reader:
            _writable(reader, place)

    def _record(self, place: Place, kept: Kept) -> None:
        with self._tracking.ledger.write(durable=False) as transaction:
            _writable(transaction, place)
            _put(transaction, place, kept)

    def _remove(self, place: Place) -> None:
        with self._tracking.ledger.write() as transaction:
            _writable(transaction, place)
            for name in files(transaction, self._tracking.store, place):
                if place.kind == "run":
                    transaction.remove(Artifact, run=place.owner, name=name)
                else:
                    transaction.remove(ModelFile, model=place.owner, name=name)

    async def _download(self, place: Place, send: Send) -> None:
        path, size = await self._run(self._readers, lambda: self._find(place))
        with path.open("rb") as file:
            length = (b"content-length", str(size).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, length]})
            while chunk := await self._run(self._readers, lambda: file.read(_CHUNK)):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    def _find(self, place: Place) -> tuple[Path, int]:
        with self._tracking.ledger.read() as reader:
            found = files(reader, self._tracking.store, place).get(place.name)
        if found is None:
            raise missing("artifact", f"{place.owner}/{place.name}")
        return self._tracking.store.path(found.digest), found.bytes

    async def _run(self, pool: Executor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)


def _writable(reader: Reader, place: Place) -> None:
    if place.kind == "bundle":
        raise invalid("what was registered is never changed")
    if place.kind == "run":
        runs.writable(reader, place.owner)
    else:
        model_of(reader, place.owner)


def _put(transaction: Transaction, place: Place, kept: Kept) -> None:
    if place.kind == "run":
        transaction.put(Artifact(place.owner, place.name, kept.digest, kept.bytes))
    else:
        transaction.put(ModelFile(place.owner, place.name, kept.digest, kept.bytes))


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return
