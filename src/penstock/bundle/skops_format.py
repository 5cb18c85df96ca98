"""scikit-learn estimators as skops archives: no pickle, normalised bytes, and our own audit before loading.

An archive holds `schema.json`, a tree of nodes that name the types to build, and arrays. skops names
arrays and shared objects by memory address; here they are numbered by first appearance, times are
fixed and every thread count is 1 (threads cost a single row more than they save, and sum in another order),
so that equal models are equal bytes. The content hash leaves out what does not change a prediction:
shared identities, spent seeds and generators, skops's version, LightGBM's and XGBoost's training parameters.
"""

import io
import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
import polars as pl

from penstock.bundle import xgboost_format
from penstock.bundle.allowed import BIT_GENERATORS, allowed
from penstock.bundle.model import Dumped, Floats, Live, Model, labels_of
from penstock.bundle.threads import Threads
from penstock.digest import digest_bytes, digest_value
from penstock.errors import MissingExtra, Untrusted, UsageError

if TYPE_CHECKING:
    from penstock.bundle.manifest import Target

FILE = "model.skops"
SCHEMA = "schema.json"
MAX_BYTES = 1 << 30
MAX_MEMBERS = 50_000
MAX_NODES = 5_000_000
_MEMBER = re.compile(r"schema\.json|\d+\.(npy|bin)")
_USER_MODULE = re.compile(r"^penstock_project_[0-9a-f]+\.")  # the name under which the user's modules are imported
_EPOCH = (1980, 1, 1, 0, 0, 0)
_THREADS = frozenset({"n_jobs", "n_threads", "num_threads"})
_SPENT_NODES = frozenset({"RandomGeneratorNode", "RandomStateNode"})
_SPENT_KEYS = frozenset({"__id__", "_random_seed", "random_state"})


def holds(estimator: Any) -> bool:
    """Whether this format is meant for the estimator; `dump` says in detail what it cannot hold."""
    return hasattr(estimator, "get_params") and hasattr(estimator, "fit")


def dump(estimator: Any, vectors: pl.DataFrame, target: "Target") -> Dumped:
    """The estimator as bytes. UsageError naming each part that is not on the list of safe types."""
    from skops.io import dumps

    try:
        raw = dumps(estimator)
    except Exception as error:  # skops raises whatever a type's own __reduce__ and __getstate__ raise
        raise UsageError(
            f"{type(estimator).__name__} cannot be written without pickle: {error}", hint=_ADVICE
        ) from error
    with ZipFile(io.BytesIO(raw)) as archive:
        schema = json.loads(archive.read(SCHEMA))
        members = {name: archive.read(name) for name in archive.namelist() if name != SCHEMA}
    if strangers := sorted(_USER_MODULE.sub("", name) for name in _strangers(schema)):
        expected = "only types on Penstock's list"
        raise UsageError(f"the model holds {', '.join(strangers[:8])}", expected=expected, hint=_ADVICE)
    _one_thread(schema)
    members = {name: xgboost_format.one_thread(data) if _of_xgboost(name) else data for name, data in members.items()}
    members = _renumber(schema, members)
    content = _content_hash(schema, members)
    return Dumped(FILE, _archive(schema, members), content, labels_of(estimator), Live(estimator))


def load(data: bytes) -> Model:
    """The model in an archive. Untrusted, with the reason, unless every type in it is on the list."""
    if len(data) > MAX_BYTES:
        raise Untrusted(f"the model file is {len(data):,} bytes", expected=f"at most {MAX_BYTES:,}")
    try:
        types = _audit(data)
    except (BadZipFile, ValueError, KeyError, TypeError, RecursionError, EOFError, NotImplementedError) as error:
        raise Untrusted(f"the model file is not a sound skops archive: {error}") from error
    _require({name.partition(".")[0] for name in types})
    from skops.io import loads

    try:
        return _Estimator(loads(data, trusted=sorted(types)))
    except Exception as error:  # a broken state can raise anything in the type it is given to
        raise Untrusted(f"the model file does not load: {type(error).__name__}: {error}") from error


def _require(packages: set[str]) -> None:
    for extra in packages & {"lightgbm", "xgboost"}:
        if find_spec(extra) is None:
            raise MissingExtra(extra, extra)
    if "lightgbm" in packages:
        from penstock.bundle.openmp import provide

        provide()


class _Estimator(Live):
    """A scikit-learn estimator that is given Polars frames."""

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator)
        self._threads = Threads()

    def probabilities(self, vectors: pl.DataFrame) -> Floats:
        with self._threads.for_rows(vectors.height):
            return super().probabilities(vectors)

    def values(self, vectors: pl.DataFrame) -> Floats:
        with self._threads.for_rows(vectors.height):
            return super().values(vectors)


_ADVICE = (
    "build the model from scikit-learn, LightGBM or XGBoost parts; put code of your own into a feature view, "
    "and give a search's best_estimator_ instead of the search"
)


# --- reading an archive --------------------------------------------------------------------------


def _audit(data: bytes) -> set[str]:
    """Look at everything that skops would build, before it is asked to. Returns the types."""
    from skops.io._protocol import PROTOCOL

    with ZipFile(io.BytesIO(data)) as archive:
        _check_members(archive.infolist())
        schema = json.loads(archive.read(SCHEMA))
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                _check_array(info.filename, archive.read(info))
    if not isinstance(schema, dict) or schema.get("protocol") != PROTOCOL:  # older ones bring weaker loaders back
        raise ValueError(f"skops protocol is not {PROTOCOL}")
    if strangers := sorted(_strangers(schema)):
        raise Untrusted(f"the model file asks for {', '.join(strangers[:8])}", expected="only types on Penstock's list")
    return {_type_of(node) for node in _nodes(schema)}


