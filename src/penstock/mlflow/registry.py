"""Registered models and their versions, as the protocol shows our registry.

    None       Staging  Production  Archived        stages, to clients
    candidate  staging  production  archived        states, here

A deleted version is one that is archived and hidden: a registry forgets nothing.
"""

from collections.abc import Mapping, Sequence

from penstock.deliver import in_production
from penstock.ledger import ModelVersion, Reader, Transaction, node, utc_now
from penstock.ledger.mlflow import Alias, RegisteredModel, VersionNote
from penstock.mlflow.errors import invalid, missing
from penstock.mlflow.experiments import ROOT
from penstock.mlflow.handlers.logged_models import metrics_of
from penstock.mlflow.paths import Kept, Place, files, place_of, safe_name
from penstock.mlflow.runs import by_id
from penstock.mlflow.wire import EPOCH, Reply, milliseconds, pairs
from penstock.store import Store

STAGES = {"candidate": "None", "staging": "Staging", "production": "Production", "archived": "Archived"}
STATES = {theirs.lower(): ours for ours, theirs in STAGES.items()}
# Clients ask for models that are no prompts, by a tag that only those have.
NO_PROMPT = {"mlflow.prompt.is_prompt": "false"}
IN_PRODUCTION = ("champion", "production")  # aliases that mean a state: of the project's own model, its gates decide
BUNDLES = f"{ROOT}/bundles"  # where clients find the files of what this project sealed itself


def model_of(reader: Reader, name: str) -> RegisteredModel:
    """What is said of a model: nothing, of one that only has versions of ours. ProtocolError when there is none."""
    found = reader.get(RegisteredModel, name=name)
    if found:
        return found
    first = reader.find(ModelVersion, model=name, order_by="number", limit=1)
    if not first:
        raise missing("registered model", name)
    return RegisteredModel(name, "", {}, first[0].created_at, first[0].created_at)


def note_of(reader: Reader, version: ModelVersion) -> VersionNote:
    """What is said of a version, and where its files are."""
    found = reader.get(VersionNote, model=version.model, number=version.number)
    return found or VersionNote(
        version.model, version.number, location_of(version), "", "", "", {}, "active", version.created_at
    )


def version_of(reader: Reader, name: str, number: str) -> ModelVersion:
    """A version by its number. ProtocolError when there is none, or it is deleted."""
    known = reader.get(ModelVersion, model=name, number=int(number)) if number.isdecimal() else None
    if known is None or note_of(reader, known).state != "active":
        raise missing(f"version {number} of model", name)
    return known


def versions(reader: Reader, name: str) -> list[ModelVersion]:
    """The versions of a model that are not deleted, newest first."""
    known = reader.find(ModelVersion, model=name, order_by="-number")
    gone = {each.number for each in reader.find(VersionNote, model=name, state="deleted")}
    return [version for version in known if version.number not in gone]


def latest(known: Sequence[ModelVersion], stages: Sequence[str]) -> list[ModelVersion]:
    """The newest version in each of these stages, or in each there is."""
    for stage in stages:
        if stage.lower() not in STATES:
            raise invalid(f"{stage!r} is no stage", expected=", ".join(STAGES.values()))
    wanted = {STATES[stage.lower()] for stage in stages} or set(STAGES)
    newest = {version.state: version for version in reversed(known)}
    return [version for state, version in newest.items() if state in wanted]


def aliases(reader: Reader, name: str, own: str) -> dict[str, int]:
    """The aliases of a model; of the project's own, what is in production is the champion."""
    named = {each.name: each.number for each in reader.find(Alias, model=name, order_by="name")}
    answering = in_production(reader, name) if name == own else None
    return named | ({IN_PRODUCTION[0]: answering.number} if answering else {})


def described(reader: Reader, version: ModelVersion, own: str) -> Reply:
    """A version in a reply."""
    note = note_of(reader, version)
    told = {
        "name": version.model,
        "version": str(version.number),
        "creation_timestamp": milliseconds(version.created_at),
        "last_updated_timestamp": milliseconds(note.updated_at),
        "current_stage": STAGES[version.state],
        "description": note.description or version.note,
        "source": note.source,
        "run_id": version.run,
        "run_link": note.run_link,
        "status": "READY",
        "model_id": note.logged,
        "tags": pairs(note.tags),
        "aliases": [name for name, number in aliases(reader, version.model, own).items() if number == version.number],
        "model_metrics": metrics_of(reader, note.logged) if note.logged else [],
    }
    return {name: value for name, value in told.items() if value != ""}


def model_described(reader: Reader, model: RegisteredModel, own: str) -> Reply:
    """A registered model in a reply."""
    known = versions(reader, model.name)
    return {
        "name": model.name,
        "creation_timestamp": milliseconds(model.created_at),
        "last_updated_timestamp": milliseconds(max(model.updated_at, *(v.created_at for v in known), EPOCH)),
        "description": model.description,
        "latest_versions": [described(reader, version, own) for version in latest(known, [])],
        "tags": pairs(model.tags),
        "aliases": [{"alias": alias, "version": str(n)} for alias, n in aliases(reader, model.name, own).items()],
    }


def touch(transaction: Transaction, version: ModelVersion, **values: object) -> None:
    """Say something else of a version."""
    known = note_of(transaction, version)
    transaction.put(known._replace(**values, updated_at=utc_now()))  # type: ignore[arg-type]


def source_files(reader: Reader, store: Store, source: str) -> Mapping[str, Kept]:
    """The files that a version is made of, named from its directory. ProtocolError when they are not in our store."""
    place = _place(reader, source)
    inside = len(place.name) + 1 if place.name else 0
    found = {name[inside:]: kept for name, kept in files(reader, store, place).items() if name != place.name}
    if not found:
        raise invalid(f"there are no files at {source!r}", expected="a model that was logged to this server")
    return found


def location_of(version: ModelVersion) -> str:
    """Where clients load a version from: its bundle, whatever became of the files that it was made of."""
    return f"{BUNDLES}/{version.bundle}"


def _place(reader: Reader, source: str) -> Place:
    scheme, _, rest = source.partition(":/")
    path = rest.lstrip("/")
    if scheme == "models" and path.startswith("m-") and "/" not in path:
        return Place("model", path, "")
    if scheme == "runs":
        run, _, name = path.partition("/")
        return Place("run", by_id(reader, run).id, safe_name(name))
    if scheme == "mlflow-artifacts":
        return place_of(path)
    if scheme in ("http", "https") and "/mlflow-artifacts/artifacts/" in path:
        return place_of(path.partition("/mlflow-artifacts/artifacts/")[2])
    raise invalid(f"{source!r} is not in this project's store", expected="models:/m-…, runs:/RUN/PATH")


def linked(transaction: Transaction, version: ModelVersion) -> None:
    """Lineage from the run to its model."""
    if version.run:
        transaction.link(node("run", version.run), node("bundle", version.bundle), "logged")
