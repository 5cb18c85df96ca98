"""`penstock up`: the server as a child process, the loop beside it."""

import signal
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.api.workspace import Workspace
from penstock.errors import Conflict, PenstockError

if TYPE_CHECKING:
    from penstock.api.project import Project
    from penstock.improve import Ticked

Announce = Callable[[str], object]


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def up(
    project: "Project",
    workspace: Workspace,
    *,
    host: str | None,
    port: int | None,
    on_tick: "Callable[[Ticked], None] | None",
    announce: Announce = _line,
) -> None:
    """Serve and tick until SIGTERM or SIGINT; a tick that fails is told and tried again.

    The loop stays out of the server's process, so that a retraining never slows an answer down.
    """
    from penstock.serve import ServerProcess

    settings = workspace.project.config.deliver.server
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    project.deliver.follow()
    server = ServerProcess(
        workspace.serve_directory,
        host=host or settings.host,
        port=settings.port if port is None else port,
        durability=settings.durability,
        max_rows=settings.max_rows,
        max_body=settings.max_body,
    )
    with server:
        announce(f"serving on {server.url}, looking every {_words(workspace.project.config.improve.tick)}")
        while not ended.is_set() and server.alive:
            _tick(project, on_tick, announce)
            ended.wait(workspace.project.config.improve.tick.total_seconds())
        if not server.alive and not ended.is_set():
            raise PenstockError("the server has ended by itself", where=str(server.output), hint="penstock up")


def _tick(project: "Project", on_tick: "Callable[[Ticked], None] | None", announce: Announce) -> None:
    try:
        ticked = project.improve.tick()
    except Conflict as error:
        announce(f"another loop is at work: {error.what}")
    except Exception as error:  # whatever goes wrong in the loop, the server goes on answering
        announce(f"this look failed and will be tried again: {type(error).__name__}: {error}")
    else:
        if on_tick:
            on_tick(ticked)


def _words(interval: timedelta) -> str:
    from penstock.project import format_duration

    return format_duration(interval)
