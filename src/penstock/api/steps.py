"""What belongs to one step, under the step's name: `project.data.history("flights")`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.api.runs import RunsApi
from penstock.api.search import SearchApi
from penstock.api.step import StepApi
from penstock.api.tracking import TrackingApi
from penstock.errors import UsageError, did_you_mean
from penstock.ledger import (
    Action,
    Alert,
    AuditEntry,
    Deployment,
    Evaluation,
    GateResult,
    ModelVersion,
    SeriesPoint,
    SignOff,
    Transition,
    utc_now,
)

if TYPE_CHECKING:
    import polars as pl

    from penstock.api.mlflow import MlflowApi
    from penstock.deliver.serving_state import Waited
    from penstock.improve import Ticked
    from penstock.ledger import AuditCheck
    from penstock.monitor import Look
    from penstock.objective import Agreement
    from penstock.project import ProjectFile
    from penstock.report import Document
    from penstock.train.image.build import Image


ALERT_STATES = ("firing", "resolved")
RECENT = 2_000  # numbers; the newest windows are among them


class ObjectiveStep(StepApi):
    """Step 1: the agreed goal."""

    def show(self) -> "Document":
        """The requirements sheet, with its signatures."""
        from penstock.objective import require_objective, sheet

        objective = require_objective(self._work.project)
        return sheet(self._work.project.config.name, objective, self.agreement())

    def sign(self, *, role: str, note: str = "") -> SignOff:
        """Agree, as a person in a role, to the objective as it stands."""
        from penstock.objective import sign

        return sign(self._work.ledger, self._work.project, name=self._work.actor, role=role, note=note)

    def agreement(self) -> "Agreement":
        """Who has signed the objective as it stands, and which signatures a change has made void."""
        from penstock.objective import agreement

        with self._work.ledger.read() as reader:
            return agreement(reader, self._work.project)


class TrainStep(RunsApi, SearchApi, TrackingApi):
    """Step 3: trainings; `RunsApi` has what is asked of runs, `SearchApi` finds what to train with, `TrackingApi`
    starts runs in a notebook or a script.
    """

    @cached_property
    def mlflow(self) -> "MlflowApi":
        """The MLflow protocol."""
        from penstock.api.mlflow import MlflowApi

        return MlflowApi(self._work)

    def image(
        self,
        run: str | None = None,
        *,
        tag: str | None = None,
        base: str | None = None,
        tool: str | None = None,
        only_containerfile: bool = False,
        progress: "Callable[[str], None] | None" = None,
    ) -> "Image":
        """Build an image with the environment of a run, of the newest one if none is named; see `make_image`."""
        from penstock.train.image.build import make_image

        return make_image(
            self._work.project,
            self._work.ledger,
            self._work.store,
            run,
            tag=tag,
            base=base,
            tool=tool,
            only_containerfile=only_containerfile,
            progress=progress,
        )

    def log(self, run: str) -> str:
        """What the run printed."""
        found = self.show(run).run
        return self._work.store.read_bytes(found.log).decode(errors="replace") if found.log else ""


@dataclass(frozen=True)
class Judgement:
    """An evaluation with each gate's result."""

    evaluation: Evaluation
    results: tuple[GateResult, ...]


class ValidateStep(StepApi):
    """Step 4: judgements."""

    def show(self, version: str | None = None) -> Judgement:
        """The gates of a model version's evaluation; the newest evaluation when no version is named."""
        from penstock.deliver import find_version

        with self._work.ledger.read() as reader:
            if version is None:
                newest = reader.find(Evaluation, order_by="-at", limit=1)
            else:
                found = find_version(reader, self._work.project.config.name, version)
                newest = reader.find(Evaluation, id=found.evaluation) if found.evaluation else []
            if not newest:
                raise UsageError("nothing was judged yet", hint="penstock run")
            return Judgement(newest[0], tuple(reader.find(GateResult, evaluation=newest[0].id, order_by="position")))

    def card(self, version: str | None = None) -> "Document":
        """The model card, from the evaluation's record alone."""
        from penstock.validate import card

        judged = self.show(version).evaluation
        with self._work.ledger.read() as reader:
            named = reader.find(ModelVersion, evaluation=judged.id, limit=1)
        return card(self._work.store.read_json(judged.record), named[0].name if named else "")


class DeliverStep(StepApi):
    """Step 5: the registry and the endpoint."""

    def models(self) -> tuple[ModelVersion, ...]:
        """Every version, newest first."""
        with self._work.ledger.read() as reader:
            return tuple(reader.find(ModelVersion, model=self._work.project.config.name, order_by="-number"))

    def history(self) -> tuple[Transition, ...]:
        """Every change of state: who, when, why."""
        with self._work.ledger.read() as reader:
            return tuple(reader.find(Transition, model=self._work.project.config.name, order_by="at"))

    def deployments(self) -> tuple[Deployment, ...]:
        """What the endpoint was told to answer with, newest first."""
        with self._work.ledger.read() as reader:
            return tuple(
                reader.find(Deployment, endpoint=self._work.project.config.deliver.endpoint, order_by="-generation")
            )

    def lacks(self, version: str | None = None, *, to: str = "production") -> tuple[str, ...]:
        """What still stands between a version and a state."""
        from penstock.deliver import find_version, lacks

        with self._work.ledger.read() as reader:
            found = find_version(reader, self._work.project.config.name, version)
            return lacks(reader, self._work.project, found, to)

    def refresh(self) -> Deployment | None:
        """Give the endpoint the newest rows of its feature views."""
        from penstock.deliver import refresh

        return refresh(self._work.project, self._work.ledger, self._work.store, actor=self._work.actor)

    def follow(self) -> "Waited | None":
        """Bring the serve directory to the newest deployment."""
        from penstock.deliver import follow

        return follow(self._work.project, self._work.ledger, self._work.store)


