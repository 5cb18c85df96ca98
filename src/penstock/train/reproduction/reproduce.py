"""Train a recorded run again, and say how equal the model is, what is not as it was, and what is the likely cause.

The sources, parameters, seed, thread count and data are those of the run, each verified against its digest. So is
the environment: the one at hand if it is the recorded one, else it is built again.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from penstock.errors import Damaged
from penstock.ledger import Artifact, Metric, Run, node
from penstock.scratch import scratch_directory
from penstock.train.environment.capture import differences
from penstock.train.environment.locking import LOCK, WHEELS
from penstock.train.launch import Trained, launch
from penstock.train.process import Progress
from penstock.train.recipe import Recipe
from penstock.train.reproduction.causes import likely_causes, recorded_recipe
from penstock.train.reproduction.rebuild import Kept, missing_here, rebuild
from penstock.train.run import find_run

if TYPE_CHECKING:
    import polars as pl

    from penstock.ledger import Ledger
    from penstock.project import ProjectFile
    from penstock.store import Store

TOLERANCE = 1e-6
MEASURED = frozenset({"seconds", "peak_memory_mb"})

Grade = Literal["bytes", "bit-equal", "within tolerance", "different"]
Place = Literal["recorded", "here", "rebuilt"]


@dataclass(frozen=True)
class Reproduction:
    """How a second training compares with the recorded one.

    grade           bytes              the model's content is equal byte for byte
                    bit-equal          its predictions on the probe are equal to the last bit
                    within tolerance   they differ by TOLERANCE at most, relative above 1
                    different          they differ by more, or their form does
    max_difference  the largest difference between two predictions; None when there is nothing to compare
    metrics         numbers that the training measured, other than time and memory, and that differ: {name: (then, now)}
    rebuilt         whether the environment was built from the record, or is the one at hand
    differences     what in the environment is not as it was: ("numpy: 2.4.6 then, 2.5.0 now",)
    causes          what of that, or else, has likely made the difference; empty for the same bytes
    """

    run: Run
    grade: Grade
    content_hash: str
    probe_hash: str
    max_difference: float | None
    metrics: Mapping[str, tuple[float | None, float | None]]
    rebuilt: bool
    differences: tuple[str, ...]
    causes: tuple[str, ...]
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
    environment: Place = "recorded",
    progress: Progress | None = None,
) -> Reproduction:
    """Train run `run` (its number or the beginning of its id) again, in a clean directory and process.

    environment  recorded  the one at hand if it is the run's, else the run's, built again
                 here      the one at hand, whatever it is
                 rebuilt   the run's, built again: shows that its lock is enough

    Nothing of the project changes but the audit trail, where `actor` gets an entry with the grade. Raises
    Damaged when recorded sources or data are not what they were, PenstockError when the environment cannot be
    built, and what the training raises.
    """
    with ledger.read() as reader:
        found = find_run(reader, run)
        recipe = recorded_recipe(reader, store, found)
        kept = kept_of(store, reader.find(Artifact, run=found.id))
        measured = {each.name: each.value for each in reader.find(Metric, run=found.id)}
    _verify(store, recipe)
    python = _python(environment, found, kept, store, project.home)
    with scratch_directory(project.home / "reproductions") as place:
        again = _again(recipe, found, measured, store, place, python, progress)
    _record(ledger, again, actor)
    return again


def kept_of(store: "Store", artifacts: Iterable[Artifact]) -> Kept:
    """What the run has kept of its environment."""
    blobs = {each.name: each.digest for each in artifacts}
    lock = store.read_bytes(blobs[LOCK]).decode() if LOCK in blobs else None
    wheels = {name.removeprefix(WHEELS): blob for name, blob in blobs.items() if name.startswith(WHEELS)}
    return Kept(lock, wheels)


def _python(environment: Place, run: Run, kept: Kept, store: "Store", home: Path) -> Path | None:
    """The Python of another environment than this one; None for this one."""
    recorded = store.read_json(run.environment)
    if environment == "here" or (environment == "recorded" and not missing_here(recorded, store)):
        return None
    return rebuild(recorded, kept, store, home)


def _verify(store: "Store", recipe: Recipe) -> None:
    """Every part of the recorded tables, and of the data they were made from, is what was written."""
    tables = recipe.tables
    damages = store.verify([tables.train, tables.holdout, *tables.views.values(), *recipe.data.values()])
    if damages:
        raise Damaged(
            f"the data of the run are not what was recorded: {'; '.join(str(each) for each in damages[:3])}",
            hint="restore the store's files from a backup; penstock data verify names all of them",
        )


def _again(
    recipe: Recipe,
    run: Run,
    measured: Mapping[str, float],
    store: "Store",
    place: Path,
    python: Path | None,
    progress: Progress | None,
) -> Reproduction:
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
        python=python,
    )
    seconds = time.perf_counter() - started
    largest = max_difference(probe_scores(store, run.bundle or ""), probe_scores(scratch, trained.bundle))
    then, now = store.read_json(run.environment), scratch.read_json(trained.environment)
    reached = grade(run, trained, largest)
    return Reproduction(
        run=run,
        grade=reached,
        content_hash=trained.content_hash,
        probe_hash=trained.probe_hash,
        max_difference=largest,
        metrics=changed_metrics(measured, trained.metrics),
        rebuilt=python is not None,
        differences=differences(then, now),
        causes=() if reached == "bytes" else likely_causes(then, now, trained),
        seconds=seconds,
    )


def changed_metrics(
    then: Mapping[str, float], now: Mapping[str, float]
) -> dict[str, tuple[float | None, float | None]]:
    """The numbers that differ, of those that the training measures whatever the speed of the machine.

    A run has others too, such as those that an evaluation judged: they are no result of the training.
    """
    names = sorted({*now} - MEASURED)
    return {name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)}


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
        "rebuilt": again.rebuilt,
        "environment_differences": len(again.differences),
    }
    with ledger.write() as transaction:
        transaction.audit("reproduce", node("run", again.run.id), actor=actor, payload=payload)
