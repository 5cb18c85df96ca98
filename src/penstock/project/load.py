"""Finding, reading and checking `penstock.yaml`.

An environment goes over the file, `--set` over both, then `${VAR}` is filled in; the one tree of
values that results is typed, and checked between its sections.
"""

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from penstock.digest import digest_value
from penstock.errors import ConfigError, Problem, UsageError, did_you_mean
from penstock.project.branch import MAIN, branch_of
from penstock.project.checks import check_sections
from penstock.project.config import Config
from penstock.project.document import (
    Document,
    Path,
    Place,
    Variables,
    fill_in,
    overlay,
    read_document,
    read_text,
    read_value,
)
from penstock.project.explain import dotted, explain, is_secret, look_up, unknown_keys

FILE_NAME = "penstock.yaml"
HIDDEN = "**********"


@dataclass(frozen=True)
class ProjectFile:
    """A project file that was read and found right.

    root        the directory that holds it
    path        /home/me/flights/penstock.yaml
    environment production, or None
    sets        ("train.params.depth=6",); a secret's value is hidden
    branch      the branch of the data, as it was when the file was read
    lines       the place of every setting in the file
    """

    root: FilePath
    path: FilePath
    config: Config
    environment: str | None = None
    sets: tuple[str, ...] = ()
    branch: str = MAIN
    lines: Mapping[Path, Place] = field(default_factory=dict, repr=False, compare=False)

    @property
    def home(self) -> FilePath:
        """Where Penstock keeps what it makes, ignored by Git."""
        return self.root / ".penstock"

    @property
    def ledger_url(self) -> str:
        """The ledger's database; an SQLite file by its whole path. It may hold a password: never print it."""
        if self.config.ledger is None:
            return f"sqlite:///{self.home / 'ledger.db'}"
        given = self.config.ledger.get_secret_value()
        scheme, file = given.partition(":///")[::2]
        is_file = scheme.partition("+")[0] == "sqlite" and file not in ("", ":memory:")
        return f"sqlite:///{self.root / file}" if is_file else given

    @property
    def signing_key(self) -> FilePath:
        """The private key that seals bundles and signs audit entries."""
        return self.home / "keys" / "signing"

    @property
    def store_path(self) -> FilePath:
        """The directory of the store."""
        return self.root / self.config.store

    @property
    def digest(self) -> str:
        """Names the resolved configuration; secrets are not part of it."""
        return digest_value(self.config.model_dump(mode="json", by_alias=True))

    def where(self, *path: str | int) -> str:
        """The place of a setting: `where("train", "seed")` is `penstock.yaml:31:9`."""
        return Document({}, self.lines).where(path)


def load_project(
    start: FilePath | str = ".", *, environment: str | None = None, sets: Sequence[str] = ()
) -> ProjectFile:
    """Read the project file in `start` or the closest directory above it.

    `sets` are `a.b.c=value` with YAML values. Precedence: sets > environment > file > default.
    UsageError when there is no project file; ConfigError with every problem when it is wrong.
    """
    path = _find(FilePath(start))
    read = _read(path)
    if read.problems and not read.values:  # not YAML: what it lacks is not known
        raise ConfigError(read.problems, hint=f"correct {path}")
    base, environments = _take_environments(read)
    document = _resolve(base, environments, environment, sets)
    config, problems = _check(document)
    others = (_problems_of(base, environments, name) for name in environments if name != environment)
    problems = sorted((*problems, *chain.from_iterable(others)), key=_position)
    if config is None or problems:
        raise ConfigError(problems, hint=f"correct {path}")
    shown = tuple(_without_secret(text) for text in sets)
    branch = branch_of(path.parent, config.data.branch)
    return ProjectFile(path.parent, path, config, environment, shown, branch, document.places)


def _find(start: FilePath) -> FilePath:
    here = start.resolve()
    if here.is_file():
        return here
    for directory in (here, *here.parents):
        if (directory / FILE_NAME).is_file():
            return directory / FILE_NAME
    raise UsageError(
        f"no {FILE_NAME} in this directory or above it",
        where=str(here),
        hint="penstock init NAME --data FILE.csv --target COLUMN",
    )


def _read(path: FilePath) -> Document:
    read = read_document(read_text(path, path.name), path.name)
    return replace(read, values=_written_out(read.values))


def _resolve(
    document: Document, environments: Mapping[str, Any], environment: str | None, sets: Sequence[str]
) -> Document:
    """The one tree of values that all sources make together."""
    if environment is not None and environment in environments:
        document = _in_environment(document, environments, environment)
    elif environment is not None:
        problem = f"unknown environment {environment!r}{did_you_mean(environment, environments)}"
        document = document.and_problems(Problem(document.where(("environments",)), problem))
    for text in sets:
        document = _set(document, text)
    filled = fill_in(document, os.environ)
    return replace(filled, values=_without_nulls(filled.values))


def _problems_of(base: Document, environments: Mapping[str, Any], name: str) -> Iterator[Problem]:
    """What is wrong in an environment that was not asked for. Its variables are set where it is used, not here."""
    merged = replace(_in_environment(base, environments, name), problems=())
    own = {place.value for path, place in base.places.items() if path[:2] == ("environments", name)}
    own |= {place.key for path, place in base.places.items() if path[:2] == ("environments", name)}
    filled = fill_in(merged, os.environ)
    unset = {problem.where for problem in filled.problems}
    _, problems = _check(replace(filled, values=_without_nulls(filled.values), problems=()))
    yield from (problem for problem in problems if problem.where in own - unset)


