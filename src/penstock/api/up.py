"""`penstock up`: the servers as child processes, the loop beside them."""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.api.stopping import Stop, Told
from penstock.api.workspace import Workspace
from penstock.errors import Conflict, PenstockError

if TYPE_CHECKING:
    from penstock.improve import Ticked
    from penstock.mlflow import MlflowProcess
    from penstock.serve import ServerProcess

Announce = Callable[[str], object]


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def up(
    workspace: Workspace,
    *,
    follow: Callable[[], object],
    tick: "Callable[[], Ticked]",
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
    interval = workspace.project.config.improve.tick
    stop = Stop()
    server = ServerProcess(
        workspace.serve_directory,
        host=host or settings.host,
        port=settings.port if port is None else port,
        durability=settings.durability,
        max_rows=settings.max_rows,
        max_body=settings.max_body,
    )
    with suppress(Told):
        follow()
        stop.heed()
        with _mlflow(workspace, port) or nullcontext() as mlflow, server:
            announce("\n".join(server.said))
            if mlflow:
                announce(mlflow.hear())
            announce(f"looking every {_words(interval)}")
            while server.alive:
                _tick(tick, on_tick, announce, stop)
                _wait(server, interval.total_seconds())
                if mlflow and (news := mlflow.mend()):
                    announce(news)
        raise PenstockError("the server has ended by itself", where=str(server.output), hint="penstock up")


def _mlflow(workspace: Workspace, port: int | None) -> "MlflowProcess | None":
    """The server that MLflow's clients log to, in a process of its own; free ports for one are free ports for both."""
    from penstock.project import Mlflow

    project = workspace.project
    settings = project.config.train.mlflow if project.config.train else Mlflow()
    if not settings.serve:
        return None
    from penstock.mlflow import MlflowProcess

    return MlflowProcess(
        project.root,
        environment=project.environment,
        host=settings.host,
        port=0 if port == 0 else settings.port,
        actor=workspace.actor,
    )


def _wait(server: "ServerProcess", seconds: float) -> None:
    """Until the next look, or until there is no server any more."""
    until = time.monotonic() + seconds
    while server.alive and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))


def _tick(
    tick: "Callable[[], Ticked]", on_tick: "Callable[[Ticked], None] | None", announce: Announce, stop: Stop
) -> None:
    """Whatever goes wrong in the loop, the server goes on answering."""
    said = ""
    try:
        ticked = tick()
    except Conflict as error:
        said = f"this look waits for the next: {error.what}"
    except Exception as error:
        stop.heed()
        said = f"this look failed and will be tried again: {type(error).__name__}: {error}"
    try:
        if said:
            announce(said)
        elif on_tick:
            on_tick(ticked)
    except Exception as error:  # a full disk, a pipe that nobody reads
        with suppress(OSError):
            announce(f"this look could not be told: {type(error).__name__}: {error}")
    stop.heed()


def _words(interval: timedelta) -> str:
    from penstock.project import format_duration

    return format_duration(interval)
