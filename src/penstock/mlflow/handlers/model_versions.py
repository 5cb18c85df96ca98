"""Model versions: registered from what was logged, moved between stages, never past a gate."""

from typing import Any

import msgspec

from penstock.deliver import enrol, move
from penstock.errors import GateRefused
from penstock.ledger import ModelVersion, Reader, Run, Transaction, utc_now
from penstock.ledger.mlflow import Alias, LoggedModel, RegisteredModel, VersionNote
from penstock.mlflow import matching, registry
from penstock.mlflow.errors import invalid, missing, refused
from penstock.mlflow.tracking import Tracking
from penstock.mlflow.wire import Pair, Reply, milliseconds, tags_of

_PAGE = 10_000


class Create(msgspec.Struct, frozen=True):
    """A version of what lies at `source`."""

    name: str = ""
    source: str = ""
    run_id: str = ""
    run_link: str = ""
    description: str = ""
    model_id: str = ""
    tags: list[Pair] = []


class Which(msgspec.Struct, frozen=True):
    """A version."""

    name: str = ""
    version: str = ""


class Update(Which, frozen=True):
    """Another description."""

    description: str = ""


class SetTag(Which, frozen=True):
    """A word about a version."""

    key: str = ""
    value: str = ""


class Stage(Which, frozen=True):
    """Another stage."""

    stage: str = ""
    archive_existing_versions: bool = False


class Search(msgspec.Struct, frozen=True):
    """A page of versions."""

    filter: str = ""
    max_results: int = 200_000
    order_by: list[str] = []
    page_token: str = ""


def create(tracking: Tracking, ask: Create) -> Reply:
    """The next version, a candidate: its files as they are now, whatever becomes of those of the run."""
    with tracking.ledger.read() as reader:
        found = registry.source_files(reader, tracking.store, ask.source)
    files = {name: {"blake3": kept.digest, "bytes": kept.bytes} for name, kept in found.items()}
    bundle = tracking.store.put_json({"manifest": "mlflow/1", "files": files})
    with tracking.ledger.write() as transaction:
        logged = transaction.get(LoggedModel, id=ask.model_id or ask.source.rpartition("/")[2])
        run = ask.run_id or (logged.run if logged else "")
        if run and transaction.get(Run, id=run) is None:
            raise missing("run", run)
        _name(transaction, ask.name)
        version = enrol(transaction, ask.name, bundle, run=run, actor=tracking.actor, note="from MLflow")
        registry.linked(transaction, version)
        transaction.add(
            VersionNote(
                version.model, version.number, ask.source, logged.id if logged else "", ask.description, ask.run_link,
                tags_of(ask.tags), "active", version.created_at,
            )
        )  # fmt: skip
        return {"model_version": registry.described(transaction, version, tracking.model)}


def get(tracking: Tracking, ask: Which) -> Reply:
    """A version by its number."""
    with tracking.ledger.read() as reader:
        return _reply(tracking, reader, registry.version_of(reader, ask.name, ask.version))


def update(tracking: Tracking, ask: Update) -> Reply:
    """Another description."""
    with tracking.ledger.write() as transaction:
        version = registry.version_of(transaction, ask.name, ask.version)
        registry.touch(transaction, version, description=ask.description)
        return _reply(tracking, transaction, version)


def delete(tracking: Tracking, ask: Which) -> Reply:
    """No longer shown, and archived; the registry keeps it. Not while it is in production."""
    with tracking.ledger.write() as transaction:
        retire(transaction, registry.version_of(transaction, ask.name, ask.version), actor=tracking.actor)
    return {}


def download_uri(reader: Reader, ask: Which) -> Reply:
    """Where its files are."""
    return {"artifact_uri": registry.location_of(registry.version_of(reader, ask.name, ask.version))}


def set_tag(transaction: Transaction, ask: SetTag) -> Reply:
    """A word about a version, in place of the one before."""
    version = registry.version_of(transaction, ask.name, ask.version)
    registry.touch(transaction, version, tags={**registry.note_of(transaction, version).tags, ask.key: ask.value})
    return {}


def delete_tag(transaction: Transaction, ask: SetTag) -> Reply:
    """One word less."""
    version = registry.version_of(transaction, ask.name, ask.version)
    known = registry.note_of(transaction, version).tags
    registry.touch(transaction, version, tags={key: value for key, value in known.items() if key != ask.key})
    return {}


