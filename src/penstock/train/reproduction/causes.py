"""Why two trainings gave two models: what differs, the likely first.

What a training has loaded can change its model; a distribution that it has not loaded cannot.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.errors import UsageError
from penstock.ledger import Artifact, Run
from penstock.train.determinism import unseeded_at
from penstock.train.environment.capture import Environment, differences
from penstock.train.launch import Trained
from penstock.train.recipe import Recipe
from penstock.train.run import RECIPE

if TYPE_CHECKING:
    from penstock.ledger import Reader
    from penstock.store import Store

_UNKNOWN = (
    "fit depends on something that is neither in X, y, params and seed nor in the code: a clock, an unseeded "
    "generator, or the order in which threads end (try train.threads: 1)"
)


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
