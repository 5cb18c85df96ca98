"""Train a recorded run again, and say how equal the model is and what in the environment is not.

The sources, parameters, seed, thread count and data are those of the run, each verified against its
digest; the environment is the one at hand, and every way in which it differs is named.
"""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from penstock.errors import Damaged, UsageError
from penstock.ids import new_id
from penstock.ledger import Artifact, Run, node
from penstock.train.environment import differences
from penstock.train.launch import Trained, launch
from penstock.train.process import Progress
from penstock.train.recipe import Recipe
from penstock.train.run import RECIPE, find_run

if TYPE_CHECKING:
    import polars as pl

    from penstock.ledger import Ledger
    from penstock.project import ProjectFile
    from penstock.store import Store

TOLERANCE = 1e-6

Grade = Literal["bytes", "bit-equal", "within tolerance", "different"]


@dataclass(frozen=True)
class Reproduction:
    """How a second training compares with the recorded one.

    grade           bytes              the model's content is equal byte for byte
                    bit-equal          its predictions on the probe are equal to the last bit
                    within tolerance   they differ by TOLERANCE at most, relative above 1
                    different          they differ by more, or their form does
    max_difference  the largest difference between two predictions; None when there is nothing to compare
    differences     what in the environment is not as it was: ("numpy: 2.4.6 then, 2.5.0 now",)
    """

    run: Run
    grade: Grade
    content_hash: str
    probe_hash: str
    max_difference: float | None
    differences: tuple[str, ...]
    seconds: float

    @property
    def same(self) -> bool:
        """Whether the predictions are the same, tolerance included."""
        return self.grade != "different"


def reproduce(
    project: "ProjectFile",
    ledger: "Ledger",
    store: "Store",
    run: str,
    *,
    actor: str,
    progress: Progress | None = None,
) -> Reproduction:
    """Train run `run` (its number or the beginning of its id) again, in a clean directory and process.

    Nothing of the project changes but the audit trail, where `actor` gets an entry with the grade. Raises
    Damaged when recorded sources or data are not what they were, and what the training raises.
    """
    with ledger.read() as reader:
        found = find_run(reader, run)
        artifact = reader.get(Artifact, run=found.id, name=RECIPE)
    if found.status != "finished" or artifact is None:
        raise UsageError(f"run {found.number} is {found.status}: it made no model that could be compared")
    recipe = recorded_recipe(found, store.read_json(artifact.digest))
    _verify(store, recipe)
    place = project.home / "runs" / new_id()
    try:
        again = _again(recipe, found, store, place, progress)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    _record(ledger, again, actor)
    return again


def recorded_recipe(run: Run, kept: dict[str, Any]) -> Recipe:
    """What the run was made from. Where the run's own record says something, that is what counts."""
    recorded = Recipe.from_json(kept)
    return replace(recorded, function=run.function, params=run.params, seed=run.seed, code=run.code, data=run.data)


def _verify(store: "Store", recipe: Recipe) -> None:
    """Every part of the recorded tables, and of the data they were made from, is what was written."""
    tables = recipe.tables
    damages = store.verify([tables.train, tables.holdout, *tables.views.values(), *recipe.data.values()])
    if damages:
        raise Damaged(
            f"the data of the run are not what was recorded: {'; '.join(str(each) for each in damages[:3])}",
            hint="restore the store's files from a backup; penstock data verify names all of them",
        )


def _again(recipe: Recipe, run: Run, store: "Store", place: Path, progress: Progress | None) -> Reproduction:
    """Train once more. The bundle goes to a store that is thrown away, signed with a key that nobody trusts."""
    from penstock.store import Store

    scratch = Store.open(place / "store")
    started = time.perf_counter()
    trained = launch(
        recipe,
        run=run.id,
        store=store,
        output=scratch,
        signing_key=place / "key",
        place=place,
        progress=progress,
    )
    seconds = time.perf_counter() - started
    largest = max_difference(probe_scores(store, run.bundle or ""), probe_scores(scratch, trained.bundle))
    return Reproduction(
        run=run,
        grade=grade(run, trained, largest),
        content_hash=trained.content_hash,
        probe_hash=trained.probe_hash,
        max_difference=largest,
        differences=differences(store.read_json(run.environment), scratch.read_json(trained.environment)),
        seconds=seconds,
    )


def grade(run: Run, trained: Trained, largest: float | None) -> Grade:
    """How equal two models are."""
    if trained.probe_hash == run.probe_hash:
        return "bytes" if trained.content_hash == run.content_hash else "bit-equal"
    return "within tolerance" if largest is not None and largest <= TOLERANCE else "different"


def probe_scores(store: "Store", bundle: str) -> "pl.DataFrame":
    """The scores of a bundle's probe, as they were when it was sealed."""
    import polars as pl

    from penstock.bundle.manifest import EXPECTED

    return pl.read_parquet(store.path(store.read_json(bundle)["files"][EXPECTED]["blake3"]))


def max_difference(then: "pl.DataFrame", now: "pl.DataFrame") -> float | None:
    """The largest difference of two scores, relative where they are above 1; None for tables of other shapes."""
    if then.shape != now.shape:
        return None
    before, after = then.to_numpy(), now.to_numpy()
    gaps = abs(before - after) / abs(before).clip(min=1)
    return float(gaps.max()) if gaps.size else 0.0


def _record(ledger: "Ledger", again: Reproduction, actor: str) -> None:
    payload = {
        "grade": again.grade,
        "content_hash": again.content_hash,
        "probe_hash": again.probe_hash,
        "max_difference": again.max_difference,
        "environment_differences": len(again.differences),
    }
    with ledger.write() as transaction:
        transaction.audit("reproduce", node("run", again.run.id), actor=actor, payload=payload)
