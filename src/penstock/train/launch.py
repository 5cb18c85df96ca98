"""From a recipe to a sealed bundle: one process, one directory, one report.

place/code/        the sources of the recipe and nothing else; where the process works
place/job.json     what the process is told
place/log          what it printed
place/*.journal    the values that it reported, as they came
place/report.json  what it made, or the error; whole or not there
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock import errors
from penstock.errors import Killed, PenstockError
from penstock.ids import new_id
from penstock.train.code import unpack
from penstock.train.containers.container import NOT_STARTED, Container, process_code
from penstock.train.process import OUTSIDE, Progress, Watch, run_child, signal_name
from penstock.train.recipe import Recipe

if TYPE_CHECKING:
    from penstock.store import Store

JOURNAL = "fit.journal"
_LOG_LIMIT = 16 << 20


@dataclass(frozen=True)
class Job:
    """What a training process is told. `output` is the store that the bundle goes to."""

    recipe: Recipe
    run: str
    parent: int
    store: str
    output: str
    signing_key: str
    code: str
    report: str
    journal: str


@dataclass(frozen=True)
class Trained:
    """What a training process made."""

    bundle: str
    format: str
    bytes: int
    public_key: str
    signature: str
    content_hash: str
    probe_hash: str
    environment: str
    metrics: Mapping[str, float]
    imported: Sequence[str] = ()  # distributions that the process loaded
    entropy: Sequence[str] = ()  # lines of the user's code that asked the system for random bits: "pipeline.py:12"
    node: str = ""  # of a cluster, that it was trained on


def launch(
    recipe: Recipe,
    *,
    run: str,
    store: "Store",
    output: "Store",
    signing_key: Path,
    place: Path,
    progress: Progress | None = None,
    watch: Watch | None = None,
    python: Path | None = None,
    image: str | None = None,
) -> Trained:
    """Train in a fresh process of this machine in `place`: with the `python` of another environment, or in an `image`.

    `watch` is called again and again until the process has ended; what it raises ends the process.
    Raises what went wrong in the process: UserCodeError when fit raised, FunctionError when it cannot be
    called, Damaged when the data are not what was recorded, Killed when a signal ended it.
    """
    code = place / "code"
    code.mkdir(parents=True)
    unpack(store, recipe.code, code)
    job = Job(
        recipe=recipe,
        run=run,
        parent=OUTSIDE if image else os.getpid(),
        store=str(store.blobs.root.resolve()),
        output=str(output.blobs.root.resolve()),
        signing_key=str(signing_key.resolve()),
        code=str(code.resolve()),
        report=str((place / "report.json").resolve()),
        journal=str((place / JOURNAL).resolve()),
    )
    write_job(place / "job.json", job)
    container = _container(image, run, job, place) if image else None
    exit_code = run_child(
        "penstock.train.worker",
        (place / "job.json").resolve(),
        directory=code,
        log=place / "log",
        threads=recipe.threads,
        progress=progress,
        watch=watch,
        python=python,
        container=container,
    )
    return _answered_from(container, exit_code, place) if container else _answer(exit_code, place / "report.json")


def _container(image: str, run: str, job: Job, place: Path) -> Container:
    """What a training needs of the host: both stores, the key that signs, and its place."""
    needed = [Path(job.store), Path(job.output), Path(job.signing_key).parent, place.resolve()]
    for directory in needed:
        directory.mkdir(parents=True, exist_ok=True)
    return Container.of(image, f"penstock-{run}-{new_id()}", needed)


def _answered_from(container: Container, exit_code: int, place: Path) -> Trained:
    """The answer of a process in a container, which may not have been started at all."""
    report = place / "report.json"
    if exit_code in NOT_STARTED and not report.exists():
        said = read_log(place).decode(errors="replace").strip().splitlines() or ["it said nothing"]
        what = f"{container.tool.name} did not start the container: {said[-1]}"
        raise PenstockError(what, hint=f"{container.tool.name} run --rm {container.image[:12]} --version")
    return _answer(process_code(exit_code), report)


def _answer(exit_code: int, report: Path) -> Trained:
    if report.exists():
        return read_report(report)
    if exit_code < 0:
        name = signal_name(exit_code)
        hint = "was the machine out of memory? its kernel log says" if name == "SIGKILL" else None
        raise Killed(f"the training process was ended by {name}", hint=hint)
    raise PenstockError(f"the training process ended with exit code {exit_code} and no result")


def write_job(path: Path, job: Job) -> None:
    """Write what the process is told."""
    path.write_text(json.dumps(asdict(job)))


def read_job(path: Path) -> Job:
    """Read what the process is told. A newer Penstock, which has a run of this one repeated, may tell it more."""
    value = json.loads(path.read_text())
    known = {each.name: value[each.name] for each in fields(Job)}
    return Job(**{**known, "recipe": Recipe.from_json(value["recipe"])})


def write_report(path: Path, answer: Trained | PenstockError) -> None:
    """Write the answer of the process, whole or not at all."""
    value = {"trained": asdict(answer)} if isinstance(answer, Trained) else {"error": answer.as_dict()}
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(value))
    draft.replace(path)


def read_report(path: Path) -> Trained:
    """The answer of the process; its error is raised here."""
    value = json.loads(path.read_text())
    if "error" in value:
        raise error_of(value["error"])
    return Trained(**value["trained"])


def error_of(facts: Mapping[str, Any]) -> PenstockError:
    """The error that a process wrote down, of the same class where that class needs no more than these facts."""
    named = getattr(errors, facts["error"], PenstockError)
    kind = named if named.__init__ is PenstockError.__init__ else PenstockError
    error: PenstockError = kind(
        facts["what"], where=facts.get("where"), expected=facts.get("expected"), hint=facts.get("next")
    )
    return error


def read_log(place: Path) -> bytes:
    """What the process printed, files named as in the project; of very much, the beginning and the end."""
    log = place / "log"
    if not log.exists():
        return b""
    return _both_ends(log).replace(f"{place.resolve()}/code/".encode(), b"")


def _both_ends(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _LOG_LIMIT:
            return file.read()
        head = file.read(_LOG_LIMIT // 2)
        file.seek(-(_LOG_LIMIT // 2), os.SEEK_END)
        return head + f"\n[... {size - _LOG_LIMIT} bytes left out ...]\n".encode() + file.read()