def _take_environments(document: Document) -> tuple[Document, Mapping[str, Any]]:
    values = dict(document.values)
    environments = values.pop("environments", None) or {}
    document = replace(document, values=values)
    if isinstance(environments, dict) and all(isinstance(one or {}, dict) for one in environments.values()):
        return document, {name: one or {} for name, one in environments.items()}
    problem = Problem(document.where(("environments",)), "`environments` is not a mapping of names to settings")
    return document.and_problems(problem), {}


def _in_environment(document: Document, environments: Mapping[str, Any], name: str) -> Document:
    prefix: Path = ("environments", name)
    places = {path[2:]: place for path, place in document.places.items() if path[:2] == prefix and len(path) > 2}
    return overlay(document, _written_out(environments[name] or {}), places)


def _set(document: Document, text: str) -> Document:
    """`a.b.c=value` over the tree; a number names an entry of a list, which must exist."""
    name, equals, value = text.partition("=")
    where = f"--set {name}"
    if not equals or not all(name.split(".")):
        return document.and_problems(Problem(where, "not a setting", "a.b.c=value"))
    try:
        values, path = _put(document.values, name.split("."), read_value(value))
    except ValueError as error:
        return document.and_problems(Problem(where, str(error)))
    return overlay(document, _written_out(values), {path: Place(where, where)})


def _written_out(values: Mapping[str, Any]) -> dict[str, Any]:
    """`engine: ray` as `engine: {kind: ray}`: what is said of it elsewhere goes beside it."""
    engine = values.get("engine")
    return {**values, "engine": {"kind": engine}} if isinstance(engine, str | Variables) else dict(values)


def _put(here: Any, parts: Sequence[str], value: Any) -> tuple[Any, Path]:
    """`here` with `value` at `parts`, of which only what has to be is there; and the path that this was."""
    if not parts:
        return value, ()
    part, rest = parts[0], parts[1:]
    if isinstance(here, list):
        if not part.isdecimal() or int(part) >= len(here):
            raise ValueError(f"there is no entry {part} in a list of {len(here)}")
        inner, path = _put(here[int(part)], rest, value)
        if isinstance(here[int(part)], dict) and isinstance(inner, dict):
            inner = {**here[int(part)], **inner}
        return [*here[: int(part)], inner, *here[int(part) + 1 :]], (int(part), *path)
    inner, path = _put(here.get(part) if isinstance(here, dict) else None, rest, value)
    return {part: inner}, (part, *path)


def _without_nulls(value: Any, path: Path = ()) -> Any:
    """An empty value (`monitor:`) means the default; in parameters null is a value like any other."""
    if isinstance(value, dict) and not _holds_parameters(path):
        return {key: _without_nulls(item, (*path, key)) for key, item in value.items() if item is not None}
    if isinstance(value, list) and path[:2] != ("train", "params") and path[:2] != ("train", "search"):
        return [_without_nulls(item, (*path, index)) for index, item in enumerate(value)]
    return value


def _holds_parameters(path: Path) -> bool:
    return path == ("train", "params") or (path[:3] == ("train", "search", "algorithms") and path[4:] == ("params",))


def _check(document: Document) -> tuple[Config | None, list[Problem]]:
    """The typed configuration, and everything that is wrong with it.

    Keys with a typing error are put right for a second look, so that what is wrong below them, and
    between the sections, shows at once too.
    """
    problems = list(document.problems)
    config, error = _typed(document.values)
    if error:
        unknown = dict(unknown_keys(error, document))
        problems += [problem for path, problem in explain(error, document).items() if path in unknown]
        document = _repaired(document, unknown)
        config, error = _typed(document.values)
    if error:
        problems += explain(error, document).values()
    if config is not None:
        named = ((path, f"`{dotted(path)}`: {what}") for path, what in check_sections(config))
        problems += [Problem(document.where(path), what) for path, what in named]
    return config, problems


def _typed(values: Any) -> tuple[Config | None, ValidationError | None]:
    try:
        with _without_plugins():
            return Config.model_validate(values), None
    except ValidationError as error:
        return None, error


@contextmanager
def _without_plugins() -> Iterator[None]:
    """Looking for pydantic's plugins takes as long as checking a project file, which is no business of theirs."""
    before = os.environ.get("PYDANTIC_DISABLE_PLUGINS")
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYDANTIC_DISABLE_PLUGINS"]
        else:
            os.environ["PYDANTIC_DISABLE_PLUGINS"] = before


def _repaired(document: Document, unknown: Mapping[Path, str | None]) -> Document:
    """The same with each unknown key under the name that was meant, or gone."""
    values, places = copy.deepcopy(document.values), dict(document.places)
    for path, meant in unknown.items():
        section = look_up(values, path[:-1])
        value = section.pop(path[-1])
        if meant is not None:
            section[meant] = value
            new = (*path[:-1], meant)
            places |= {(*new, *old[len(path) :]): place for old, place in places.items() if old[: len(path)] == path}
    return replace(document, values=values, places=places)


def _position(problem: Problem) -> tuple[bool, int, int]:
    """In the order of the file, the command line last."""
    _, line, column = [*problem.where.rsplit(":", 2), "", ""][:3]
    return (True, 0, 0) if not line.isdecimal() else (False, int(line), int(column))


def _without_secret(text: str) -> str:
    name, _, value = text.partition("=")
    path = tuple(int(part) if part.isdecimal() else part for part in name.split("."))
    return f"{name}={HIDDEN}" if any(is_secret(leaf) for leaf in _leaves(read_value(value), path)) else text


def _leaves(value: Any, path: Path) -> Iterator[Path]:
    if not isinstance(value, dict | list):
        yield path
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(inner, (*path, key))