def search(tracking: Tracking, ask: Search) -> Reply:
    """A page of versions, the newest first."""
    with tracking.ledger.read() as reader:
        known = [v for name in reader.distinct(ModelVersion, "model") for v in registry.versions(reader, name)]
        known.sort(key=lambda version: version.created_at, reverse=True)

        def field(version: ModelVersion, place: str, name: str) -> Any:
            return _field(version, registry.note_of(reader, version), place, name)

        found = matching.select(known, field, ask.filter, ask.order_by)
        chosen, token = matching.page(found, ask.page_token, max(1, min(ask.max_results, _PAGE)))
        versions = [registry.described(reader, version, tracking.model) for version in chosen]
    return {"model_versions": versions, "next_page_token": token}


def transition(tracking: Tracking, ask: Stage) -> Reply:
    """Another stage: up through every gate of a promotion, down freely, out of production only by another version."""
    state = registry.STATES.get(ask.stage.lower())
    if state is None:
        raise invalid(f"{ask.stage!r} is no stage", expected=", ".join(registry.STAGES.values()))
    with tracking.ledger.read() as reader:
        version = registry.version_of(reader, ask.name, ask.version)
    if version.state != state:
        _move(tracking, version, state, ask)
    with tracking.ledger.read() as reader:
        return _reply(tracking, reader, registry.version_of(reader, ask.name, ask.version))


def _move(tracking: Tracking, version: ModelVersion, state: str, ask: Stage) -> None:
    reason = f"stage {ask.stage!r}, set over the MLflow protocol"
    if version.state == "production":
        hint = "promote another version, or: penstock rollback"
        raise refused(f"{version.name} answers users, and something must", hint=hint)
    if state in ("staging", "production"):
        promote(tracking, version, state, reason)
    else:
        with tracking.ledger.write() as transaction:
            move(transaction, version, state, actor=tracking.actor, reason=reason)
    if state == "staging" and ask.archive_existing_versions:
        with tracking.ledger.write() as transaction:
            for other in transaction.find(ModelVersion, model=version.model, state="staging"):
                if other.number != version.number:
                    move(transaction, other, "archived", actor=tracking.actor, reason=f"replaced by {version.name}")


def promote(tracking: Tracking, version: ModelVersion, state: str, reason: str) -> None:
    """Move a version up as `penstock promote` does, or raise GateRefused with all that lacks."""
    if version.model != tracking.model:
        what = f"{version.name} may not enter {state}"
        lack = f"gates: they judge {tracking.model!r} here, the project's own model, and no other"
        raise GateRefused(what, lacks=[lack], hint="an alias may be set freely, it serves nobody")
    from penstock.deliver import promote as deliver  # loads models and data frames, which logging never needs

    deliver(tracking.project(), tracking.ledger, tracking.store, version, state, actor=tracking.actor, reason=reason)


def retire(transaction: Transaction, version: ModelVersion, *, actor: str) -> None:
    """Hide a version from clients, and archive it."""
    if version.state == "production":
        raise refused(f"{version.name} answers users", hint="promote another version, or: penstock rollback")
    if version.state != "archived":
        move(transaction, version, "archived", actor=actor, reason="deleted over the MLflow protocol")
    transaction.remove(Alias, model=version.model, number=version.number)
    registry.touch(transaction, version, state="deleted")


def _reply(tracking: Tracking, reader: Reader, version: ModelVersion) -> Reply:
    return {"model_version": registry.described(reader, version, tracking.model)}


def _name(transaction: Transaction, name: str) -> None:
    """A version needs a registered model; one that has versions of ours is one."""
    known = transaction.get(RegisteredModel, name=name)
    if known is None and not transaction.count(ModelVersion, model=name):
        raise missing("registered model", name)
    if known:
        transaction.change(RegisteredModel, {"name": name}, updated_at=utc_now())


def _field(version: ModelVersion, note: VersionNote, place: str, name: str) -> Any:
    if place == "tags":
        return note.tags.get(name, registry.NO_PROMPT.get(name))
    fields = {
        "name": version.model, "version_number": version.number, "run_id": version.run, "source_path": note.source,
        "creation_timestamp": milliseconds(version.created_at),
        "last_updated_timestamp": milliseconds(note.updated_at),
    }  # fmt: skip
    if place or name not in fields:
        raise invalid(f"model versions have no {name!r}", expected=f"tags.NAME, {', '.join(fields)}")
    return fields[name]
