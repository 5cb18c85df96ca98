"""What decides each step's result, read without running any of the user's code."""

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.deliver import in_production
from penstock.digest import canonical_json
from penstock.engine import installed
from penstock.errors import UsageError
from penstock.ledger import Evaluation, Reader
from penstock.objective import objective_digest
from penstock.project import ProjectFile, Transform, code_digest

REQUEST = "request"  # the source of a view that is computed from the request


class Pending(str):
    """In the place of an id that `step` is yet to give. `new`: surely one that nobody has seen."""

    step: str
    new: bool

    def __new__(cls, step: str, *, new: bool = False) -> "Pending":
        """A text, so that inputs with it are still JSON."""
        made = super().__new__(cls, f"what {step} gives")
        made.step, made.new = step, new
        return made


def pending(inputs: Any) -> Iterator[Pending]:
    """Every id in the inputs of a step that is yet to come."""
    if isinstance(inputs, Pending):
        yield inputs
    elif isinstance(inputs, Mapping):
        for value in inputs.values():
            yield from pending(value)


def may_be(before: Any, inputs: Any) -> bool:
    """Whether `inputs` may turn out to be those of an earlier execution, once what is pending in them is there."""
    if isinstance(inputs, Pending):
        return not inputs.new
    if isinstance(before, Mapping) and isinstance(inputs, Mapping):
        return before.keys() == inputs.keys() and all(may_be(before[name], inputs[name]) for name in inputs)
    return canonical_json(before) == canonical_json(inputs)


def transform_order(transforms: Mapping[str, Transform]) -> Iterator[str]:
    """Names of the transforms, each after those it reads. The project file's checks have ruled out circles."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in transforms and name not in done:
            done.add(name)
            for source in transforms[name].inputs:
                yield from visit(source)
            yield name

    for name in transforms:
        yield from visit(name)


def transform_inputs(project: ProjectFile, name: str, commits: Mapping[str, str]) -> dict[str, Any]:
    """The function's code and the versions it reads."""
    transform = project.config.data.transforms[name]
    return {
        "code": code_digest(project.root, transform.function),
        "function": transform.function,
        "data": {source: version_of(source, commits) for source in transform.inputs},
    }


def training_set_inputs(project: ProjectFile, commits: Mapping[str, str]) -> dict[str, Any]:
    """Examples, feature views with their code and data, and how the holdout is cut."""
    config = project.config
    assert config.train is not None
    data, train = config.data, config.train
    views = {}
    for name, view in data.features.items():
        settings = view.model_dump(mode="json", by_alias=True)
        stored = {} if view.source == REQUEST else {"data": version_of(view.source, commits)}
        views[name] = {**settings, "code": code_digest(project.root, view.function), **stored}
    return {
        "examples": version_of(examples_of(project), commits),
        "features": views,
        "request": {"columns": list(data.request), "key": data.key, "time": data.time},
        "target": config.objective.target.model_dump(mode="json") if config.objective else None,
        "holdout": train.holdout,
        "since": train.since,
        "seed": train.seed,
        **({"without": list(train.without)} if train.without else {}),
    }


def train_inputs(project: ProjectFile, training_set: str) -> dict[str, Any]:
    """The training set, the function's code, its parameters, the seed and the installed libraries."""
    config = project.config
    assert config.train is not None
    train = config.train
    return {
        "training_set": training_set,
        "code": code_digest(project.root, train.function),
        "function": train.function,
        "params": train.params,
        "seed": train.seed,
        "threads": train.threads,
        "deterministic": train.deterministic,
        "costs": config.objective.model_dump(mode="json")["costs"] if config.objective else None,
        "environment": installed() if train.image is None else image(train.image),
    }


def evaluate_inputs(
    project: ProjectFile,
    bundle: str,
    holdout: str,
    sources: Mapping[str, str],
    champion: str | None,
    *,
    fresh: bool | str | None,
) -> dict[str, Any]:
    """Candidate, champion, holdout, the objective and the gates with everything that they read.

    Of the time only what a gate makes of it: whether the training rows are `fresh`.
    """
    from penstock.validate import judged_by

    config = project.config
    assert config.objective is not None
    return {
        "bundle": bundle,
        "champion": champion,
        "holdout": holdout,
        "data": dict(sources),
        "objective": objective_digest(config.objective),
        "gates": judged_by(project),
        "fresh": fresh,
        "slices": list(config.validation.slices),
    }


def rival(reader: Reader, model: str, bundle: str) -> str | None:
    """The bundle to compare with: what is in production, or what was when this one went there."""
    champion = in_production(reader, model)
    if champion is None or champion.bundle != bundle:
        return champion.bundle if champion else None
    judged = reader.find(Evaluation, id=champion.evaluation)
    return judged[0].champion if judged else None


def image(name: str) -> dict[str, str]:
    """The image that is trained in, by its id: it says all of the environment."""
    from penstock.train import find_image

    return {"image": find_image(name)[1]}


def examples_of(project: ProjectFile) -> str:
    """The dataset or transform with one row per example."""
    data = project.config.data
    if data.examples:
        return data.examples
    if len(data.datasets) == 1 and not data.transforms:
        return next(iter(data.datasets))
    raise UsageError(
        "the project file does not say which dataset holds the examples",
        where=project.path.name,
        expected=f"data.examples: one of {', '.join([*data.datasets, *data.transforms])}",
    )


def version_of(dataset: str, commits: Mapping[str, str]) -> str:
    """The commit of a dataset in this turn."""
    if dataset not in commits:
        raise UsageError.unknown("dataset", dataset, commits)
    return commits[dataset]