class MonitorStep(StepApi):
    """Step 6: what happens in production."""

    def look(self, *, now: datetime | None = None) -> "Look":
        """Compute the windows that are due, and open or resolve alerts. UsageError for a time to come."""
        from penstock.monitor import look

        return look(self._work.project, self._work.ledger, self._work.store, now=_moment(now))

    def alerts(self, *, state: str | None = None) -> tuple[Alert, ...]:
        """Alerts, newest first; `state` is firing or resolved."""
        if state not in (None, *ALERT_STATES):
            raise UsageError.unknown("state of an alert", str(state), ALERT_STATES)
        wanted = [state] if state else list(ALERT_STATES)
        endpoint = self._work.project.config.deliver.endpoint
        with self._work.ledger.read() as reader:
            return tuple(reader.find(Alert, endpoint=endpoint, state=wanted, order_by="-opened_at"))

    def series(self, metric: str, *, subject: str = "", model: str = "*") -> tuple[SeriesPoint, ...]:
        """A monitored number over time. UsageError when others are measured, but not this one."""
        endpoint = self._work.project.config.deliver.endpoint
        with self._work.ledger.read() as reader:
            found = reader.find(
                SeriesPoint, endpoint=endpoint, metric=metric, subject=subject, model=model, order_by="window_start"
            )
            recent = (
                [] if found else reader.find(SeriesPoint, endpoint=endpoint, order_by="-window_start", limit=RECENT)
            )
        if recent:
            raise _not_measured(recent, metric, subject, model)
        return tuple(found)

    def predictions(self, *, limit: int = 20) -> "pl.DataFrame":
        """The newest logged predictions."""
        from penstock.monitor import predictions

        return predictions(self._work.project, self._work.ledger, self._work.store, limit=limit)


def _not_measured(recent: Sequence[SeriesPoint], metric: str, subject: str, model: str) -> UsageError:
    """Which part of a name no newest number has."""
    alike = [point for point in recent if point.metric == metric]
    if not alike:
        known = sorted({point.metric for point in recent})
        return UsageError(f"{metric!r} was not measured yet{did_you_mean(metric, known)}")
    subjects = sorted({point.subject for point in alike})
    if subject in subjects:
        return UsageError.unknown("model", model, {point.model for point in alike if point.subject == subject})
    if not subject:
        return UsageError(
            f"{metric} is measured for each feature", hint=f"penstock monitor series {metric} --of {subjects[0]}"
        )
    return UsageError.unknown(f"subject of {metric}", subject, [one for one in subjects if one])


class ImproveStep(StepApi):
    """Step 7: feedback, and what the loop does by itself."""

    def feedback(self, file: Path | str) -> int:
        """Take labels from a CSV or Parquet file (`prediction` or `key`, `label`); the number of rows taken."""
        from penstock.improve import feedback_file

        return feedback_file(self._work.project, self._work.ledger, self._work.store, Path(file))

    def tick(self, *, now: datetime | None = None) -> "Ticked":
        """Look once and do what is due. Safe to call from several places at once: one acts. UsageError for a time
        to come.
        """
        from penstock.improve import tick

        return tick(self._work.project, self._work.ledger, self._work.store, now=_moment(now))

    def actions(self) -> tuple[Action, ...]:
        """What the loop has done, newest first."""
        with self._work.ledger.read() as reader:
            return tuple(reader.find(Action, order_by="-started_at"))


class AuditStep(StepApi):
    """The tamper-evident record of decisions."""

    def log(self) -> tuple[AuditEntry, ...]:
        """Every entry, oldest first."""
        with self._work.ledger.read() as reader:
            return tuple(reader.find(AuditEntry, order_by="seq"))

    def verify(self, *, trusted: Sequence[str] = ()) -> "AuditCheck":
        """Check the chain, the signatures, and who signed.

        In a ledger file of the project only the project's key and those that are `trusted` may sign. A ledger
        elsewhere may be written from several machines, each with its key: there any key may unless some are trusted,
        and `signers` says which did.
        """
        from penstock.ledger import verify_audit

        anybody = not trusted and not _has_own_ledger(self._work.project)
        with self._work.ledger.read() as reader:
            return verify_audit(reader, trusted=None if anybody else trusted)


def _moment(given: datetime | None) -> datetime:
    """The time to look as of: what is measured of a time to come would be false for good."""
    now = utc_now()
    if given is not None and given > now:
        raise UsageError(f"{given:%Y-%m-%d %H:%M} is still to come", expected=f"not after {now:%Y-%m-%d %H:%M} UTC")
    return given or now


def _has_own_ledger(project: "ProjectFile") -> bool:
    """Whether the ledger is a file in the project's directory."""
    scheme, _, file = project.ledger_url.partition(":///")
    return scheme == "sqlite" and Path(file).resolve().is_relative_to(project.root.resolve())
