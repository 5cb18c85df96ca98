"""Which request is answered by what, and how the ledger is held meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints
from urllib.parse import unquote

from penstock.ledger import Reader, Transaction
from penstock.mlflow.errors import ProtocolError
from penstock.mlflow.handlers import (
    artifacts,
    experiments,
    inputs,
    logged_models,
    metrics,
    model_versions,
    registered_models,
    runs,
)
from penstock.mlflow.tracking import Tracking
from penstock.mlflow.wire import Reply

ROOT = "/api/2.0/mlflow/"


@dataclass(frozen=True)
class Route:
    """What is asked, who answers, and whether it waits for its turn to write."""

    ask: type
    answer: Callable[[Tracking, Any], Reply]
    writes: bool


def _reading(handler: Callable[[Reader, Any], Reply]) -> Route:
    """From a snapshot."""

    def answer(tracking: Tracking, ask: Any) -> Reply:
        with tracking.ledger.read() as reader:
            return handler(reader, ask)

    return Route(get_type_hints(handler)["ask"], answer, writes=False)


def _logging(handler: Callable[[Transaction, Any], Reply]) -> Route:
    """What goes on: a power cut may take it, until the run has ended or anything else was decided."""
    return _writing(handler, durable=False)


def _writing(handler: Callable[[Transaction, Any], Reply], *, durable: bool = True) -> Route:
    """A decision."""

    def answer(tracking: Tracking, ask: Any) -> Reply:
        with tracking.ledger.write(durable=durable) as transaction:
            return handler(transaction, ask)

    return Route(get_type_hints(handler)["ask"], answer, writes=True)


def _working(handler: Callable[[Tracking, Any], Reply], *, writes: bool = True) -> Route:
    """With transactions of its own."""
    return Route(get_type_hints(handler)["ask"], handler, writes)


ROUTES: Mapping[tuple[str, str], Route] = {
    ("POST", "experiments/create"): _writing(experiments.create),
    ("GET", "experiments/get"): _reading(experiments.get),
    ("GET", "experiments/get-by-name"): _working(experiments.get_by_name),
    ("GET", "experiments/search"): _working(experiments.search),
    ("POST", "experiments/search"): _working(experiments.search),
    ("POST", "experiments/update"): _writing(experiments.update),
    ("POST", "experiments/delete"): _writing(experiments.delete),
    ("POST", "experiments/restore"): _writing(experiments.restore),
    ("POST", "experiments/set-experiment-tag"): _writing(experiments.set_tag),
    ("POST", "experiments/delete-experiment-tag"): _writing(experiments.delete_tag),
    ("POST", "runs/create"): _logging(runs.create),
    ("GET", "runs/get"): _reading(runs.get),
    ("POST", "runs/search"): _reading(runs.search),
    ("POST", "runs/update"): _writing(runs.update),
    ("POST", "runs/delete"): _writing(runs.delete),
    ("POST", "runs/restore"): _writing(runs.restore),
    ("POST", "runs/log-parameter"): _logging(runs.log_parameter),
    ("POST", "runs/set-tag"): _logging(runs.set_tag),
    ("POST", "runs/delete-tag"): _logging(runs.delete_tag),
    ("POST", "runs/log-metric"): _logging(metrics.log_metric),
    ("POST", "runs/log-batch"): _logging(metrics.log_batch),
    ("GET", "metrics/get-history"): _reading(metrics.history),
    ("POST", "runs/log-inputs"): _logging(inputs.log_inputs),
    ("POST", "runs/outputs"): _logging(inputs.log_outputs),
    ("POST", "runs/log-model"): _logging(logged_models.log_model),
    ("GET", "artifacts/list"): _working(artifacts.of_run, writes=False),
    ("POST", "logged-models"): _writing(logged_models.create),
    ("POST", "logged-models/search"): _reading(logged_models.search),
    ("GET", "logged-models/{model_id}"): _reading(logged_models.get),
    ("PATCH", "logged-models/{model_id}"): _writing(logged_models.finalize),
    ("DELETE", "logged-models/{model_id}"): _writing(logged_models.delete),
    ("POST", "logged-models/{model_id}/params"): _writing(logged_models.add_params),
    ("PATCH", "logged-models/{model_id}/tags"): _writing(logged_models.set_tags),
    ("DELETE", "logged-models/{model_id}/tags/{tag_key}"): _writing(logged_models.delete_tag),
    ("GET", "logged-models/{model_id}/artifacts/directories"): _working(artifacts.of_model, writes=False),
    ("POST", "registered-models/create"): _working(registered_models.create),
    ("GET", "registered-models/get"): _working(registered_models.get, writes=False),
    ("GET", "registered-models/search"): _working(registered_models.search, writes=False),
    ("GET", "registered-models/get-latest-versions"): _working(registered_models.latest, writes=False),
    ("POST", "registered-models/get-latest-versions"): _working(registered_models.latest, writes=False),
    ("PATCH", "registered-models/update"): _working(registered_models.update),
    ("POST", "registered-models/rename"): _writing(registered_models.rename),
    ("DELETE", "registered-models/delete"): _working(registered_models.delete),
    ("POST", "registered-models/set-tag"): _writing(registered_models.set_tag),
    ("DELETE", "registered-models/delete-tag"): _writing(registered_models.delete_tag),
    ("POST", "registered-models/alias"): _working(registered_models.set_alias, writes=False),
    ("DELETE", "registered-models/alias"): _working(registered_models.delete_alias),
    ("GET", "registered-models/alias"): _working(registered_models.by_alias, writes=False),
    ("POST", "model-versions/create"): _working(model_versions.create),
    ("GET", "model-versions/get"): _working(model_versions.get, writes=False),
    ("GET", "model-versions/search"): _working(model_versions.search, writes=False),
    ("GET", "model-versions/get-download-uri"): _reading(model_versions.download_uri),
    ("PATCH", "model-versions/update"): _working(model_versions.update),
    ("DELETE", "model-versions/delete"): _working(model_versions.delete),
    ("POST", "model-versions/set-tag"): _writing(model_versions.set_tag),
    ("DELETE", "model-versions/delete-tag"): _writing(model_versions.delete_tag),
    # A promotion loads the project and may wait for its server: logging goes on meanwhile.
    ("POST", "model-versions/transition-stage"): _working(model_versions.transition, writes=False),
}
_PATTERNS = [(method, tuple(path.split("/")), route) for (method, path), route in ROUTES.items() if "{" in path]


def find_route(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """Who answers, and what the path says. ProtocolError when nobody does."""
    place = path.removeprefix(ROOT).rstrip("/") if path.startswith(ROOT) else ""
    found = ROUTES.get((method, place))
    if found and "{" not in place:
        return found, {}
    parts = place.split("/")
    for wanted, pattern, route in _PATTERNS:
        if wanted == method and len(pattern) == len(parts):
            named = {key[1:-1]: unquote(part) for key, part in zip(pattern, parts, strict=True) if key[0] == "{"}
            if all(key[0] == "{" or key == part for key, part in zip(pattern, parts, strict=True)):
                return route, named
    hint = "docs/mlflow.md says which endpoints are"
    raise ProtocolError("ENDPOINT_NOT_FOUND", f"{method} {path} is not spoken here", hint=hint)
