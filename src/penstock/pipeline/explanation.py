"""What a turn would do and why, before it does it. Nothing is written, ingested or computed.

The steps are walked as the turn walks them, by the same inputs (plan.py). What a step is yet to give stands in the
inputs of those after it as `Pending`: a step runs for sure when no earlier execution had all of its other inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from penstock.data import checked_out, history, preview
from penstock.data.bench.context import context_of
from penstock.engine import step_key
from penstock.ledger import Evaluation, Execution, Ledger, ModelVersion, Version, utc_now
from penstock.objective import require_objective
from penstock.pipeline import plan
from penstock.pipeline.bench_step import bench_inputs, is_benched, kept_bench, previous_version, refuse_stopped
from penstock.pipeline.plan import Pending
from penstock.pipeline.reasons import Reasons
from penstock.project import ProjectFile
from penstock.store import Store

State = Literal["cached", "run", "unknown"]


@dataclass(frozen=True)
class Expected:
    """A step of the next turn.

    state    cached    its result is there
             run       it has something to do
             unknown   that depends on what `after` give
    reasons  what differs from the time it did the most alike: ("params.C 1.0 → 0.5",)
    after    the steps that have to run first
    """

    step: str
    state: State
    reasons: tuple[str, ...]
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Every step of the next turn, in order."""

    steps: tuple[Expected, ...]

    def count(self, state: State) -> int:
        """How many steps are in a state."""
        return sum(step.state == state for step in self.steps)


def explain(project: ProjectFile, ledger: Ledger, store: Store, *, now: datetime | None = None) -> Explanation:
    """What `run` would do now. `now` is the time that the freshness of the training data would be judged at.

    Raises what the turn would raise before it works: ContractBroken when a bench that is there stops it, UsageError
    or FunctionError when a source, a function or a parameter is not as it must be.
    """
    explainer = _Explainer(project, ledger, store, now or utc_now())
    commits = explainer.data()
    if project.config.train is not None:
        explainer.model(commits)
    return Explanation(tuple(explainer.steps))


