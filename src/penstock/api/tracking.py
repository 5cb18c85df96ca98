"""Runs of a notebook or a script, under the name of their step: `with project.train.run("idea 7") as run: ...`."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.api.step import StepApi

if TYPE_CHECKING:
    from penstock.ledger import Version
    from penstock.train.tracking.tracked import TrackedRun
    from penstock.train.tracking.tracker import Tracker


class TrackingApi(StepApi):
    """What code that trains outside of `penstock run` logs to."""

    def run(
        self,
        name: str = "",
        *,
        params: Mapping[str, Any] = {},
        tags: Mapping[str, Any] = {},
        experiment: str = "",
        parent: "TrackedRun | None" = None,
        system: bool = True,
        log: bool = True,
    ) -> "TrackedRun":
        """Start a run, to be used as a block or ended by `end()`.

            with project.train.run("idea 7", params={"depth": 6}) as run:
                run.log_metric("loss", 0.31)

        experiment  runs that belong together
        parent      a run that this one is a part of, kept as the tag `parent`
        system      whether CPU, memory and GPUs of this process are logged every five seconds
        log         whether what Python prints is kept

        Code, Git, environment and machine are recorded without being asked for. Nothing waits for the ledger until
        the run ends.
        """
        told = {**tags, "parent": parent.id} if parent else tags
        return self._tracker.start(name, params=params, tags=told, experiment=experiment, system=system, log=log)

    def attach(self, run: str) -> "TrackedRun":
        """Log to a run that another process has started, by its number or id: `end()` leaves the run going on.

        UsageError when there is none.
        """
        from penstock.train import find_run

        if run.isalnum() and (self._work.project.home / "runs" / run).is_dir():
            return self._tracker.attach(run)  # the ledger may not know it yet
        with self._work.ledger.read() as reader:
            return self._tracker.attach(find_run(reader, run).id)

    @cached_property
    def _tracker(self) -> "Tracker":
        from penstock.train.tracking.tracker import Tracker

        work = self._work
        return Tracker(work.project.root, work.project.home, lambda: work.ledger, lambda: work.store, self._version)

    def _version(self, reference: str) -> "Version":
        from penstock.api.data import DataStep

        return DataStep(self._work).version(reference)
