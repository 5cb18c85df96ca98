"""The text of a new project's files, from what its data turned out to hold. Pure but for the templates."""

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.pipeline.columns import Columns, Repairs
from penstock.pipeline.targets import LEAST_ROWS, Goal
from penstock.project import FILE_NAME
from penstock.report import measured

if TYPE_CHECKING:
    import polars as pl

    from penstock.data import Draft

SMALL = 1_000  # rows below which the model is kept simple and more of them are held out
JUDGED = 30  # rows from which on the objective's own gates decide something
FEW_GROUPS = 12
MIN_ROWS = 100  # of a window, for an alert
WINDOWS = {"1d": ("day", 1), "1w": ("week", 7), "1mo": ("month", 30)}
WIDTH = 100
PARAMS = (
    "max_iter", "learning_rate", "max_leaf_nodes", "min_samples_leaf", "l2_regularization", "early_stopping",
)  # fmt: skip
TREES = {
    "binary": "HistGradientBoostingClassifier",
    "multiclass": "HistGradientBoostingClassifier",
    "regression": "HistGradientBoostingRegressor",
}

MARKS = {",": "decimal commas", ".": "groups of thousands"}

Remarked = tuple[str, str]  # a setting, and why it is so


@dataclass(frozen=True)
class Look:
    """What a file turned out to hold; `frame` has its repairs made."""

    frame: "pl.DataFrame"
    draft: "Draft"
    goal: Goal
    columns: Columns
    repairs: Repairs

    @property
    def labelled(self) -> int:
        """Rows that have a target."""
        return self.frame.height - self.frame[self.goal.column].null_count()

    @property
    def share(self) -> float:
        """Of the rows, how many are held out."""
        return 0.3 if self.labelled < SMALL else 0.2

    @property
    def judged(self) -> int:
        """Rows to judge by."""
        return round(self.labelled * self.share)


def files_of(look: Look, data: str, name: str, notes: Sequence[str]) -> dict[str, str]:
    """The text of each file of a project called `name` over the file `data`, by its path."""
    name = slug(name, "project")
    dataset = slug(re.sub(r"(\.[A-Za-z]+)+$", "", data), "rows")
    dataset = f"{dataset}-rows" if dataset == "request" else dataset
    facts = {
        **_settings(look),
        "name": name,
        "title": f"Predict {look.goal.column!r} of {data}.",
        "endpoint": name,
        "dataset": dataset,
        "examples": f"{dataset}-clean" if look.repairs else dataset,
        "source": f"data/{data}",
        "contract": f"contracts/{dataset}.yaml",
        "notes": notes,
    }
    return {
        FILE_NAME: rendered("penstock.yaml.j2", facts),
        "pipeline.py": rendered("pipeline.py.j2", facts),
        f"contracts/{dataset}.yaml": look.draft.text,
        "README.md": rendered("README.md.j2", facts),
        ".gitignore": rendered("gitignore", facts),
    }


def notes_of(look: Look) -> tuple[str, ...]:
    """What was noticed and decided, a sentence each."""
    return tuple(_notes(look))