def _check_members(members: list[ZipInfo]) -> None:
    names = [info.filename for info in members]
    if len(members) > MAX_MEMBERS or len(set(names)) != len(names) or SCHEMA not in names:
        raise ValueError("too many members, a member twice, or no schema.json")
    for info in members:
        if not _MEMBER.fullmatch(info.filename):
            raise ValueError(f"unexpected member {info.filename!r}")
        if info.compress_type != ZIP_STORED or info.flag_bits & 0x1:  # stored: nothing can grow when it is read
            raise ValueError(f"member {info.filename!r} is compressed or encrypted")


def _check_array(name: str, data: bytes) -> None:
    """The header's promise must match the bytes: a small file may not ask for a huge array."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, _, dtype = read(stream)
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError(f"array {name!r} holds Python objects")
    count = 1
    for side in shape:
        count *= side
    if count * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"array {name!r} is not as long as its header says")


def _strangers(schema: Any) -> set[str]:
    """What the nodes ask for and no list holds."""
    table, strangers = allowed(), set()
    for node in _nodes(schema):
        loader = str(node.get("__loader__"))
        strangers |= {_type_of(node)} - table.get(loader, frozenset())
        if loader == "RandomGeneratorNode":
            strangers |= {_bit_generator(node)} - BIT_GENERATORS
    return strangers


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object that skops could take for a node: one that says a loader, a class or a module."""
    pending, seen = [schema], 0
    while pending:
        value = pending.pop()
        if (seen := seen + 1) > MAX_NODES:
            raise ValueError("too many nodes")
        if isinstance(value, dict):
            if any(isinstance(value.get(key), str) for key in ("__loader__", "__class__", "__module__")):
                yield value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _type_of(node: dict[str, Any]) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"


def _bit_generator(node: dict[str, Any]) -> str:
    """What a generator's node asks NumPy for by a plain text, which is no node of its own."""
    return f"numpy.random.{json.loads(node['content']['bit_generator']['content']['bit_generator']['content'])}"


# --- writing one ---------------------------------------------------------------------------------


def _one_thread(schema: dict[str, Any]) -> None:
    for node in _nodes(schema):
        content = node.get("content")
        counts = [content[key] for key in _THREADS & content.keys()] if isinstance(content, dict) else []
        for count in counts:
            if count.get("__loader__") == "JsonNode":
                count["content"] = "1"


def _renumber(schema: dict[str, Any], members: dict[str, bytes]) -> dict[str, bytes]:
    """Number shared objects and arrays by first appearance; equal arrays become one member."""
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    renamed: dict[str, bytes] = {}
    for node in _in_order(schema):
        if node["__loader__"] == "JsonNode":
            node.pop("__id__", None)  # shares nothing that matters, and ties one number to all equal ones
        elif "__id__" in node:
            node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
        if isinstance(node.get("file"), str):
            data = members[node["file"]]
            suffix = node["file"].rpartition(".")[2]
            key = f"{digest_bytes(data)}.{suffix}"
            node["file"] = names.setdefault(key, f"{len(names)}.{suffix}")
            renamed[node["file"]] = data
    return renamed


def _in_order(value: Any) -> Iterator[dict[str, Any]]:
    """Nodes in the order of the text."""
    if isinstance(value, dict):
        if isinstance(value.get("__loader__"), str):
            yield value
        for child in value.values():
            yield from _in_order(child)
    elif isinstance(value, list):
        for child in value:
            yield from _in_order(child)


def _archive(schema: dict[str, Any], members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        archive.writestr(ZipInfo(SCHEMA, _EPOCH), json.dumps(schema, separators=(",", ":")))
        for name, data in members.items():
            archive.writestr(ZipInfo(name, _EPOCH), data)
    return buffer.getvalue()


def _of_xgboost(member: str) -> bool:
    """Whether a member is the state of an XGBoost model: the one part that is bytes and no array."""
    return member.endswith(".bin")


def _content_hash(schema: dict[str, Any], members: dict[str, bytes]) -> str:
    digests = {
        name: xgboost_format.state_hash(data) if _of_xgboost(name) else digest_bytes(data)
        for name, data in members.items()
    }
    return digest_value(_canonical({key: value for key, value in schema.items() if key != "_skops_version"}, digests))


def _canonical(value: Any, digests: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_canonical(child, digests) for child in value]
    if not isinstance(value, dict):
        return value
    if value.get("__loader__") == "JsonNode":
        return _without_parameters(value["content"])
    if value.get("__loader__") in _SPENT_NODES:
        return value["__loader__"]
    if isinstance(value.get("file"), str):
        return {**{key: child for key, child in value.items() if key != "__id__"}, "file": digests[value["file"]]}
    # An object's keys are in the order of its code; lists keep theirs through `key_types`.
    return {key: _canonical(child, digests) for key, child in value.items() if key not in _SPENT_KEYS}


def _without_parameters(content: str) -> str:
    """A LightGBM model inside a pipeline is its text; how it was trained is not what it is."""
    return content.partition(r"\nparameters:")[0] if content.startswith(r'"tree\nversion=') else content
