"""What MLflow's clients log, and what an MLflow server has: `project.train.mlflow`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.api.step import StepApi

if TYPE_CHECKING:
    from penstock.mlflow.importing import Brought


class MlflowApi(StepApi):
    """The MLflow protocol for this project."""

    def serve(self, *, host: str | None = None, port: int | None = None) -> None:
        """Answer MLflow's clients until SIGTERM or Ctrl-C, as `penstock up` does beside predictions."""
        from penstock.mlflow import run_server
        from penstock.project import Mlflow

        project = self._work.project
        settings = project.config.train.mlflow if project.config.train else Mlflow()
        run_server(
            project.root,
            environment=project.environment,
            host=host or settings.host,
            port=settings.port if port is None else port,
            actor=self._work.actor,
        )

    def bring(self, uri: str, *, told: "Callable[[str], object] | None" = None) -> "Brought":
        """Bring runs, files and registered models of the MLflow server at `uri` that are not here yet."""
        from penstock.mlflow.importing import bring
        from penstock.mlflow.tracking import Tracking

        work = self._work
        project = work.project
        tracking = Tracking(project.root, project.environment, project.config.name, work.actor, work.ledger, work.store)
        return bring(tracking, uri, told=told or (lambda line: None))
