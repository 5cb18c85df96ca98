"""A project, opened: its file, its ledger, its store, and every verb."""

import getpass
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from penstock.api.data import DataStep
from penstock.api.steps import (
    AuditStep,
    DeliverStep,
    ImproveStep,
    MonitorStep,
    ObjectiveStep,
    TrainStep,
    ValidateStep,
)
from penstock.api.workspace import Workspace
from penstock.project import load_project

if TYPE_CHECKING:
    from datetime import datetime

    from penstock.api.status import Status
    from penstock.api.tracing import Trace
    from penstock.data import Progress
    from penstock.deliver import Promoted
    from penstock.improve import Ticked
    from penstock.ledger import Approval
    from penstock.pipeline import Event, Explanation, Scaffolded, Turn
    from penstock.train import Place, Reproduction


class Project:
    """A directory with a `penstock.yaml`.

    Project.open("flights")                                  the project in that directory, or above it
    Project.open(sets=["train.params.max_iter=200"])         with a key overridden
    Project.open(environment="prod", actor="ada")            with a section of `environments:`, as somebody
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @classmethod
    def open(
        cls,
        path: Path | str = ".",
        *,
        environment: str | None = None,
        sets: Sequence[str] = (),
        actor: str | None = None,
    ) -> Self:
        """Read and check the project file. Raises ConfigError with every problem in it."""
        file = load_project(Path(path), environment=environment, sets=sets)
        return cls(Workspace(file, actor or _who()))

    @staticmethod
    def init(
        name: str, *, data: Path | str, target: str, time: str | None = None, entity: str | None = None
    ) -> "Scaffolded":
        """Turn a CSV or Parquet file into a new project directory `name`. All or nothing."""
        from penstock.pipeline import scaffold

        return scaffold(Path(name), Path(data), target, time=time, entity=entity, name=Path(name).name)

    def __repr__(self) -> str:
        return f"Project({self._workspace.project.config.name!r}, {str(self._workspace.project.root)!r})"

    # --- the steps ---

    @cached_property
    def objective(self) -> ObjectiveStep:
        """Step 1."""
        return ObjectiveStep(self._workspace)

    @cached_property
    def data(self) -> DataStep:
        """Step 2."""
        return DataStep(self._workspace)

    @cached_property
    def train(self) -> TrainStep:
        """Step 3."""
        return TrainStep(self._workspace)

    @cached_property
    def validate(self) -> ValidateStep:
        """Step 4."""
        return ValidateStep(self._workspace)

    @cached_property
    def deliver(self) -> DeliverStep:
        """Step 5."""
        return DeliverStep(self._workspace)

    @cached_property
    def monitor(self) -> MonitorStep:
        """Step 6."""
        return MonitorStep(self._workspace)

    @cached_property
    def improve(self) -> ImproveStep:
        """Step 7."""
        return ImproveStep(self._workspace)

    @cached_property
    def audit(self) -> AuditStep:
        """The tamper-evident record of every decision."""
        return AuditStep(self._workspace)

    # --- the daily verbs ---

    def run(
        self,
        *,
        on_event: "Callable[[Event], None] | None" = None,
        progress: "Callable[[Progress], None] | None" = None,
        now: "datetime | None" = None,
    ) -> "Turn":
        """One turn of steps 1 to 5: rebuild what depends on what has changed, judge it, register it.

        `on_event` is told of every step, `progress` how far an ingest is.
        `now` is the time that the freshness of the training data is judged at.
        """
        from penstock.pipeline import run

        work = self._workspace
        return run(work.project, work.ledger, work.store, on_event=on_event, progress=progress, now=now)

    def explain(self, *, now: "datetime | None" = None) -> "Explanation":
        """What `run` would do now and why. Nothing is written, ingested or computed."""
        from penstock.pipeline import explain

        work = self._workspace
        with work.looked_at() as ledger:
            return explain(work.project, ledger, work.store, now=now)

    def status(self) -> "Status":
        """The loop at a glance."""
        from penstock.api.status import status

        return status(self._workspace)

    def serve(self, *, host: str | None = None, port: int | None = None) -> None:
        """Answer predictions over HTTP until SIGTERM or Ctrl-C."""
        from penstock.serve import run_server

        work = self._workspace
        server = work.project.config.deliver.server
        self.deliver.follow()
        run_server(
            work.serve_directory,
            host=host or server.host,
            port=server.port if port is None else port,
            durability=server.durability,
            max_rows=server.max_rows,
            max_body=server.max_body,
        )

    def up(
        self, *, host: str | None = None, port: int | None = None, on_tick: "Callable[[Ticked], None] | None" = None
    ) -> None:
        """The server and the loop together, until SIGTERM or Ctrl-C."""
        from penstock.api.up import up

        follow, tick = self.deliver.follow, self.improve.tick
        up(self._workspace, follow=follow, tick=tick, host=host, port=port, on_tick=on_tick)

    def promote(self, version: str | None = None, *, to: str = "production", reason: str = "") -> "Promoted":
        """Move a model version up. Raises GateRefused with everything that lacks."""
        from penstock.deliver import find_version, promote

        work = self._workspace
        with work.ledger.read() as reader:
            found = find_version(reader, work.project.config.name, version)
        return promote(work.project, work.ledger, work.store, found, to, actor=work.actor, reason=reason)

    def approve(self, version: str | None = None, *, role: str, to: str = "production", reason: str = "") -> "Approval":
        """Say yes, as a person in a role, to a version entering a state."""
        from penstock.deliver import approve, find_version

        work = self._workspace
        with work.ledger.read() as reader:
            found = find_version(reader, work.project.config.name, version)
        return approve(work.ledger, work.project, found, to, name=work.actor, role=role, reason=reason)

    def rollback(self, *, to: str | None = None, reason: str = "") -> "Promoted":
        """Put the previous production version (or `to`) back, at once."""
        from penstock.deliver import find_version, roll_back

        work = self._workspace
        target = None
        if to is not None:
            with work.ledger.read() as reader:
                target = find_version(reader, work.project.config.name, to)
        return roll_back(work.project, work.ledger, work.store, actor=work.actor, reason=reason, to=target)

    def trace(self, start: str) -> "Trace":
        """Everything behind and after a prediction, model, run, data version or decision."""
        from penstock.api.tracing import trace

        return trace(self._workspace, start)

    def reproduce(self, run: str, *, environment: "Place" = "recorded") -> "Reproduction":
        """Train a run again from what was recorded, and say how equal the model is.

        `environment` is `recorded` (the one at hand if it is the run's, else that one built again), `here` or
        `rebuilt`.
        """
        from penstock.train import find_run, reproduce

        work = self._workspace
        with work.ledger.read() as reader:
            found = find_run(reader, run)
        return reproduce(work.project, work.ledger, work.store, found.id, actor=work.actor, environment=environment)

    def tick(self, *, now: "datetime | None" = None) -> "Ticked":
        """Look, and do what is due; see `improve.tick`."""
        return self.improve.tick(now=now)


def _who() -> str:
    """The user's name. A container may run under a number that has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
