"""Experiments: made, found, renamed, deleted and brought back."""

from typing import Any

import msgspec

from penstock.ledger import Comparison, Reader, Run, Transaction, find_runs, utc_now
from penstock.ledger.mlflow import Experiment
from penstock.mlflow import matching
from penstock.mlflow.errors import invalid, missing, taken
from penstock.mlflow.experiments import DEFAULT, active, by_id, by_name, described, start, tag
from penstock.mlflow.tracking import Tracking
from penstock.mlflow.wire import Pair, Reply, milliseconds, tags_of

_VIEWS = {"ACTIVE_ONLY": ("active",), "DELETED_ONLY": ("deleted",), "ALL": ("active", "deleted")}


class Create(msgspec.Struct, frozen=True):
    """A new name."""

    name: str = ""
    artifact_location: str = ""
    tags: list[Pair] = []


class Which(msgspec.Struct, frozen=True):
    """An experiment by its number."""

    experiment_id: str = ""


class Named(msgspec.Struct, frozen=True):
    """An experiment by its name."""

    experiment_name: str = ""


class Rename(msgspec.Struct, frozen=True):
    """A new name for an experiment."""

    experiment_id: str = ""
    new_name: str = ""


class SetTag(msgspec.Struct, frozen=True):
    """A word about an experiment."""

    experiment_id: str = ""
    key: str = ""
    value: str = ""


class Search(msgspec.Struct, frozen=True):
    """A page of experiments."""

    filter: str = ""
    order_by: list[str] = []
    max_results: int = 1000
    page_token: str = ""
    view_type: str = "ACTIVE_ONLY"


def create(transaction: Transaction, ask: Create) -> Reply:
    """An experiment under a name that none has."""
    if not ask.name.strip():
        raise invalid("an experiment needs a name")
    if ask.artifact_location:
        raise invalid("artifacts are kept in the project's store", expected="no artifact_location")
    if by_name(transaction, ask.name):
        raise taken("an experiment", ask.name)
    return {"experiment_id": start(transaction, ask.name, tags_of(ask.tags)).id}


def get(reader: Reader, ask: Which) -> Reply:
    """An experiment by its number."""
    return {"experiment": described(by_id(reader, ask.experiment_id))}


def get_by_name(tracking: Tracking, ask: Named) -> Reply:
    """An experiment by its name, also one that only runs of our own carry so far."""
    with tracking.ledger.read() as reader:
        found = by_name(reader, ask.experiment_name)
        known = found or _has_runs(reader, ask.experiment_name)
    if not known:
        raise missing("experiment", ask.experiment_name)
    return {"experiment": described(found or _adopt(tracking, ask.experiment_name))}


def search(tracking: Tracking, ask: Search) -> Reply:
    """A page of experiments, newest first."""
    with tracking.ledger.read() as reader:
        found = reader.find(Experiment, order_by="-created_at")
        carried = reader.distinct(Run, "experiment")
    strangers = sorted(set(carried) - {each.name for each in found} - {""})
    default = [] if any(each.id == DEFAULT.id for each in found) else [DEFAULT]
    known = [*(_adopt(tracking, name) for name in strangers), *found, *default]
    if ask.view_type not in _VIEWS:
        raise invalid(f"{ask.view_type!r} is no view", expected=", ".join(_VIEWS))
    seen = [each for each in known if each.state in _VIEWS[ask.view_type]]
    chosen, token = matching.page(
        matching.select(seen, _field, ask.filter, ask.order_by), ask.page_token, max(1, ask.max_results)
    )
    return {"experiments": [described(each) for each in chosen], "next_page_token": token}


def update(transaction: Transaction, ask: Rename) -> Reply:
    """Another name, for its runs too."""
    known = _own(transaction, ask.experiment_id)
    if not ask.new_name.strip():
        raise invalid("an experiment needs a name")
    if by_name(transaction, ask.new_name):
        raise taken("an experiment", ask.new_name)
    transaction.change(Experiment, {"id": known.id}, name=ask.new_name, updated_at=utc_now())
    transaction.change(Run, {"experiment": known.name}, experiment=ask.new_name)
    return {}


def delete(transaction: Transaction, ask: Which) -> Reply:
    """No longer shown; its runs stay."""
    transaction.change(
        Experiment, {"id": _own(transaction, ask.experiment_id).id}, state="deleted", updated_at=utc_now()
    )
    return {}


def restore(transaction: Transaction, ask: Which) -> Reply:
    """Shown again."""
    known = by_id(transaction, ask.experiment_id)
    transaction.change(Experiment, {"id": known.id}, state="active", updated_at=utc_now())
    return {}


def set_tag(transaction: Transaction, ask: SetTag) -> Reply:
    """A word about it, in place of the one before."""
    known = active(transaction, ask.experiment_id)
    tag(transaction, known, {**known.tags, ask.key: ask.value})
    return {}


def delete_tag(transaction: Transaction, ask: SetTag) -> Reply:
    """One word less."""
    known = active(transaction, ask.experiment_id)
    if ask.key not in known.tags:
        raise missing("tag of the experiment", ask.key)
    tag(transaction, known, {key: value for key, value in known.tags.items() if key != ask.key})
    return {}


def _own(reader: Reader, number: str) -> Experiment:
    """An experiment that may be changed."""
    if number == DEFAULT.id:
        raise invalid(f"experiment {DEFAULT.name!r} is that of all runs without one, and cannot be changed")
    return active(reader, number)


def _has_runs(reader: Reader, name: str) -> bool:
    return bool(name) and bool(find_runs(reader, Comparison("", "experiment", "=", name), limit=1))


def _adopt(tracking: Tracking, name: str) -> Experiment:
    """A number for a name that our own runs carry."""
    with tracking.ledger.write() as transaction:
        return by_name(transaction, name) or start(transaction, name, {})


def _field(experiment: Experiment, place: str, name: str) -> Any:
    if place == "tags":
        return experiment.tags.get(name)
    fields = {
        "name": experiment.name,
        "experiment_id": experiment.id,
        "creation_time": milliseconds(experiment.created_at),
        "last_update_time": milliseconds(experiment.updated_at),
    }
    if place or name not in fields:
        raise invalid(f"experiments have no {name!r}", expected=f"tags.NAME, {', '.join(fields)}")
    return fields[name]