def slug(text: str, otherwise: str) -> str:
    """A name that the project file takes: `Süße Daten (1)` is `Susse-Daten-1`."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-_")
    if not words:
        return otherwise
    return words if words[0].isalpha() else f"{otherwise}-{words}"


# --- what is decided -----------------------------------------------------------------------------


def _settings(look: Look) -> dict[str, Any]:
    columns, goal = look.columns, look.goal
    thresholds = _thresholds(goal)
    enough = look.judged >= JUDGED
    window, window_why = _window(look)
    lists = {"MIXED": look.repairs.mixed, "DECIMALS": look.repairs.decimals}
    lists |= {
        "UNKNOWN": look.repairs.unknown,
        "NUMBERS": columns.numbers,
        "TEXTS": columns.texts,
        "DATES": columns.dates,
        "MOMENTS": columns.moments,
    }
    return {
        "goal": goal,
        "columns": columns,
        "repairs": look.repairs,
        "unique_key": columns.key is not None and bool(look.frame[columns.key].is_unique().all()),
        "trees": TREES[goal.task],
        "lists": [(name, names) for name, names in lists.items() if names],
        "days": " + ".join(name for name in ("DATES", "MOMENTS") if lists[name]),
        "time_of_day": columns.time is not None and hasattr(look.frame.schema[columns.time], "time_unit"),
        "request": [one for one in (columns.key, columns.time, *columns.features) if one],
        "left_out": list(columns.left_out.items()),
        "problem": f"{goal.column} is known too late to act on it.",
        "decision": "Not written down yet.",
        "thresholds": thresholds if enough else [],
        "gates": list(_gates(look, [] if enough else thresholds)),
        "params": _params(look),
        "holdout": f"{'last' if columns.time else 'random'} {look.share:.0%}",
        "slices": list(_slices(look)),
        "alert": _alert(goal),
        "window": window,
        "window_why": window_why,
        "alert_metric": "rmse" if goal.task == "regression" else thresholds[0][0],
    }


def _thresholds(goal: Goal) -> list[tuple[str, str, str]]:
    """What any model must reach that has learnt something."""
    if goal.task == "binary":
        return [("roc_auc", "{min: 0.6}", "0.5 is guessing, 1 is always right")]
    if goal.task == "regression":
        return [("r2", "{min: 0}", "0 is always answering the mean, 1 is always right")]
    common = math.floor(goal.common * 100) / 100
    return [("accuracy", f"{{min: {common:g}}}", "always answering the most common class is right that often")]


def _gates(look: Look, bounds: Sequence[tuple[str, str, str]]) -> Iterator[Remarked]:
    rows = f"min_n: {min(100, max(5, look.judged // 2))}"
    number = look.goal.task == "regression"
    metric, naive = ("rmse", "the mean") if number else ("log_loss", "each class's share")
    margin = _rounded(look.goal.spread * 0.02, 2) if number else "0.02"
    for name, bound, why in bounds:
        yield f"{{metric: {name}, {bound[1:-1]}, {rows}}}", why
    yield (
        f"{{metric: {metric}, against: baseline, rule: superior, {rows}}}",
        f"surely better than always answering {naive}",
    )
    yield f"{{metric: {metric}, against: champion, rule: non_inferior, margin: {margin}, {rows}}}", "no step back"


def _params(look: Look) -> str:
    """Few simple trees for few rows; for more rows as many as still help on rows that are held back."""
    if look.labelled < SMALL:
        leaf = max(2, min(20, look.labelled // 20))
        values = ("60", "0.05", "15", str(leaf), "1.0", "false")
    else:
        # every class gets its own trees
        values = ("300" if look.goal.classes <= 5 else "100", "0.1", "31", "20", "0.0", "true")
    return "{" + ", ".join(f"{name}: {value}" for name, value in zip(PARAMS, values, strict=True)) + "}"


def _slices(look: Look) -> Iterator[str]:
    """At most two text columns with few groups."""
    groups = ((name, look.frame[name].n_unique()) for name in look.columns.texts)
    yield from [name for name, count in groups if 2 <= count <= FEW_GROUPS][:2]


def _alert(goal: Goal) -> str:
    if goal.task == "regression":
        bound = _rounded(goal.spread, 4)
        return f"{{metric: rmse, above: {bound}, severity: page}}   # worse than always answering the mean"
    metric, bound, _ = _thresholds(goal)[0]
    return f"{{metric: {metric}, below: {bound[6:-1]}, severity: page}}"


def _window(look: Look) -> Remarked:
    """The shortest window that has rows enough for an alert, at the pace of the file."""
    times = look.frame[look.columns.time].drop_nulls() if look.columns.time else None
    span = (times.max() - times.min()) / timedelta(days=1) if times is not None and len(times) > 1 else 0  # type: ignore[operator]
    if not span:
        return "1d", "a day with fewer than 100 answers (`min_n`) opens no alert"
    pace = look.frame.height / span
    name, (unit, days) = next(
        ((name, (unit, days)) for name, (unit, days) in WINDOWS.items() if pace * days >= MIN_ROWS),
        ("1mo", WINDOWS["1mo"]),
    )
    count = f"about {measured(round(pace * days))} rows" if pace * days >= 1 else "less than one row"
    rows = f"the file has {count} a {unit}"
    return name, f"{rows}; a {unit} with fewer than 100 answers (`min_n`) opens no alert"


def _rounded(value: float, digits: int) -> str:
    """In so many significant digits, as people write numbers: 4500, not 4.5e+03."""
    return f"{float(f'{value:.{digits}g}'):.15g}"


# --- what is said --------------------------------------------------------------------------------


def _notes(look: Look) -> Iterator[str]:
    goal, columns, frame = look.goal, look.columns, look.frame
    yield f"{goal.column!r} is predicted as {_KINDS[goal.task]}, because {goal.why}."
    if look.labelled < frame.height:
        yield f"{_rows(frame.height - look.labelled)} without {goal.column!r}: nothing is learnt from them."
    if goal.rare:
        yield f"Fewer than {LEAST_ROWS} rows have {goal.column!r} = {_listed(goal.rare)}: too few to learn or to judge."
    if columns.key:
        yield f"{columns.key!r} names an example: feedback is joined by it, and the model does not see it."
    if columns.left_out:
        yield f"Left out: {'; '.join(f'{name!r} {reason}' for name, reason in list(columns.left_out.items())[:8])}."
    if len(columns.left_out) > 8:
        yield f"{len(columns.left_out) - 8} more columns are left out; penstock.yaml lists them with the reason."
    for name, column in look.draft.contract.columns.items():
        if column.decimal:
            yield f"{name!r} has {MARKS[column.decimal]}: its contract says how they are read."
    for name in look.repairs.mixed:
        yield f"{name!r} holds texts between its numbers: they count as missing."
    copies = frame.height - frame.n_unique()
    if copies:
        yield f"{_rows(copies)} repeated exactly; a copy is never judged by its twin."
    yield from _giveaways(look)


_KINDS = {"binary": "yes or no", "multiclass": "one of several classes", "regression": "a number"}


def _giveaways(look: Look) -> Iterator[str]:
    """Columns that tell the target by themselves: most often they are made from it, or known only later."""
    if look.goal.task == "regression":
        return
    for name in (*look.columns.texts, *look.columns.numbers):
        known = look.frame.select(name, look.goal.column).drop_nulls()
        groups = known[name].n_unique()
        if 1 < groups <= known.height / 5 and known.n_unique() == groups:
            yield f"{name!r} tells {look.goal.column!r} by itself: is it really known when a prediction is asked for?"


def _rows(count: int) -> str:
    return f"{count} row" + ("s" if count != 1 else "")


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")


# --- how it is written ---------------------------------------------------------------------------


def rendered(template: str, facts: Mapping[str, Any]) -> str:
    """A template filled in."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters |= {
        "yaml": yaml_text,
        "yaml_list": yaml_list,
        "python_text": python_text,
        "python_list": python_list,
        "remark": remark,
    }
    return environment.get_template(template).render(facts)


