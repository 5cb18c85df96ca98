"""What MLflow's clients log, and what an MLflow server has: `project.train.mlflow`."""

from penstock.api.step import StepApi


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
