"""The project file's `engine` and what a step asks of it."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from penstock.project.settings import Section

_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = r"^(\d+(?:\.\d+)?) ?(MB|GB|TB|MiB|GiB|TiB)$"


def parse_size(text: object) -> int:
    """`512MB`, `4GB` or `1.5GiB` as bytes. ValueError otherwise."""
    match = re.fullmatch(_SIZE, str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is not a size such as 512MB, 4GB or 1.5GiB")
    return int(float(match[1]) * _UNITS[match[2]])


def format_size(size: int) -> str:
    """`4GB`, `1.5GB`, `512MB`: the text that people write."""
    unit = next((unit for unit in ("TB", "GB") if size >= _UNITS[unit]), "MB")
    return f"{size / _UNITS[unit]:.6g}{unit}"


def _no_client(address: str) -> str:
    """Ray Client runs the driver outside the cluster, where results cannot be followed as they come."""
    if "://" in address:
        raise ValueError("the address is HOST:PORT of the cluster's head, or auto; this machine must have joined it")
    return address


Size = Annotated[
    int,
    BeforeValidator(lambda v: v if isinstance(v, int) else parse_size(v), json_schema_input_type=str),
    Field(ge=10**6),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _SIZE}),
]


class Resources(Section):
    """What a task holds while it runs. It says nothing about the result, so it decides nothing about the cache."""

    cpus: int | None = Field(default=None, ge=1)  # of one machine; by default as many as `train.threads`
    gpus: int = Field(default=0, ge=0)  # whole ones, of one machine; a task that asks for some sees these and no others
    memory: Size | None = None  # 4GB: kept free of other tasks, not enforced


class Engine(Section):
    """Where the work runs.

    local                                        processes of this machine
    {kind: ray, address: "10.0.0.1:6379"}        tasks of a Ray cluster that this machine has joined
    """

    kind: Literal["local", "ray"] = "local"
    address: Annotated[str, AfterValidator(_no_client)] = "auto"  # ray: HOST:PORT of the head; auto: found as Ray does
    workers: int | None = Field(default=None, ge=1)  # tasks at a time; by default one per CPU there is
    retries: int = Field(default=3, ge=0)  # ray: how often a task whose node was lost begins again elsewhere
