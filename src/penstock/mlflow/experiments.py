"""Experiments: the numbers that MLflow gives to the names which runs carry."""

from collections.abc import Mapping

from penstock.ledger import Reader, Run, Transaction, utc_now
from penstock.ledger.mlflow import Experiment
from penstock.mlflow.errors import invalid, missing
from penstock.mlflow.wire import EPOCH, Reply, milliseconds, pairs

DEFAULT = Experiment("0", "Default", "active", {}, EPOCH, EPOCH)  # that of runs which name none
ROOT = "mlflow-artifacts:"


def by_id(reader: Reader, number: str) -> Experiment:
    """The experiment of a number. ProtocolError when there is none."""
    found = reader.get(Experiment, id=number) or (DEFAULT if number == DEFAULT.id else None)
    if found is None:
        raise missing("experiment with the number", number)
    return found


def active(reader: Reader, number: str) -> Experiment:
    """The experiment of a number, which is not deleted."""
    found = by_id(reader, number)
    if found.state != "active":
        raise invalid(f"experiment {found.name!r} is deleted", expected="one that is active: restore it first")
    return found


def by_name(reader: Reader, name: str) -> Experiment | None:
    """The experiment of a name, if it has a number."""
    return reader.get(Experiment, name=name) or (DEFAULT if name == DEFAULT.name else None)


def of_run(reader: Reader, run: Run) -> str:
    """The number of a run's experiment."""
    found = reader.get(Experiment, name=run.experiment) if run.experiment else None
    return found.id if found else DEFAULT.id


def carried(experiment: Experiment) -> str:
    """What a run of the experiment carries as its name."""
    return "" if experiment.id == DEFAULT.id else experiment.name


def start(transaction: Transaction, name: str, tags: Mapping[str, str]) -> Experiment:
    """The next number for a name."""
    now = utc_now()
    number = str(transaction.count(Experiment) + 1)  # none is ever removed
    started = Experiment(number, name, "active", dict(tags), now, now)
    transaction.add(started)
    return started


def tag(transaction: Transaction, experiment: Experiment, tags: Mapping[str, str]) -> None:
    """Give an experiment these tags; the one of runs without one has a row from then on."""
    transaction.put(experiment._replace(tags=dict(tags), updated_at=utc_now()))


def described(experiment: Experiment) -> Reply:
    """An experiment in a reply."""
    return {
        "experiment_id": experiment.id,
        "name": experiment.name,
        "artifact_location": f"{ROOT}/{experiment.id}",
        "lifecycle_stage": experiment.state,
        "creation_time": milliseconds(experiment.created_at),
        "last_update_time": milliseconds(experiment.updated_at),
        "tags": pairs(experiment.tags),
    }
