"""Why a step would run, in the words of the project file: which input differs, from what to what.

Inputs are compared with those of the execution that was the most alike. A digest says nothing to a person, so what it
stands for is told: rows of data, lines of code, the bound of a gate, the version of a library.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from penstock.data.sources.inputs import is_function
from penstock.digest import short
from penstock.engine import ABSENT, Change, changes, closest, recent
from penstock.ledger import Evaluation, Execution, Ledger, ModelVersion, Run, Version
from penstock.pipeline.code_changes import code_changes, file_changes
from penstock.pipeline.plan import Pending
from penstock.project import ProjectFile
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.data import Preview

MOST = 8  # reasons of one step; the rest is counted
_SETTINGS = ("metric", "rule", "limit", "by", "slices", "min_n", "alpha", "severity")  # of a gate


class Reasons:
    """Texts about changes, with what is looked up for them."""

    def __init__(self, project: ProjectFile, ledger: Ledger, store: Store) -> None:
        self.project = project
        self.ledger = ledger
        self.store = store

    def of_ingest(self, dataset: str, found: "Preview") -> tuple[str, ...]:
        """What is new in a source, or what the ingest itself would say."""
        told = [text for change in found.changed for text in self._in_source(dataset, change)]
        return _few(told) or (found.why,)

    def of_step(self, step: str, inputs: Mapping[str, Any]) -> tuple[str, ...]:
        """What differs from the execution that was the most alike, without what is pending."""
        with self.ledger.read() as reader:
            before = closest(recent(reader, step), inputs)
        if before is None:
            return ("first run",)
        found = [one for one in changes(before.inputs, inputs) if not isinstance(one.after, Pending)]
        return _few([text for change in found for text in self._in_step(change, before, inputs)])

    def _in_source(self, dataset: str, change: Change) -> Iterator[str]:
        spec = self.project.config.data.datasets[dataset]
        match change.path:
            case ("files", name) if is_function(name) and ABSENT not in (change.before, change.after):
                yield from code_changes(self.project.root, self.store, name, change.before["digest"])
            case ("files", name):
                yield _file(name, change)
            case ("contract",) if spec.contract:
                yield from file_changes(self.project.root, self.store, spec.contract, change.before)
            case ("reader",):
                yield "this Penstock reads the same source into other rows"
            case _:
                yield _plain(change)

    def _in_step(self, change: Change, before: Execution, inputs: Mapping[str, Any]) -> Iterator[str]:
        sides = change.before, change.after
        match (before.step.partition(" ")[0], *change.path):
            case (_, "code"):
                yield from code_changes(self.project.root, self.store, inputs["function"], change.before)
            case ("training", "features", view):
                yield f"feature view {view} is {'new' if change.before == ABSENT else 'gone'}"
            case ("training", "features", view, "code"):
                reference = inputs["features"][view]["function"]
                yield from code_changes(self.project.root, self.store, reference, change.before)
            case ("training", "features", view, "data"):
                yield _arrow(inputs["features"][view]["from"], map(self._version, sides))
            case ("training", "features", view, *rest):
                yield f"feature view {view}: {_plain(change._replace(path=tuple(rest)))}"
            case (_, "examples" | "commit" | "against" as role):
                yield _arrow(role, map(self._version, sides))
            case (_, "data", dataset):
                yield _arrow(dataset, map(self._version, sides))
            case ("train", "environment", _) if {"image"} & {*before.inputs["environment"], *inputs["environment"]}:
                yield _arrow("trained in", (_place(side["environment"]) for side in (before.inputs, inputs)))
            case ("train", "environment", *library):
                yield _plain(change._replace(path=tuple(library)))
            case ("train", "training_set"):
                yield _arrow("rows to learn from", map(self._rows, sides))
            case ("evaluate", "bundle"):
                yield _arrow("model", map(self._trained, sides))
            case ("evaluate", "champion"):
                yield _arrow("champion", map(self._named, sides))
            case ("evaluate", "holdout"):
                yield "the rows to judge by are others"
            case ("evaluate", "fresh"):
                yield f"the training rows are {'fresh again' if change.after else 'no longer fresh'}"
            case ("evaluate", "objective"):
                yield from self._objective(before)
            case ("evaluate", "gates"):
                yield from self._gates(before)
            case _:
                yield _plain(change)

    def _version(self, commit: Any) -> str:
        """`3f2a… (600 rows)`"""
        if commit in (None, ABSENT):
            return "none"
        with self.ledger.read() as reader:
            found = reader.find(Version, commit=commit, limit=1)
        return f"{short(commit)} ({found[0].rows:,} rows)" if found else short(commit)

    def _rows(self, training_set: str) -> str:
        with self.ledger.read() as reader:
            made = reader.get(Execution, key=training_set)
        return f"{made.outputs['train_rows']:,} in {short(training_set)}" if made else short(training_set)

    def _trained(self, bundle: str) -> str:
        with self.ledger.read() as reader:
            found = reader.find(Run, bundle=bundle, limit=1)
        return f"of run {found[0].number}" if found else short(bundle)

    def _named(self, bundle: str | None) -> str:
        if bundle is None:
            return "none"
        with self.ledger.read() as reader:
            found = reader.find(ModelVersion, model=self.project.config.name, bundle=bundle, limit=1)
        return found[0].name if found else short(bundle)

    def _objective(self, before: Execution) -> Iterator[str]:
        assert self.project.config.objective is not None
        then = {name: value for name, value in self._record(before)["objective"].items() if name != "digest"}
        now = self.project.config.objective.model_dump(mode="json")
        yield from map(_plain, changes({"objective": then}, {"objective": now}))

    def _gates(self, before: Execution) -> Iterator[str]:
        """Gates of the section `validate`; those of the objective are told with it."""
        from penstock.validate import gates_of

        now = [asdict(gate) for gate in gates_of(self.project.config)]
        then = self._record(before)["gates"]
        found = list(changes(_declared(then), _declared(now)))
        if not found and [gate["name"] for gate in then] == [gate["name"] for gate in now]:
            yield "the code of a metric of yours, or a known case, is another one"
        yield from map(_gate, found)

    def _record(self, before: Execution) -> Mapping[str, Any]:
        """What an evaluation was recorded as."""
        with self.ledger.read() as reader:
            (found,) = reader.find(Evaluation, id=before.outputs["evaluation"])
        record: Mapping[str, Any] = self.store.read_json(found.record)
        return record


def _declared(gates: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Gates of the section `validate` by name, with the settings that a judgement depends on."""
    own = [gate for gate in gates if gate["origin"].startswith("validate.")]
    return {gate["name"]: {name: _listed(gate[name]) for name in _SETTINGS} for gate in own}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _gate(change: Change) -> str:
    if len(change.path) == 1:
        return f"gate {change.path[0]!r} is {'new' if change.before == ABSENT else 'gone'}"
    return f"gate {change.path[0]!r}: {_plain(change._replace(path=change.path[1:]))}"


