"""Runs: begun, ended, found; their params and tags."""

from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.ids import new_id
from penstock.ledger import Param, Reader, Run, Tag, Transaction, utc_now
from penstock.mlflow import runs
from penstock.mlflow.errors import invalid, missing
from penstock.mlflow.experiments import active, carried, of_run
from penstock.mlflow.run_search import found_runs
from penstock.mlflow.wire import Pair, Reply, moment, tags_of
from penstock.train.params import param_of


class Create(msgspec.Struct, frozen=True):
    """A run that begins."""

    experiment_id: str = "0"
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: list[Pair] = []


class Update(msgspec.Struct, frozen=True):
    """How a run goes on, or ends."""

    run_id: str = ""
    run_uuid: str = ""
    status: str = ""
    end_time: int = 0
    run_name: str = ""


class Which(msgspec.Struct, frozen=True):
    """A run by its id."""

    run_id: str = ""
    run_uuid: str = ""


class Search(msgspec.Struct, frozen=True):
    """A page of runs."""

    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: str = "ACTIVE_ONLY"
    max_results: int = 1000
    order_by: list[str] = []
    page_token: str = ""


class OneOf(msgspec.Struct, frozen=True):
    """A param or a tag of a run."""

    run_id: str = ""
    run_uuid: str = ""
    key: str = ""
    value: str = ""


def create(transaction: Transaction, ask: Create) -> Reply:
    """A run, under the next number."""
    experiment = active(transaction, ask.experiment_id)
    tags = tags_of(ask.tags)
    if ask.user_id:
        tags.setdefault(runs.USER, ask.user_id)
    name = ask.run_name or tags.get(runs.NAME, "")
    if name:
        tags[runs.NAME] = name
    last = transaction.find(Run, order_by="-number", limit=1)
    run = Run(
        id=new_id(),
        number=last[0].number + 1 if last else 1,
        status="running",
        key="",
        function=tags.get(runs.SOURCE, ""),
        params={},
        seed=0,
        data={},
        features={},
        code="",
        git_commit=tags.get(runs.COMMIT),
        patch=None,
        environment="",
        host={},  # where it runs nobody told, so nobody here says that it is gone
        pid=0,
        started_at=moment(ask.start_time) if ask.start_time else utc_now(),
        kind="tracked",
        name=name,
        experiment=carried(experiment),
    )
    transaction.add(run, *(Tag(run.id, key, value) for key, value in tags.items()))
    return {"run": runs.described(transaction, [run])[0]}


def update(transaction: Transaction, ask: Update) -> Reply:
    """Another status or name. A run that goes on again has no end."""
    run = runs.writable(transaction, ask.run_id or ask.run_uuid)
    changed: dict[str, Any] = {}
    if ask.status:
        if ask.status not in runs.OURS:
            raise invalid(f"{ask.status!r} is no status", expected=", ".join(runs.OURS))
        ended = moment(ask.end_time) if ask.end_time else utc_now()
        status = runs.OURS[ask.status]
        changed = {"status": status, "finished_at": None if status == "running" else ended}
    if ask.run_name:
        changed["name"] = ask.run_name
        transaction.put(Tag(run.id, runs.NAME, ask.run_name))
    if changed:
        transaction.change(Run, {"id": run.id}, **changed)
    tags = {tag.name: tag.value for tag in transaction.find(Tag, run=run.id, name=[runs.USER, runs.LIFECYCLE])}
    return {"run_info": runs.info(run._replace(**changed), of_run(transaction, run), tags)}


def get(reader: Reader, ask: Which) -> Reply:
    """A run with what it logged."""
    return {"run": runs.described(reader, [runs.by_id(reader, ask.run_id or ask.run_uuid)])[0]}


def search(reader: Reader, ask: Search) -> Reply:
    """A page of runs that fit."""
    found, token = found_runs(
        reader, ask.experiment_ids, ask.filter, ask.run_view_type, ask.order_by, ask.max_results, ask.page_token
    )
    return {"runs": runs.described(reader, found), "next_page_token": token}


def delete(transaction: Transaction, ask: Which) -> Reply:
    """No longer shown to clients; the record stays."""
    transaction.put(Tag(runs.by_id(transaction, ask.run_id).id, runs.LIFECYCLE, runs.DELETED))
    return {}


def restore(transaction: Transaction, ask: Which) -> Reply:
    """Shown again."""
    transaction.remove(Tag, run=runs.by_id(transaction, ask.run_id).id, name=runs.LIFECYCLE)
    return {}


def log_parameter(transaction: Transaction, ask: OneOf) -> Reply:
    """A parameter, once."""
    add_params(transaction, runs.writable(transaction, ask.run_id or ask.run_uuid), {ask.key: ask.value})
    return {}


def set_tag(transaction: Transaction, ask: OneOf) -> Reply:
    """A word about a run, in place of the one before."""
    put_tags(transaction, runs.shown(transaction, ask.run_id or ask.run_uuid), {ask.key: ask.value})
    return {}


def delete_tag(transaction: Transaction, ask: OneOf) -> Reply:
    """One word less."""
    run = runs.shown(transaction, ask.run_id or ask.run_uuid)
    if not transaction.remove(Tag, run=run.id, name=ask.key):
        raise missing("tag of the run", ask.key)
    return {}


def add_params(transaction: Transaction, run: Run, params: Mapping[str, str]) -> None:
    """Parameters that the run does not have yet. ProtocolError when one has another value already."""
    if not params:
        return
    known = {each.name: each.value for each in transaction.find(Param, run=run.id, name=list(params))}
    changed = [name for name, value in params.items() if name and known.get(name, value) != value]
    if changed or "" in params:
        was = "; ".join(f"{name!r} is {known[name]!r} and not {params[name]!r}" for name in changed)
        raise invalid(f"a parameter is logged once: {was}" if changed else "a parameter needs a name")
    new = {name: value for name, value in params.items() if name not in known}
    transaction.add(*(param_of(run.id, name, value) for name, value in new.items()))
    transaction.change(Run, {"id": run.id}, params={**run.params, **new})


def put_tags(transaction: Transaction, run: Run, tags: Mapping[str, str]) -> None:
    """Tags, in place of those of the same names."""
    if runs.LIFECYCLE in tags or "" in tags:
        raise invalid("a tag needs a name of its own", expected=f"any but {runs.LIFECYCLE!r}")
    transaction.put(*(Tag(run.id, key, value) for key, value in tags.items()))
    if runs.NAME in tags:
        transaction.change(Run, {"id": run.id}, name=tags[runs.NAME])
