"""Registered models: made, found, described; their tags and aliases."""

from typing import Any

import msgspec

from penstock.ledger import ModelVersion, Reader, Transaction, utc_now
from penstock.ledger.mlflow import Alias, RegisteredModel
from penstock.mlflow import matching, registry
from penstock.mlflow.errors import ProtocolError, invalid, missing, refused, taken
from penstock.mlflow.handlers.model_versions import promote, retire
from penstock.mlflow.tracking import Tracking
from penstock.mlflow.wire import Pair, Reply, milliseconds, tags_of

_PAGE = 1000


class Create(msgspec.Struct, frozen=True):
    """A name for versions to come."""

    name: str = ""
    description: str = ""
    tags: list[Pair] = []


class Which(msgspec.Struct, frozen=True):
    """A registered model."""

    name: str = ""


class Update(msgspec.Struct, frozen=True):
    """Another description."""

    name: str = ""
    description: str = ""


class Rename(msgspec.Struct, frozen=True):
    """Another name."""

    name: str = ""
    new_name: str = ""


class Latest(msgspec.Struct, frozen=True):
    """The newest versions in some stages."""

    name: str = ""
    stages: list[str] = []


class SetTag(msgspec.Struct, frozen=True):
    """A word about a model."""

    name: str = ""
    key: str = ""
    value: str = ""


class SetAlias(msgspec.Struct, frozen=True):
    """A name for a version."""

    name: str = ""
    alias: str = ""
    version: str = ""


class Search(msgspec.Struct, frozen=True):
    """A page of models."""

    filter: str = ""
    max_results: int = 100
    order_by: list[str] = []
    page_token: str = ""


def create(tracking: Tracking, ask: Create) -> Reply:
    """A name, before any version."""
    if not ask.name.strip() or "/" in ask.name or ":" in ask.name:
        raise invalid(f"{ask.name!r} is no name of a model", expected="a name without / and :")
    with tracking.ledger.write() as transaction:
        if transaction.get(RegisteredModel, name=ask.name) or registry.versions(transaction, ask.name):
            raise taken("a registered model", ask.name)
        now = utc_now()
        model = RegisteredModel(ask.name, ask.description, tags_of(ask.tags), now, now)
        transaction.add(model)
        return {"registered_model": registry.model_described(transaction, model, tracking.model)}


def get(tracking: Tracking, ask: Which) -> Reply:
    """A model with its newest versions."""
    with tracking.ledger.read() as reader:
        return {"registered_model": registry.model_described(reader, _model(reader, ask.name), tracking.model)}


def update(tracking: Tracking, ask: Update) -> Reply:
    """Another description."""
    with tracking.ledger.write() as transaction:
        model = _change(transaction, ask.name, description=ask.description)
        return {"registered_model": registry.model_described(transaction, model, tracking.model)}


def rename(transaction: Transaction, ask: Rename) -> Reply:
    """Only of a model that has no version: what happened to a version is recorded under its name."""
    model = _model(transaction, ask.name)
    if transaction.count(ModelVersion, model=ask.name):
        raise ProtocolError("NOT_IMPLEMENTED", f"{ask.name!r} has versions, whose records carry its name")
    if not ask.new_name.strip():
        raise invalid("a model needs a name")
    if transaction.get(RegisteredModel, name=ask.new_name) or transaction.count(ModelVersion, model=ask.new_name):
        raise taken("a registered model", ask.new_name)
    transaction.remove(RegisteredModel, name=model.name)
    transaction.add(model._replace(name=ask.new_name, updated_at=utc_now()))
    return {"registered_model": registry.model_described(transaction, _model(transaction, ask.new_name), "")}


def delete(tracking: Tracking, ask: Which) -> Reply:
    """No longer shown, and its versions archived; the registry keeps them. Not while one is in production."""
    with tracking.ledger.write() as transaction:
        _model(transaction, ask.name)
        for version in registry.versions(transaction, ask.name):
            retire(transaction, version, actor=tracking.actor)
        transaction.remove(Alias, model=ask.name)
        transaction.remove(RegisteredModel, name=ask.name)
    return {}


