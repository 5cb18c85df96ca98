"""Known cases: inputs whose answer is known, one file each, asked of every candidate for ever.

    name: fog at newark
    input: {flight_id: EWR-1545, origin: EWR, carrier: UA, scheduled: 2013-01-01T05:15:00}
    expect: {label: true}
    reason: Answered "on time" on 2013-02-08, when the airport was closed.
    severity: block

What may be expected:

    {label: setosa}                              what is decided
    {probability: {min: 0.2, max: 0.6}}          of the event
    {probability: {of: setosa, min: 0.8}}        of a class
    {min: 10, max: 40} or {value: 25, tolerance: 5}     of a number
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError, model_validator

from penstock.digest import digest_file
from penstock.errors import ConfigError, Problem, did_you_mean
from penstock.project import Document, Section, as_written, read_document, read_text
from penstock.report import agreed, measured

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle import Bundle

Label = bool | int | float | str


class Range(Section):
    """The least and the most a probability may be; `of` a class when there are more than two."""

    of: Label | None = None
    min: float = 0.0
    max: float = 1.0


class Expectation(Section):
    """What must be answered; all that is given must hold."""

    label: Label | None = None
    probability: Range | None = None
    value: float | None = None
    tolerance: float = 0.0
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _something_is_expected(self) -> "Expectation":
        if not self.model_fields_set - {"tolerance"}:
            raise ValueError("nothing is expected; give one of label, probability, value, min, max")
        return self


class Case(Section):
    """One known case."""

    name: str
    input: dict[str, Any]
    expect: Expectation
    reason: str = ""
    severity: Literal["block", "warn"] = "block"


@dataclass(frozen=True)
class CaseFile:
    """A case and the file it stands in."""

    case: Case
    document: Document


@dataclass(frozen=True)
class CaseResult:
    """What a model answered to a case. `found` says it in words."""

    name: str
    holds: bool
    found: str
    severity: Literal["block", "warn"] = "block"
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """One answer: what was decided, and the probability of each class."""

    label: Label
    probabilities: Mapping[Label, float]  # empty for a number
    event: Label | None = None  # binary: the class whose probability is meant


def case_files(directory: Path) -> tuple[Path, ...]:
    """The files of known cases, sorted by name."""
    return tuple(sorted(path for path in directory.glob("*.y*ml") if path.suffix in (".yaml", ".yml")))


def cases_digest(directory: Path) -> dict[str, str]:
    """The digest of each file: what the cases are, for whoever must know whether they changed."""
    return {path.name: digest_file(path) for path in case_files(directory)}


def load_cases(directory: Path, task: str) -> tuple[CaseFile, ...]:
    """Read every case. ConfigError with all problems of all files at their lines."""
    if not directory.is_dir():
        hint = f"mkdir {directory.name}, or take `validate.cases` out"
        raise ConfigError([Problem(str(directory), "there is no such directory of known cases")], hint=hint)
    files: list[CaseFile] = []
    problems: list[Problem] = []
    for path in case_files(directory):
        name = f"{directory.name}/{path.name}"
        document = read_document(read_text(path, name), name)
        found = list(document.problems) or _validated(document, files)
        problems += found or _unfit(files[-1], task)
    if problems:
        raise ConfigError(problems)
    return tuple(files)


def ask(files: Sequence[CaseFile], bundle: "Bundle", views: "Mapping[str, pl.DataFrame]") -> tuple[CaseResult, ...]:
    """Put every case to a model. ConfigError when an input is not a request of that model."""
    if not files:
        return ()
    requests, problems = bundle.signature.decode([file.case.input for file in files])
    if problems:
        raise ConfigError([_refused(files[problem.row], problem.field, str(problem.what)) for problem in problems])
    answers = _answers(bundle, bundle.predict(requests, views))
    return tuple(check(file.case, answer) for file, answer in zip(files, answers, strict=True))


def check(case: Case, answer: Answer) -> CaseResult:
    """Whether the answer is what the case expects."""
    broken = "; ".join(_broken(case.expect, answer))
    return CaseResult(case.name, not broken, broken or f"answered {answer.label}", case.severity, case.reason)


def _broken(expect: Expectation, answer: Answer) -> Iterator[str]:
    if expect.label is not None and not same_label(expect.label, answer.label):
        yield f"answered {answer.label}, expected {expect.label}"
    if expect.probability is not None:
        yield from _improbable(expect.probability, answer)
    number = float(answer.label) if not answer.probabilities else None
    if number is None:
        return
    if expect.value is not None and abs(number - expect.value) > expect.tolerance:
        yield f"answered {measured(number)}, expected {agreed(expect.value)} ± {agreed(expect.tolerance)}"
    if expect.min is not None and number < expect.min:
        yield f"answered {measured(number)}, expected at least {agreed(expect.min)}"
    if expect.max is not None and number > expect.max:
        yield f"answered {measured(number)}, expected at most {agreed(expect.max)}"


def _improbable(expected: Range, answer: Answer) -> Iterator[str]:
    asked = answer.event if expected.of is None else expected.of
    known = [p for label, p in answer.probabilities.items() if asked is not None and same_label(asked, label)]
    if not known:
        yield f"there is no class {asked!r}{did_you_mean(str(asked), map(str, answer.probabilities))}"
    elif not expected.min <= known[0] <= expected.max:
        yield f"probability of {asked} is {known[0]:.4g}, expected {expected.min:g} to {expected.max:g}"


def same_label(a: Label, b: Label) -> bool:
    """Whether two labels mean the same class: a YAML file may write 1 for "1"."""
    return a == b or str(a) == str(b)


def _answers(bundle: "Bundle", answered: Any) -> Iterable[Answer]:
    labels = [label.item() if hasattr(label, "item") else label for label in answered.labels]
    if bundle.task == "regression":
        return [Answer(label, {}) for label in labels]
    if bundle.task == "multiclass":
        return [
            Answer(label, dict(zip(bundle.classes, map(float, row), strict=True)))
            for label, row in zip(labels, answered.scores, strict=True)
        ]
    other, event = bundle.classes
    return [
        Answer(label, {other: 1 - float(score), event: float(score)}, event)
        for label, score in zip(labels, answered.scores, strict=True)
    ]


# --- what is wrong with a file -------------------------------------------------------------------


def _validated(document: Document, files: list[CaseFile]) -> list[Problem]:
    """Append the case to `files`, or say why it is none."""
    try:
        files.append(CaseFile(Case.model_validate(as_written(document.values)), document))
    except ValidationError as error:
        return [_problem(detail, document) for detail in error.errors(include_url=False)]
    return []


_SECTIONS: Mapping[str, type[Section]] = {"expect": Expectation, "probability": Range}


def _problem(detail: Any, document: Document) -> Problem:
    path = tuple(part for part in detail["loc"] if part not in ("bool", "int", "float", "str"))
    if detail["type"] == "extra_forbidden":
        parent = str(path[-2]) if len(path) > 1 else ""
        known = did_you_mean(str(path[-1]), _SECTIONS.get(parent, Case).model_fields)
        return Problem(document.where(path, key=True), f"unknown key {path[-1]!r}{known}")
    if detail["type"] == "missing":
        return Problem(document.where(path[:-1], key=True), f"`{'.'.join(map(str, path))}` is missing")
    return Problem(document.where(path), str(detail["msg"]).removeprefix("Value error, "))


def _unfit(file: CaseFile, task: str) -> list[Problem]:
    """What is expected, but the task does not answer."""
    expect = file.case.expect
    numbers = ("value", "min", "max")
    foreign = ("label", "probability") if task == "regression" else numbers
    answers = "a number" if task == "regression" else "a class"
    return [
        Problem(
            file.document.where(("expect", name), key=True), f"`{name}` has no meaning: the model answers {answers}"
        )
        for name in foreign
        if getattr(expect, name) is not None
    ]


def _refused(file: CaseFile, field: str, what: str) -> Problem:
    return Problem(file.document.where(("input", field), key=True), f"input.{field}: {what}")
