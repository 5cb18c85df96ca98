"""The JSON Schema of `penstock.yaml`, for editors."""

from typing import Any

from penstock.project.config import Config


def json_schema() -> dict[str, Any]:
    """The schema, `environments` included. Any value may be a text with `${VAR}` in it; editors need not know."""
    schema = Config.model_json_schema(by_alias=True)
    overlays = {"type": "object", "additionalProperties": {"type": "object"}, "description": "overlays by name"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "penstock.yaml",
        "properties": {**schema["properties"], "environments": overlays},
    }