def _file(name: str, change: Change) -> str:
    if change.before == ABSENT:
        return f"{name} is new ({change.after['size']:,} bytes)"
    if change.after == ABSENT:
        return f"{name} is gone"
    then, now = change.before, change.after
    if then["size"] != now["size"]:
        return f"{name} {then['size']:,} → {now['size']:,} bytes"
    return f"{name} {short(then['digest'])} → {short(now['digest']) or 'not read yet'}, of the same size"


def _place(environment: Mapping[str, str]) -> str:
    image = environment.get("image")
    return f"image {short(image)}" if image else "the environment at hand"


def _plain(change: Change) -> str:
    """A change, of lists with what came and went."""
    name, then, now = ".".join(change.path), change.before, change.after
    if isinstance(then, list) and isinstance(now, list):
        came, went = (", ".join(str(one) for one in a if one not in b) for a, b in ((now, then), (then, now)))
        words = [f"with {came}"] * bool(came) + [f"without {went}"] * bool(went)
        return f"{name} {' and '.join(words) or 'in another order'}"
    return str(change)


def _arrow(name: str, sides: Iterable[str]) -> str:
    return f"{name} {' → '.join(sides)}"


def _few(told: Sequence[str]) -> tuple[str, ...]:
    """Each once, and of many the first."""
    texts = list(dict.fromkeys(told))
    more = len(texts) - MOST
    return (*texts[:MOST], f"and {more:,} more") if more > 0 else tuple(texts)