def yaml_text(value: bool | int | str) -> str:
    """A value as YAML in one line, never a variable, number or structure that it is not."""
    if not isinstance(value, str):
        return json.dumps(value)
    if re.fullmatch(r"[A-Za-z_][\w ./-]*[\w.]", value, re.ASCII) and value.lower() not in ("true", "false", "null"):
        return value
    quoted = json.dumps(value, ensure_ascii=False).replace("${", "$${")
    return "".join(one if one.isprintable() else _escape(ord(one)) for one in quoted)


def yaml_list(values: Sequence[str]) -> str:
    """Texts as a YAML list, on several lines when they do not fit on one."""
    return "[" + ",\n    ".join(_wrapped([yaml_text(value) for value in values])) + "]"


def python_list(values: Sequence[str]) -> str:
    """Texts as a Python list, on several lines when they do not fit on one."""
    lines = _wrapped([python_text(value) for value in values])
    return f"[{lines[0]}]" if len(lines) == 1 else "[\n    " + ",\n    ".join(lines) + ",\n]"


def remark(text: str) -> str:
    """A text that fits behind a `#`."""
    line = "".join(one if one.isprintable() else " " for one in str(text))
    return line if len(line) <= 200 else line[:197] + "..."


def _wrapped(items: Sequence[str]) -> list[str]:
    lines: list[list[str]] = [[]]
    for item in items:
        if lines[-1] and len(", ".join([*lines[-1], item])) > WIDTH:
            lines.append([])
        lines[-1].append(item)
    return [", ".join(line) for line in lines]


def python_text(text: str) -> str:
    """A text as Python, in double quotes where it can be."""
    return f'"{text}"' if text.isprintable() and not set(text) & {'"', "\\"} else repr(text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