def search(tracking: Tracking, ask: Search) -> Reply:
    """A page of models, by name."""
    with tracking.ledger.read() as reader:
        said = {model.name: model for model in reader.find(RegisteredModel)}
        names = sorted({*said, *reader.distinct(ModelVersion, "model")})
        known = [said.get(name) or registry.model_of(reader, name) for name in names]
        shown = [model for model in known if model.name in said or registry.versions(reader, model.name)]
        found = matching.select(shown, _field, ask.filter, ask.order_by)
        chosen, token = matching.page(found, ask.page_token, max(1, min(ask.max_results, _PAGE)))
        models = [registry.model_described(reader, model, tracking.model) for model in chosen]
    return {"registered_models": models, "next_page_token": token}


def latest(tracking: Tracking, ask: Latest) -> Reply:
    """The newest version in each stage."""
    with tracking.ledger.read() as reader:
        _model(reader, ask.name)
        found = registry.latest(registry.versions(reader, ask.name), ask.stages)
        return {"model_versions": [registry.described(reader, each, tracking.model) for each in found]}


def set_tag(transaction: Transaction, ask: SetTag) -> Reply:
    """A word about a model, in place of the one before."""
    known = _model(transaction, ask.name)
    _change(transaction, ask.name, tags={**known.tags, ask.key: ask.value})
    return {}


def delete_tag(transaction: Transaction, ask: SetTag) -> Reply:
    """One word less."""
    known = _model(transaction, ask.name)
    _change(transaction, ask.name, tags={key: value for key, value in known.tags.items() if key != ask.key})
    return {}


def set_alias(tracking: Tracking, ask: SetAlias) -> Reply:
    """A name for a version. One that means production, of the project's own model, is a promotion."""
    if not ask.alias.strip():
        raise invalid("an alias needs a name")
    with tracking.ledger.read() as reader:
        version = registry.version_of(reader, ask.name, ask.version)
    if _means_production(tracking, ask):
        if version.state != "production":
            promote(tracking, version, "production", f"alias {ask.alias!r}, set over the MLflow protocol")
        return {}
    with tracking.ledger.write() as transaction:
        transaction.put(Alias(ask.name, ask.alias, version.number))
    return {}


def delete_alias(tracking: Tracking, ask: SetAlias) -> Reply:
    """One name less."""
    if _means_production(tracking, ask):
        hint = "promote another version, or: penstock rollback"
        raise refused(f"{ask.alias!r} is what answers users, and something must", hint=hint)
    with tracking.ledger.write() as transaction:
        transaction.remove(Alias, model=ask.name, name=ask.alias)
    return {}


def by_alias(tracking: Tracking, ask: SetAlias) -> Reply:
    """The version of a name."""
    with tracking.ledger.read() as reader:
        _model(reader, ask.name)
        own = _means_production(tracking, ask)
        alias = registry.IN_PRODUCTION[0] if own else ask.alias
        number = registry.aliases(reader, ask.name, tracking.model).get(alias)
        if number is None:
            # clients tell a missing alias by this code
            raise invalid(f"model {ask.name!r} has no alias {ask.alias!r}")
        version = registry.version_of(reader, ask.name, str(number))
        return {"model_version": registry.described(reader, version, tracking.model)}


def _means_production(tracking: Tracking, ask: SetAlias) -> bool:
    return ask.name == tracking.model and ask.alias.lower() in registry.IN_PRODUCTION


def _model(reader: Reader, name: str) -> RegisteredModel:
    found = registry.model_of(reader, name)
    if reader.get(RegisteredModel, name=name) is None and not registry.versions(reader, name):
        raise missing("registered model", name)
    return found


def _change(transaction: Transaction, name: str, **values: Any) -> RegisteredModel:
    changed = _model(transaction, name)._replace(**values, updated_at=utc_now())
    transaction.put(changed)
    return changed


def _field(model: RegisteredModel, place: str, name: str) -> Any:
    if place == "tags":
        return model.tags.get(name, registry.NO_PROMPT.get(name))
    fields = {
        "name": model.name,
        "creation_timestamp": milliseconds(model.created_at),
        "timestamp": milliseconds(model.updated_at),
        "last_updated_timestamp": milliseconds(model.updated_at),
    }
    if place or name not in fields:
        raise invalid(f"registered models have no {name!r}", expected=f"tags.NAME, {', '.join(fields)}")
    return fields[name]
