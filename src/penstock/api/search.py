"""The search under the name of its step: `project.train.search()`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.api.step import StepApi
from penstock.errors import GateRefused, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.data import Progress
    from penstock.pipeline import Event
    from penstock.train.search import Found, Trial


class SearchApi(StepApi):
    """Searching for what to train with."""

    def search(
        self,
        *,
        on_event: "Callable[[Event], None] | None" = None,
        on_trial: "Callable[[Trial, Found], None] | None" = None,
        progress: "Callable[[Progress], None] | None" = None,
    ) -> "Found":
        """Try what `train.search` declares; one that was begun goes on where it was.

        `on_event` is told of every step before, `on_trial` of each trial that
        has ended, with what was found until then.
        """
        from penstock.pipeline import search

        work = self._work
        return search(work.project, work.ledger, work.store, on_event=on_event, on_trial=on_trial, progress=progress)

    def searched(self, experiment: str | None = None) -> "Found":
        """What a search has found so far: the newest one, or the one of that name. UsageError when there is none."""
        from penstock.train import reap
        from penstock.train.search import read_search

        reap(self._work.ledger, self._work.store)
        with self._work.ledger.read() as reader:
            return read_search(reader, self._work.store, experiment)

    def write_best(self, found: "Found") -> "Path":
        """Write what the best trial was trained with into the project file, and nothing else.

        GateRefused when no trial keeps the limits, UsageError when the file's `train` section is not what is in
        force.
        """
        from penstock.project import edit_project

        if found.best is None:
            lacks = [limit.name for limit in found.aim.limits]
            raise GateRefused(
                "no trial keeps the limits of the objective", lacks=lacks, hint="penstock train search --status"
            )
        project = self._work.project
        if project.environment or any(not text.startswith("train.search.") for text in project.sets):
            raise UsageError(
                "what is found is written below `train`, not into an environment",
                where=project.path.name,
                hint="penstock train search --status --apply, without --env and --set",
            )
        wanted: dict[tuple[str | int, ...], Any] = {
            ("train", name): value for name, value in self.would_write(found).items()
        }
        return edit_project(project, wanted)

    def would_write(self, found: "Found") -> dict[str, Any]:
        """The keys of `train` that are not yet what the best trial was trained with, and their values then."""
        if found.best is None:
            return {}
        train, choice = self._work.project.config.train, found.best.choice
        now = train.model_dump(mode="json") if train else {}
        best = {
            "function": found.algorithms[choice.algorithm],
            "params": dict(choice.params),
            "without": list(found.feature_sets[choice.features]),
        }
        return {name: value for name, value in best.items() if value != now.get(name)}
