"""A search composed: the data of a turn, a training set for each feature set, folds of its rows, trials, a winner.

What a trial trains on is what `penstock run` trains on, made by the same steps; only the rows are fewer.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.engine import Outcome, installed, open_pool
from penstock.errors import UsageError
from penstock.objective import require_objective
from penstock.pipeline import plan as inputs
from penstock.pipeline.turn import Event, Listener, training_sets
from penstock.project import ProjectFile, Search, Train, code_digest
from penstock.train.search import Found, Plan, Rule, Space, Trial, make_folds, run_search

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle import Target
    from penstock.data import Progress
    from penstock.ledger import Ledger
    from penstock.store import Store
    from penstock.train import Recipe
    from penstock.train.search import Fold


def search(
    project: ProjectFile,
    ledger: "Ledger",
    store: "Store",
    *,
    on_event: Listener | None = None,
    on_trial: Callable[[Trial, Found], None] | None = None,
    progress: "Callable[[Progress], None] | None" = None,
) -> Found:
    """Try what `train.search` declares, on the data of today; go on from the trials that were made before.

    Raises UsageError without such a section, MissingExtra without Optuna, FunctionError when a function cannot be
    called with the parameters of its space.
    """
    from penstock.train import reap
    from penstock.train.cluster.folds import folds_in
    from penstock.train.search.study import load_optuna
    from penstock.validate import aim_of, judge_of, searched_by

    train, _ = _sections(project)
    load_optuna()
    space, aim = Space.of(train), aim_of(project.config)
    _check_functions(project, space)
    if on_event:
        metric, written = searched_by(project.config)
        on_event(Event("search", "done", result=f"{aim.goal} {metric} ({written})"))
    reap(ledger, store)
    variants = {name: _without(project, left_out) for name, left_out in space.feature_sets.items()}
    commits, made = training_sets(project, ledger, store, variants, on_event=on_event, progress=progress)
    target, labels = _target(project, store, next(iter(made.values())))
    plan = Plan(
        space=space,
        settings=_sections(project)[1],
        aim=aim,
        folds=_folds(project, store, commits),
        recipes=_recipes(project, store, space, variants, commits, made),
        classes=tuple(target.classes),
        first=space.present(train),
        inputs=_identity(project, space, made),
        resources=train.resources,
        fork=project.config.engine.kind == "local" and not train.resources.gpus,  # which are told by a variable
    )
    with open_pool(project.config.engine) as pool:
        judge = judge_of(project, aim, target, labels)
        return run_search(plan, ledger, store, folds_in(pool, store), judge, home=project.home, on_trial=on_trial)


def _sections(project: ProjectFile) -> tuple[Train, Search]:
    train = project.config.train
    if train is None or train.search is None:
        raise UsageError(
            "the project file says nothing about a search",
            where=project.path.name,
            expected="train.search with a space: {space: {learning_rate: {min: 0.01, max: 0.3, log: true}}}",
            hint="penstock schema  # every key with its meaning",
        )
    require_objective(project)
    return train, train.search


def _without(project: ProjectFile, left_out: tuple[str, ...]) -> ProjectFile:
    """The project whose model does not get these views and features."""
    train, _ = _sections(project)
    config = project.config.model_copy(update={"train": train.model_copy(update={"without": left_out})})
    return replace(project, config=config)


def _check_functions(project: ProjectFile, space: Space) -> None:
    """Each function can be called with what the space gives it."""
    from penstock.train import check_training

    train, _ = _sections(project)
    for option in space.options.values():
        params = {**option.params, **dict.fromkeys(option.space)}
        section = train.model_copy(update={"function": option.function, "params": params})
        check_training(replace(project, config=project.config.model_copy(update={"train": section})))


def _target(project: ProjectFile, store: "Store", made: Outcome) -> "tuple[Target, pl.Series]":
    """The target with its classes, those of the holdout too, as a bundle has them; and the labels to learn from."""
    import polars as pl

    from penstock.bundle import Target, classes_of
    from penstock.data import load_holdout, load_train

    declared = require_objective(project).target
    _, labels = load_train(store, str(made.outputs["train"]))
    _, held_out = load_holdout(store, str(made.outputs["holdout"]), declared.column)
    labels = labels.alias(declared.column)
    classes = classes_of(pl.concat([labels, held_out]), declared.task, declared.positive)
    return Target(declared.column, declared.task, declared.positive, classes), labels


def _folds(project: ProjectFile, store: "Store", commits: Mapping[str, str]) -> "tuple[Fold, ...]":
    from penstock.data import training_rows

    rule = fold_rule(project)
    columns = rule.columns or [require_objective(project).target.column]
    rows = training_rows(project, store, commits, examples=inputs.examples_of(project), columns=columns)
    return make_folds(rule, rows)


def fold_rule(project: ProjectFile) -> Rule:
    """How the training rows are cut: as declared, else as the holdout is."""
    train, search = _sections(project)
    folds, target = search.folds, require_objective(project).target
    strata = None if target.task == "regression" else target.column
    kind = folds.kind
    if kind is None:
        kind = "time" if train.holdout.startswith("last") else "stratified" if strata else "random"
    return Rule(
        kind=kind,
        n=folds.n,
        seed=search.seed,
        time=(folds.by or project.config.data.time) if kind == "time" else None,
        group=folds.by if kind == "group" else folds.group,
        gap=folds.gap,
        strata=strata,
    )


def _recipes(
    project: ProjectFile,
    store: "Store",
    space: Space,
    variants: Mapping[str, ProjectFile],
    commits: Mapping[str, str],
    made: Mapping[str, Outcome],
) -> "dict[str, Recipe]":
    """One for each feature set; the code holds every algorithm."""
    from penstock.train import Recipe, Tables
    from penstock.train.code import snapshot
    from penstock.validate import decide_threshold

    functions = [option.function for option in space.options.values()]
    views = [view.function for view in project.config.data.features.values()]
    code = snapshot(project.root, [*functions, *views], store)
    objective = require_objective(project)
    found = {}
    for name, variant in variants.items():
        train, outputs = variant.config.train, made[name].outputs
        assert train is not None
        found[name] = Recipe(
            model=project.config.name,
            function=train.function,
            params=train.params,
            seed=train.seed,
            threads=train.threads,
            target=objective.target.model_dump(mode="json"),
            threshold=decide_threshold(objective),
            features=outputs["features"],
            tables=Tables(train=outputs["train"], holdout=outputs["holdout"], views=outputs["views"]),
            data=dict(commits),
            code=code.digest,
            git_commit=code.commit,
            deterministic=train.deterministic,
        )
    return found


def _identity(project: ProjectFile, space: Space, made: Mapping[str, Outcome]) -> dict[str, Any]:
    """What decides a trial's result besides the choice and the folds."""
    train, _ = _sections(project)
    objective = require_objective(project)
    return {
        "training_sets": {name: outcome.key for name, outcome in made.items()},
        "code": {option.function: code_digest(project.root, option.function) for option in space.options.values()},
        "params": {name: dict(option.params) for name, option in space.options.items()},
        "seed": train.seed,
        "threads": train.threads,
        "deterministic": train.deterministic,
        "costs": objective.model_dump(mode="json")["costs"],
        "environment": installed(),
    }