class _Explainer:
    """The pieces that every step needs, and the steps so far."""

    def __init__(self, project: ProjectFile, ledger: Ledger, store: Store, now: datetime) -> None:
        self.project = project
        self.ledger = ledger
        self.store = store
        self.now = now
        self.steps: list[Expected] = []
        self.reasons = Reasons(project, ledger, store)

    # --- step 2 ---

    def data(self) -> dict[str, str]:
        """The version of every dataset and transform, as far as it is known."""
        commits = {name: self._ingest(name) for name in self.project.config.data.datasets}
        self._bench(commits)
        derived: dict[str, str] = {}
        for name in plan.transform_order(self.project.config.data.transforms):
            inputs = plan.transform_inputs(self.project, name, {**commits, **derived})
            derived[name] = self._given(f"transform {name}", inputs, "commit")
        self._bench(derived)
        return {**commits, **derived}

    def _ingest(self, dataset: str) -> str:
        step = f"ingest {dataset}"
        with self.ledger.read() as reader:
            fixed = checked_out(reader, dataset, self.project.branch)
        if fixed:
            self._add(step, "cached", [f"checked out (penstock data ingest {dataset} reads on)"])
            return fixed.commit
        found = preview(self.project, self.ledger, self.store, dataset)
        self._add(step, "run" if found.reads else "cached", self.reasons.of_ingest(dataset, found))
        there = found.version.commit if found.version else ""
        return Pending(step, new=not there) if found.reads else there

    def _bench(self, commits: Mapping[str, str]) -> None:
        benched = []
        for name, commit in commits.items():
            if is_benched(self.project, name) and (done := self._benched(name, commit)):
                benched.append(kept_bench(self.store, name, done))
        refuse_stopped(self.project, benched)

    def _benched(self, name: str, commit: str) -> Mapping[str, Any] | None:
        with self.ledger.read() as reader:
            version = reader.get(Version, dataset=name, commit=commit)
            known = history(reader, name, self.project.branch)
        before: str | None = commit if isinstance(commit, Pending) else previous_version(known, version)
        context = context_of(self.project, name, version.created_at if version else None)
        return self._look(f"bench {name}", bench_inputs(self.project, name, commit, before, context))

    # --- steps 3 to 5 ---

    def model(self, commits: Mapping[str, str]) -> None:
        """Training set, training, evaluation and registration."""
        require_objective(self.project)
        inputs = plan.training_set_inputs(self.project, commits)
        made = self._look("training set", inputs)
        cut = Pending("training set", new=self._state == "run")
        holdout = str(made["holdout"]) if made else cut
        bundle = self._train(step_key("training set", inputs) if made else cut)
        judged = self._evaluate(bundle, holdout, commits)
        self._register(bundle, judged)

    def _train(self, training_set: str) -> str:
        bundle = self._given("train", plan.train_inputs(self.project, training_set), "bundle")
        if isinstance(bundle, Pending):
            from penstock.train import check_training

            check_training(self.project)
        return bundle

    def _evaluate(self, bundle: str, holdout: str, commits: Mapping[str, str]) -> str:
        rival = self._rival(bundle)
        fresh = self._fresh(holdout, commits)
        inputs = plan.evaluate_inputs(self.project, bundle, holdout, commits, rival, fresh=fresh)
        return self._given("evaluate", inputs, "evaluation")

    def _rival(self, bundle: str) -> str | None:
        with self.ledger.read() as reader:
            found = plan.rival(reader, self.project.config.name, bundle)
        unsure = isinstance(bundle, Pending) and not bundle.new
        return Pending("train") if unsure and found else found

    def _fresh(self, holdout: str, commits: Mapping[str, str]) -> bool | str | None:
        from penstock.validate import is_fresh

        objective = require_objective(self.project)
        pending = [value for value in (holdout, *commits.values()) if isinstance(value, Pending)]
        if pending and objective.slas.freshness is not None:
            return Pending(pending[0].step)
        if pending:
            return None
        return is_fresh(self.project, self.store, holdout=holdout, sources=commits, now=self.now)

    def _register(self, bundle: str, evaluation: str) -> None:
        """A bundle is registered once, unless a gate refuses it."""
        with self.ledger.read() as reader:
            known = reader.find(ModelVersion, model=self.project.config.name, bundle=bundle, limit=1)
            judged = reader.find(Evaluation, id=evaluation, limit=1)
        if known:
            self._add("register", "cached", [f"{known[0].name} is registered"])
        elif not judged:
            waits = [value.step for value in (bundle, evaluation) if isinstance(value, Pending)]
            self._add("register", "unknown", ["unless a gate refuses the model"], waits)
        elif judged[0].verdict == "FAIL":
            self._add("register", "cached", ["the gates refused this model"])
        else:
            self._add("register", "run", ["the model is not registered yet"])

    # --- one step ---

    def _given(self, step: str, inputs: Mapping[str, Any], output: str) -> str:
        """The id that a step gives, or that it is pending."""
        outputs = self._look(step, inputs)
        return str(outputs[output]) if outputs else Pending(step, new=self._state == "run")

    def _look(self, step: str, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The outputs that are there, or None; the step is added to what is expected."""
        waits = list(plan.pending(inputs))
        with self.ledger.read() as reader:
            done = None if waits else reader.get(Execution, key=step_key(step, inputs))
            past = reader.find(Execution, step=step) if waits else []
        if done:
            self._add(step, "cached", ["inputs unchanged"])
            return done.outputs
        state: State = "unknown" if any(plan.may_be(one.inputs, inputs) for one in past) else "run"
        self._add(step, state, self.reasons.of_step(step, inputs), [one.step for one in waits])
        return None

    def _add(self, step: str, state: State, reasons: Sequence[str], after: Sequence[str] = ()) -> None:
        self.steps.append(Expected(step, state, tuple(reasons), tuple(dict.fromkeys(after))))

    @property
    def _state(self) -> State:
        """Of the step that was added last."""
        return self.steps[-1].state
