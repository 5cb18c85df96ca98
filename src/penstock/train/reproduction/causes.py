"""Why two trainings gave two models: what differs, the likely first.

What a training has loaded can change its model; a distribution that it has not loaded cannot.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from penstock.digest import short
from penstock.errors import UsageError
from penstock.ledger import Artifact, Run
from penstock.train.determinism import unseeded_at
from penstock.train.environment.capture import Environment, differences
from penstock.train.launch import Trained
from penstock.train.recipe import Recipe
from penstock.train.run import IMPORTED, RECIPE

if TYPE_CHECKING:
    from penstock.ledger import Reader
    from penstock.store import Store

_UNKNOWN = (
    "fit depends on something that is neither in X, y, params and seed nor in the code: a clock, an unseeded "
    "generator, or the order in which threads end (try train.threads: 1)"
)
_PLAIN = ("model", "function", "seed", "threads", "deterministic", "threshold", "target")

_KEYS = ("key", "time")


def likely_causes(then: Environment, now: Environment, trained: Trained) -> tuple[str, ...]:
    """What has likely made the difference between a recorded model and one `trained` now from the same recipe.

    In this order: random bits that no seed determines; libraries that the training loaded, Python, threads and
    CPU; if nothing of that differs, that fit depends on something else.
    """
    unseeded = [unseeded_at(place) for place in trained.entropy]
    return (*unseeded, *environment_causes(then, now, trained.imported)) or (_UNKNOWN,)


def environment_causes(then: Environment, now: Environment, imported: Iterable[str]) -> tuple[str, ...]:
    """The differences between two environments that can change a model."""
    loaded = {*imported}
    return differences(_relevant(then, loaded), _relevant(now, loaded))


def _relevant(environment: Environment, loaded: set[str]) -> dict[str, Any]:
    distributions = environment.get("distributions", {})
    return {**environment, "distributions": {name: each for name, each in distributions.items() if name in loaded}}


def run_differences(reader: "Reader", store: "Store", then: Run, now: Run) -> tuple[str, ...]:
    """What went into two runs and is not the same, in words: data, parameters, seed, threads, code, environment.

    Of the distributions those are told that one of the runs has loaded. UsageError for a run that made no model.
    """
    before, after = (recorded_recipe(reader, store, run) for run in (then, now))
    loaded = {name for run in (then, now) for name in _kept(reader, store, run, IMPORTED)}
    environments = store.read_json(then.environment), store.read_json(now.environment)
    return (*recipe_differences(store, before, after), *environment_causes(*environments, loaded))


def recorded_recipe(reader: "Reader", store: "Store", run: Run) -> Recipe:
    """What a run was made from; of what its own record says too, that counts. UsageError if it made no model."""
    if run.status != "finished":
        raise UsageError(f"run {run.number} is {run.status}: it made no model that could be compared")
    kept = Recipe.from_json(_kept(reader, store, run, RECIPE))
    return replace(kept, function=run.function, params=run.params, seed=run.seed, code=run.code, data=run.data)


def _kept(reader: "Reader", store: "Store", run: Run, name: str) -> Any:
    artifact = reader.get(Artifact, run=run.id, name=name)
    if artifact is None:
        raise UsageError(f"run {run.number} has no {name}: an older Penstock made it", hint="penstock run")
    return store.read_json(artifact.digest)


def recipe_differences(store: "Store", then: Recipe, now: Recipe) -> Iterator[str]:
    """What is not the same in two recipes, in words: data to the row, parameters, seed, threads, code to the line."""
    for dataset in sorted({*then.data, *now.data}):
        yield from _data_differences(store, dataset, then.data.get(dataset), now.data.get(dataset))
    yield from _named_differences("params ", then.params, now.params)
    before, after = then.to_json(), now.to_json()
    yield from _named_differences("", {name: before[name] for name in _PLAIN}, {name: after[name] for name in _PLAIN})
    yield from _feature_differences(then.features, now.features)
    if then.code != now.code:
        yield from _code_differences(store, store.read_json(then.code), store.read_json(now.code))


def _named_differences(kind: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*then, *now}):
        before, after = then.get(name, "unset"), now.get(name, "unset")
        if before != after:
            yield f"{kind}{name}: {before} then, {after} now"


def _feature_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Columns of requests and vectors, and the settings of views; lines of their code are told with the code."""
    for kind, part in (("request column", "request"), ("feature", "outputs")):
        yield from _named_differences(f"{kind} ", dict(then[part]), dict(now[part]))
    yield from _named_differences("data ", {name: then[name] for name in _KEYS}, {name: now[name] for name in _KEYS})
    yield from _named_differences("feature view ", _view_settings(then), _view_settings(now))


def _view_settings(features: Mapping[str, Any]) -> dict[str, Any]:
    """`{"weather ttl_s": 3600.0}`"""
    hidden = {"name", "code"}
    return {f"{view['name']} {key}": view[key] for view in features["views"] for key in view if key not in hidden}


def _data_differences(store: "Store", dataset: str, then: str | None, now: str | None) -> Iterator[str]:
    from penstock.data import diff

    if then is None or now is None:
        yield f"data {dataset}: {_there(then)} then, {_there(now)} now"
    elif store.manifest(then).content != store.manifest(now).content:
        found = diff(store, then, now)
        columns = [f"column {change['column']} {change['change']}" for change in found.schema]
        rows = {"added": found.added, "removed": found.removed, "changed": found.changed}
        counts = [f"{count:,} row{'' if count == 1 else 's'} {what}" for what, count in rows.items() if count]
        told = ", ".join([*columns, *counts]) or "the same rows in other files"
        yield f"data {dataset}: {told} (penstock data diff {dataset}@{short(then)} {dataset}@{short(now)})"


def _there(digest: str | None) -> str:
    return "not there" if digest is None else short(digest)


def _code_differences(store: "Store", then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for path in sorted({*then, *now}):
        before, after = then.get(path), now.get(path)
        if before is None or after is None:
            yield f"code {path}: {_there(before)} then, {_there(after)} now"
        elif before != after:
            yield from _line_differences(path, *(store.read_bytes(each).decode() for each in (before, after)))


def _line_differences(path: str, then: str, now: str) -> Iterator[str]:
    before, after = then.splitlines(), now.splitlines()
    for kind, start, end, first, last in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            yield f"code {path}:{first + 1}: {_lines(before[start:end])} then, {_lines(after[first:last])} now"


def _lines(lines: list[str]) -> str:
    if not lines:
        return "nothing"
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return f"`{lines[0].strip()}`{more}"
