"""The inside of a server process: one watcher, one event loop, two logs."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import uvicorn

from penstock.deliver.serving_state import Applied, ServeDirectory, write_applied
from penstock.serve.app import App
from penstock.serve.ending import Ending
from penstock.serve.limits import Limits
from penstock.serve.log import Durability, SegmentLog
from penstock.serve.metrics import Metrics
from penstock.serve.router import Router, Table

DRAIN_SECONDS = 30


def work(
    root: Path,
    listener: socket.socket,
    applied: Applied,
    durability: Durability,
    limits: Limits,
    *,
    attached: bool,
    announce: Callable[[str], object],
    ending: Ending,
) -> None:
    """Answer on `listener` until a signal comes or, when `attached`, standard input closes.

    Each model that begins to answer, or is refused, is announced.
    """
    directory = ServeDirectory(root)
    predictions = SegmentLog(directory.log, "predictions", durability=durability)
    feedback = SegmentLog(directory.log, "feedback", durability=durability)
    metrics = Metrics(predictions, feedback)

    told: set[str] = set()

    def changed(table: Table) -> None:
        metrics.applied(table.endpoints)
        write_applied(root, replace(applied, endpoints=table.endpoints))
        for line in news(applied.url, table):
            if line not in told:
                told.add(line)
                announce(line)

    router = Router(root, changed)
    app = App(lambda: router.table, predictions, feedback, metrics, limits)
    server = uvicorn.Server(_config(app))
    ending.by(lambda: setattr(server, "should_exit", True))
    if attached:
        threading.Thread(target=_end_with_input, args=(ending,), name="watch-input", daemon=True).start()
    router.start()
    try:
        server.run(sockets=[listener])
    finally:
        router.stop()
        app.close()
        predictions.close()
        feedback.close()


def news(url: str, table: Table) -> Iterator[str]:
    """A line for each endpoint: what answers there, and why it is not what was asked for."""
    for name, endpoint in table.endpoints.items():
        if endpoint.generation:
            yield f"{endpoint.model} answers on {url}/predict/{name} (generation {endpoint.generation})\n"
        if endpoint.error:
            yield f"generation {endpoint.wanted} of {name} is refused: {endpoint.error}\n"


def _config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _end_with_input(ending: Ending) -> None:
    # Not through sys.stdin: its buffer is locked while a thread waits in it, which breaks the interpreter's end.
    while os.read(0, 4096):
        pass
    ending.ask()
