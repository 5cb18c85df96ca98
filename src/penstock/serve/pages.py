"""OpenAPI 3.1 made from the signatures, and the page that shows it."""

from functools import cache
from importlib.resources import files
from typing import Any

from penstock.serve.predict import plain
from penstock.serve.router import Route, Table

Schema = dict[str, Any]

_PROBLEM = {
    "type": "object",
    "properties": {
        "row": {"type": "integer"},
        "field": {"type": "string"},
        "what": {"type": "string"},
        "expected": {"type": "string"},
    },
    "required": ["row", "what"],
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "what": {"type": "string"},
                "expected": {"type": "string"},
                "next": {"type": "string"},
                "problems": {"type": "array", "items": _PROBLEM},
            },
            "required": ["what"],
        }
    },
    "required": ["error"],
}
_REFUSALS = {
    "400": "The body is not JSON",
    "404": "No such endpoint",
    "413": "Too many bytes or rows",
    "422": "A row is wrong; every bad field is named and nothing was done",
    "503": "Not loaded yet, overloaded, or the log cannot be written: nothing was acknowledged",
}
_ACCEPTED = {"type": "object", "properties": {"accepted": {"type": "integer"}}, "required": ["accepted"]}
_PLAIN_PATHS = {
    "/health": "How the server is",
    "/ready": "Whether every endpoint answers",
    "/metrics": "Numbers for Prometheus",
}


def openapi(table: Table) -> Schema:
    """The OpenAPI document of the endpoints that answer now."""
    paths: Schema = {}
    for name, route in sorted(table.routes.items()):
        paths[f"/predict/{name}"] = {"post": _predict(route)}
        paths[f"/feedback/{name}"] = {"post": _feedback(route)}
    paths |= {path: {"get": _plain_operation(path, summary)} for path, summary in _PLAIN_PATHS.items()}
    models = ", ".join(route.model.name for _, route in sorted(table.routes.items()))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock", "version": models or "nothing deployed"},
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}},
    }


@cache
def docs_page() -> str:
    """A page that reads `/openapi.json` and lets a person try each endpoint; it loads nothing from elsewhere."""
    return files("penstock.serve").joinpath("docs.html").read_text("utf-8")


def _predict(route: Route) -> Schema:
    row = route.opened.bundle.signature.json_schema()
    return {
        "operationId": f"predict_{route.endpoint}",
        "summary": f"Predict with {route.model.name}",
        "description": f"Generation {route.generation}. Every prediction is on record before it is answered.",
        "tags": [route.endpoint],
        "requestBody": _rows_or_one(row, route.opened.bundle.signature.example()),
        "responses": {"200": _json("One prediction per row, in order", _predictions(route)), **_refusals()},
    }


def _feedback(route: Route) -> Schema:
    properties = {
        "prediction": {"type": "string", "description": "the id of a prediction; or give the key"},
        "key": {"type": ["string", "number"], "description": "the value of the request's key column"},
        "label": {**_label(route), "description": "what turned out to be true"},
        "at": {"type": "string", "format": "date-time", "description": "when it became true"},
    }
    row = {"type": "object", "properties": properties, "required": ["label"], "additionalProperties": False}
    return {
        "operationId": f"feedback_{route.endpoint}",
        "summary": f"Tell {route.endpoint} what turned out to be true",
        "tags": [route.endpoint],
        "requestBody": _rows_or_one(row, {"prediction": "", "label": _label(route)["examples"][0]}),
        "responses": {"200": _json("Taken and on record", _ACCEPTED), **_refusals()},
    }


def _predictions(route: Route) -> Schema:
    task = route.opened.bundle.task
    fields: Schema = {"id": {"type": "string"}}
    if task == "regression":
        fields["value"] = {"type": "number"}
    else:
        fields["label"] = _label(route)
        fields["score"] = {
            "type": "number",
            "description": "probability of the event" if task == "binary" else "probability of the label",
        }
    if task == "multiclass":
        fields["probabilities"] = {"type": "object", "additionalProperties": {"type": "number"}}
    one = {"type": "object", "properties": fields, "required": sorted(fields)}
    properties = {
        "predictions": {"type": "array", "items": one},
        "model": {"type": "string", "examples": [route.model.name]},
        "generation": {"type": "integer"},
        "role": {"type": "string"},
    }
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _label(route: Route) -> Schema:
    bundle = route.opened.bundle
    if bundle.task == "regression":
        return {"type": "number", "examples": [0.0]}
    classes = plain(bundle.classes)
    return {"enum": classes, "examples": classes[:1]}


def _rows_or_one(row: Schema, example: object) -> Schema:
    many = {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": row, "minItems": 1}},
        "required": ["rows"],
    }
    content = {"schema": {"oneOf": [many, row]}, "example": {"rows": [example]}}
    return {"required": True, "content": {"application/json": content}}


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refusals() -> Schema:
    error = {"$ref": "#/components/schemas/Error"}
    return {status: _json(description, error) for status, description in _REFUSALS.items()}


def _plain_operation(path: str, summary: str) -> Schema:
    responses: Schema = {"200": {"description": summary}}
    if path == "/ready":
        responses["503"] = {"description": "Something is still being loaded, or nothing is deployed"}
    return {"operationId": path.strip("/"), "summary": summary, "responses": responses}
