"""One turn: steps 1 to 5 composed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from penstock.data import Progress, checked_out, current, ingest, publish_derived
from penstock.deliver import register
from penstock.digest import short
from penstock.engine import Outcome, Step, run_step, step_key
from penstock.ledger import Evaluation, GateResult, Ledger, ModelVersion, Run, node, utc_now
from penstock.objective import objective_digest, require_objective
from penstock.pipeline import plan
from penstock.pipeline.bench_step import bench, is_benched, refuse_stopped
from penstock.project import ProjectFile, project_sources
from penstock.store import Store


@dataclass(frozen=True)
class Event:
    """A step that ended. `detail` says why it ran or did not, `result` what came out, `notes` what to look at."""

    step: str
    state: Literal["start", "cached", "done"]
    detail: str = ""
    result: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Turn:
    """What a turn came to. Without a section `train` it ends after the data.

    version  the registered version of a model that the gates do not refuse
    lapsed   the registered version of one that they let through before, and refuse now
    """

    events: tuple[Event, ...]
    data: Mapping[str, str]
    run_id: str | None = None
    bundle: str | None = None
    evaluation: Evaluation | None = None
    results: tuple[GateResult, ...] = ()
    version: ModelVersion | None = None
    lapsed: ModelVersion | None = None

    @property
    def changed(self) -> bool:
        """Whether any step had something to do."""
        return any(event.state == "done" for event in self.events)

    @property
    def lacks(self) -> tuple[str, ...]:
        """The gates that did not pass, each with its reason."""
        blocking = (r for r in self.results if r.severity == "block" and r.outcome != "PASS")
        return tuple(f"{r.gate}: {r.outcome}, {r.reason}" for r in blocking)

    @property
    def exit_code(self) -> int:
        """0, or 3 when a gate did not pass."""
        return 3 if self.evaluation and self.evaluation.verdict != "PASS" else 0


def run(
    project: ProjectFile,
    ledger: Ledger,
    store: Store,
    *,
    on_event: Listener | None = None,
    progress: Callable[[Progress], None] | None = None,
    now: datetime | None = None,
) -> Turn:
    """Rebuild what depends on what has changed, judge it, register what did not fail.

    `progress` is told how far an ingest is. `now` is the time that the freshness of the training data is judged at.

    Raises ContractBroken when data do not keep their contract, UserCodeError when the user's code
    raised; what was done before stays done, and the next turn begins there.
    """
    turner = _Turner(project, ledger, store, on_event, progress, now)
    commits = turner.data()
    if project.config.train is None:
        return Turn(tuple(turner.events), commits)
    return turner.model(commits)


def training_sets(
    project: ProjectFile,
    ledger: Ledger,
    store: Store,
    variants: Mapping[str, ProjectFile],
    *,
    on_event: Listener | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[dict[str, str], dict[str, Outcome]]:
    """The data of a turn, and the training set of each variant of the project that differs after them.

    Raises what `run` raises until then.
    """
    turner = _Turner(project, ledger, store, on_event, progress, None)
    commits = turner.data()
    made = {}
    for name, variant in variants.items():
        turner.project = variant
        made[name] = turner.training_set(commits)
    return commits, made


class _Turner:
    """The pieces that every step needs, and the events so far."""

    def __init__(
        self,
        project: ProjectFile,
        ledger: Ledger,
        store: Store,
        on_event: Listener | None,
        progress: Callable[[Progress], None] | None,
        now: datetime | None,
    ) -> None:
        self.project = project
        self.ledger = ledger
        self.store = store
        self.progress = progress
        self.now = now or utc_now()
        self.events: list[Event] = []
        self._tell = on_event or (lambda event: None)

    # --- step 2 ---

    def data(self) -> dict[str, str]:
        """Ingest every dataset and compute every transform; the commit of each."""
        commits = {name: self._ingest(name) for name in self.project.config.data.datasets}
        self._bench(commits)
        derived: dict[str, str] = {}
        for name in plan.transform_order(self.project.config.data.transforms):
            derived[name] = self._transform(name, {**commits, **derived})
        self._bench(derived)
        return {**commits, **derived}

    def _bench(self, commits: Mapping[str, str]) -> None:
        """Search the tables for what is wrong with them. ContractBroken when there is what they are to stop at."""
        benched = []
        for name, commit in commits.items():
            if not is_benched(self.project, name):
                continue
            self._start(f"bench {name}")
            done = bench(self.project, self.ledger, self.store, name, commit)
            state: Literal["cached", "done"] = "cached" if done.cached else "done"
            notes = () if done.cached else done.lines
            self._end(Event(f"bench {name}", state, done.why, done.result, done.seconds, notes))
            benched.append(done)
        refuse_stopped(self.project, benched)

    def _ingest(self, dataset: str) -> str:
        self._start(f"ingest {dataset}")
        with self.ledger.read() as reader:
            fixed = checked_out(reader, dataset, self.project.branch)
        if fixed:
            why = f"checked out (penstock data ingest {dataset} reads on)"
            self._end(Event(f"ingest {dataset}", "cached", why, f"{fixed.rows:,} rows"))
            return fixed.commit
        started = time.perf_counter()
        done = ingest(self.project, self.ledger, self.store, dataset, progress=self.progress)
        away = (
            f", {done.quarantined:,} quarantined (penstock data quarantine show {dataset})" if done.quarantined else ""
        )
        result = f"{done.rows:,} rows{away}"
        state: Literal["cached", "done"] = "cached" if done.skipped else "done"
        self._end(Event(f"ingest {dataset}", state, done.why, result, time.perf_counter() - started))
        return done.commit

    def _transform(self, name: str, commits: Mapping[str, str]) -> str:
        inputs = plan.transform_inputs(self.project, name, commits)

        def work() -> dict[str, object]:
            from penstock.data import transform

            made = transform(self.project, self.ledger, self.store, name, inputs["data"])
            return {"commit": made.commit, "columns": made.columns}

        outcome = self._step(Step(f"transform {name}", inputs, work), inputs["function"])
        commit = str(outcome.outputs["commit"])
        with self.ledger.read() as reader:
            present = current(reader, name, self.project.branch)
        if present is None or present.commit != commit:
            # the same inputs came back after others: the result is remembered, the branch is not
            sources = {node("data", source): "input" for source in inputs["data"].values()}
            publish_derived(self.ledger, self.store, name, commit, sources, branch=self.project.branch)
        return commit

    # --- steps 3 to 5 ---

    def training_set(self, commits: Mapping[str, str]) -> Outcome:
        """Cut the examples, and compute their features."""
        require_objective(self.project)
        return self._step(
            Step("training set", plan.training_set_inputs(self.project, commits), lambda: self._cut(commits)),
            *(view.function for view in self.project.config.data.features.values()),
        )

    def model(self, commits: Mapping[str, str]) -> Turn:
        """Train, judge and register."""
        made = self.training_set(commits)
        training = plan.train_inputs(self.project, made.key)
        trained = self._step(
            Step("train", training, lambda: self._train(made, commits, training)), training["function"]
        )
        run_id, bundle = str(trained.outputs["run"]), str(trained.outputs["bundle"])
        rival = self._rival(bundle)
        holdout = str(made.outputs["holdout"])
        fresh = self._fresh(holdout, commits)
        inputs = plan.evaluate_inputs(self.project, bundle, holdout, commits, rival, fresh=fresh)
        judged = self._step(Step("evaluate", inputs, lambda: self._evaluate(bundle, made, commits, rival)))
        evaluation, results = self._read(str(judged.outputs["evaluation"]))
        version = self._register(evaluation, run_id)
        refused = evaluation.verdict == "FAIL"
        return Turn(
            events=tuple(self.events),
            data=commits,
            run_id=run_id,
            bundle=bundle,
            evaluation=evaluation,
            results=results,
            version=None if refused else version,
            lapsed=version if refused else None,
        )

    def _rival(self, bundle: str) -> str | None:
        with self.ledger.read() as reader:
            return plan.rival(reader, self.project.config.name, bundle)

    def _cut(self, commits: Mapping[str, str]) -> dict[str, object]:
        from penstock.data import training_set

        made = training_set(self.project, self.store, commits, examples=plan.examples_of(self.project))
        return made.to_json()

    def _train(self, made: Outcome, commits: Mapping[str, str], inputs: Mapping[str, object]) -> dict[str, str]:
        from penstock.bundle import FeatureSpec
        from penstock.train import Tables, train
        from penstock.validate import check_gates, decide_threshold

        check_gates(self.project)  # a mistake in them is told before the training, not after it
        outputs = made.outputs
        objective = require_objective(self.project)
        result = train(
            self.project,
            self.ledger,
            self.store,
            key=step_key("train", inputs),
            tables=Tables(train=outputs["train"], holdout=outputs["holdout"], views=outputs["views"]),
            data=commits,
            features=FeatureSpec.from_json(outputs["features"]),
            threshold=decide_threshold(objective),
            objective=objective_digest(objective),
        )
        return {"run": result.run.id, "bundle": result.bundle}

    def _fresh(self, holdout: str, commits: Mapping[str, str]) -> bool | None:
        from penstock.validate import is_fresh

        return is_fresh(self.project, self.store, holdout=holdout, sources=commits, now=self.now)

    def _evaluate(self, bundle: str, made: Outcome, commits: Mapping[str, str], champion: str | None) -> dict[str, str]:
        from penstock.validate import evaluate

        judged = evaluate(
            self.project,
            self.ledger,
            self.store,
            bundle,
            holdout=made.outputs["holdout"],
            train=made.outputs["train"],
            sources=commits,
            champion=champion,
            now=self.now,
        )
        return {"evaluation": judged.evaluation.id, "verdict": judged.evaluation.verdict}

    def _read(self, identifier: str) -> tuple[Evaluation, tuple[GateResult, ...]]:
        with self.ledger.read() as reader:
            (evaluation,) = reader.find(Evaluation, id=identifier)
            return evaluation, tuple(reader.find(GateResult, evaluation=identifier, order_by="position"))

    def _register(self, evaluation: Evaluation, run_id: str) -> ModelVersion | None:
        """The version of what did not fail. One that is known takes its newest judgement, a failure too; None for
        what was refused at once.
        """
        name = self.project.config.name
        with self.ledger.read() as reader:
            known = reader.find(ModelVersion, model=name, bundle=evaluation.bundle, limit=1)
            trained = reader.get(Run, id=run_id)
        if evaluation.verdict == "FAIL" and not known:
            return None
        note = f"run {trained.number}, {evaluation.verdict}" if trained else evaluation.verdict
        version = register(self.ledger, name, run=run_id, evaluation=evaluation, note=note)
        if evaluation.verdict == "FAIL":
            return version
        state: Literal["cached", "done"] = "cached" if known else "done"
        self._end(Event("register", state, "already registered" if known else "", f"{version.name}, {version.state}"))
        return version

    # --- events ---

    def _step(self, step: Step, *functions: str) -> Outcome:
        """Run a step. The code of its `functions` is kept, so that a later change of it is told to the line."""
        self._start(step.name)
        outcome = run_step(self.ledger, step)
        if not outcome.cached and functions:
            from penstock.train import keep

            for function in functions:
                keep(project_sources(self.project.root, [function]), self.store)
        result = _said(step.name, outcome.outputs)
        self._end(Event(step.name, "cached" if outcome.cached else "done", outcome.why, result, outcome.seconds))
        return outcome

    def _start(self, name: str) -> None:
        self._tell(Event(name, "start"))

    def _end(self, event: Event) -> None:
        self.events.append(event)
        self._tell(event)


def _said(step: str, outputs: Mapping[str, Any]) -> str:
    """What came out of a step, in a few words."""
    if step == "training set":
        return f"{outputs['train_rows']:,} rows to learn from, {outputs['holdout_rows']:,} to judge by"
    if step == "train":
        return f"run {short(outputs['run'])}, bundle {short(outputs['bundle'])}"
    return str(outputs["verdict"]) if step == "evaluate" else f"version {short(outputs['commit'])}"
