"""The JSON Schema of `penstock.yaml`, for editors."""

import inspect
import re
from datetime import timedelta
from typing import Any

from penstock.project import config, data_config, engine_config, search_config
from penstock.project.config import Config
from penstock.project.settings import Section, format_duration

BESIDE = re.compile(r" {4}(\w+): .*?  # (.+)")


def json_schema() -> dict[str, Any]:
    """The schema, `environments` included. Any value may be a text with `${VAR}` in it; editors need not know."""
    schema = Config.model_json_schema(by_alias=True)
    for name, section in schema["$defs"].items():
        homes = (data_config, engine_config, search_config, config)
        home = next(each for each in homes if hasattr(each, name))
        _explain(section["properties"], getattr(home, name))
    _explain(schema["properties"], Config)
    overlays = {"type": "object", "additionalProperties": {"type": "object"}, "description": "overlays by name"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "penstock.yaml",
        "properties": {**schema["properties"], "environments": overlays},
    }


def _explain(properties: dict[str, Any], section: type[Section]) -> None:
    """Describe each key with the remark that stands beside it in the source; write durations as people do."""
    remarks = dict(BESIDE.findall(inspect.getsource(section)))
    for name, field in section.model_fields.items():
        known = properties[field.alias or name]
        if name in remarks:
            known["description"] = remarks[name]
        if isinstance(field.default, timedelta):
            known["default"] = format_duration(field.default)
