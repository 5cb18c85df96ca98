"""The server of the protocol: one process, one socket, told to end by a signal."""

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from penstock.mlflow.tracking import open_tracking
from penstock.serve.ending import Ending, surviving_signals
from penstock.serve.server import listen, say

DRAIN_SECONDS = 10


def run_server(
    root: Path,
    *,
    environment: str | None = None,
    host: str = "127.0.0.1",
    port: int = 5000,
    actor: str,
    attached: bool = False,
    announce: Callable[[str], object] = say,
) -> None:
    """Answer MLflow's clients until SIGTERM or SIGINT, then finish what is under way and return.

    Port 0 takes a free one. `attached`: also end when standard input closes. Raises ConfigError for a project file
    that is wrong, UsageError when the address cannot be had.
    """
    with ExitStack() as stack:
        ending = stack.enter_context(surviving_signals())
        tracking = open_tracking(root, environment, actor)
        stack.callback(tracking.ledger.close)
        listener = stack.enter_context(listen(host, port))
        # Loaded only here: whoever starts the server as a child needs no web server.
        import uvicorn

        from penstock.mlflow.app import App

        app = App(tracking, host=host)
        stack.callback(app.close)
        config = uvicorn.Config(
            app, lifespan="off", access_log=False, log_config=None, server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )  # fmt: skip
        server = uvicorn.Server(config)
        ending.by(lambda: setattr(server, "should_exit", True))
        if attached:
            threading.Thread(target=_end_with_input, args=(ending,), name="watch-input", daemon=True).start()
        shown = f"[{host}]" if ":" in host else host
        announce(f"MLflow clients log to http://{shown}:{listener.getsockname()[1]}\n")
        server.run(sockets=[listener])


def _end_with_input(ending: Ending) -> None:
    # Not through sys.stdin: its buffer is locked while a thread waits in it, which breaks the interpreter's end.
    while os.read(0, 4096):
        pass
    ending.ask()
