"""The server process from outside: one lock, one socket, one address to find it at."""

import os
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from penstock.deliver.serving_state import Applied, ServeDirectory, hold_server, write_applied
from penstock.errors import UsageError
from penstock.serve.ending import surviving_signals
from penstock.serve.limits import MAX_BODY, MAX_ROWS, Limits
from penstock.serve.log import Durability


def say(line: str) -> None:
    """To standard output, at once: who starts a server from a script waits for its lines."""
    sys.stdout.write(line)
    sys.stdout.flush()


def run_server(
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    durability: Durability = "process",
    max_rows: int = MAX_ROWS,
    max_body: int = MAX_BODY,
    attached: bool = False,
    announce: Callable[[str], object] = say,
) -> None:
    """Serve a serve directory until SIGTERM or SIGINT, then answer what is under way and return.

    Port 0 takes a free one; `applied.json` holds it. `attached`: also end when standard input closes, so that the
    server does not outlive the process that started it. Raises Conflict when the directory is being served already,
    UsageError when the address cannot be had.
    """
    with ExitStack() as stack:
        ending = stack.enter_context(surviving_signals())
        stack.enter_context(hold_server(root))
        listener = stack.enter_context(listen(host, port))
        applied = Applied(os.getpid(), host, listener.getsockname()[1], datetime.now(UTC).isoformat())
        write_applied(root, applied)
        stack.callback(ServeDirectory(root).applied.unlink, missing_ok=True)
        announce(f"serving on {applied.url}; the page to try it is {applied.url}/docs\n")
        # Loaded only here: whoever imports the package to read logs needs no web server.
        from penstock.serve.worker import work

        work(
            root,
            listener,
            applied,
            durability,
            Limits(max_rows, max_body),
            attached=attached,
            announce=announce,
            ending=ending,
        )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # uvicorn sets TCP_NODELAY only on sockets whose protocol is named; without it a reply can wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        what = f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}"
        raise UsageError(what, hint="choose another port: --port 0 takes a free one") from error
    return listener
