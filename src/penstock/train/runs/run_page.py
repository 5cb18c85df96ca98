"""The page of one run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from penstock.digest import short
from penstock.ledger import Run
from penstock.report import Document, Heading, Plot, Table, Text
from penstock.train.runs.details import RunDetails
from penstock.train.runs.pictures import curve_picture
from penstock.train.runs.table import duration, plain

Block = Heading | Text | Table | Plot
_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 20  # characters of a course


def run_page(found: RunDetails) -> Document:
    """Everything about a run; curves are plots."""
    return Document(f"Run {found.run.number}: {found.run.status}", tuple(_blocks(found)))


def _blocks(found: RunDetails) -> Iterator[Block]:
    run = found.run
    yield Table(("", ""), [(name, value) for name, value in _facts(run) if value not in (None, "")])
    yield from _table("Data", ("dataset", "commit"), run.data.items())
    yield from _table("Features", ("view", "code and settings"), run.features.items())
    yield from _table("Parameters", ("name", "value"), ((each.name, plain(each)) for each in found.params))
    yield from _table("Tags", ("name", "value"), ((each.name, each.value) for each in found.tags))
    yield from _metrics(found)
    judged = ((each.at.strftime("%Y-%m-%d %H:%M"), each.verdict, each.data) for each in found.evaluations)
    yield from _table("Judged", ("at (UTC)", "verdict", "holdout"), judged)
    kept = ((each.name, each.digest, each.bytes) for each in found.artifacts)
    yield from _table("Artifacts", ("name", "blob", "bytes"), kept)
    if found.curves:
        yield Heading("Curves")
        yield from (Plot(curve_picture(each.metric, [each]), f"{each.metric} by step") for each in found.curves)


def _facts(run: Run) -> Iterator[tuple[str, Any]]:
    yield "id", run.id
    yield "name", run.name
    yield "experiment", run.experiment
    yield "function", run.function
    yield "code", _code(run)
    yield "seed", str(run.seed)
    yield "started", f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "seconds", duration(run)
    yield "bundle", run.bundle and short(run.bundle)
    yield "content", run.content_hash and short(run.content_hash)
    yield "probe", run.probe_hash and short(run.probe_hash)
    yield "environment", short(run.environment)
    yield "machine", _machine(run.host)
    yield "trained on", run.host.get("node")  # of a cluster; the machine is the one that asked for it
    yield "error", run.error


def _code(run: Run) -> str:
    if not run.git_commit:
        return f"{short(run.code)}, not in Git" if run.code else ""
    return f"{short(run.code)}, commit {run.git_commit}{' with an uncommitted patch' if run.patch else ''}".lstrip(", ")


def _machine(host: Mapping[str, Any]) -> str:
    """Of where it ran, what a person asks for."""
    told = [host.get("name"), f"{host['cpus']} CPUs" if host.get("cpus") else None]
    memory = f"{host['memory'] / 2**30:.1f} GiB" if host.get("memory") else None
    return ", ".join(each for each in (*told, memory, host.get("kernel"), _image(host)) if each)


def _image(host: Mapping[str, Any]) -> str:
    """Where it ran in one: the image, by name and id."""
    image = host.get("image")
    return f"in image {image['name']} ({short(image['id'])})" if image else ""


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[Block]:
    shown = [[_short(value) for value in row] for row in rows]
    if shown:
        yield Heading(title)
        yield Table(columns, shown)


def _short(value: Any) -> Any:
    return short(value) if isinstance(value, str) and len(value) == 64 else value


def _metrics(found: RunDetails) -> Iterator[Block]:
    """The newest value of each; of those that came several times, between what they were and how they went."""
    once = ((each.name, each.value) for each in found.metrics if each.n == 1)
    yield from _table("Metrics", ("name", "value"), once)
    courses = {each.metric: _course(each.values) for each in found.curves}
    several = (
        (each.name, each.value, each.step, each.low, each.high, each.n, courses[each.name])
        for each in found.metrics
        if each.n > 1
    )
    yield from _table("By step", ("name", "newest", "at step", "lowest", "highest", "values", "course"), several)


def _course(values: Sequence[float]) -> str:
    """▁▃▅▇: how values went from first to last, in at most twenty signs."""
    there = [value for value in values if isfinite(value)]
    if not there:
        return ""
    low, high, signs = min(there), max(there), min(_WIDE, len(there))
    picked = [there[index * len(there) // signs] for index in range(signs - 1)] + there[-1:]
    steps = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * steps)] for value in picked)
