"""A file becomes a project: `penstock init`.

    file ─> contract draft, goal, columns ─> penstock.yaml, contracts/, pipeline.py, README.md, data/

Everything is written into a directory beside the one that was asked for, loaded as a project, and only
then given its name: on any error nothing is left behind.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import UsageError, did_you_mean
from penstock.pipeline.columns import find_repairs, sort_columns
from penstock.pipeline.draft import Look, files_of, notes_of
from penstock.pipeline.targets import LEAST_ROWS, read_goal
from penstock.project import load_project

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Scaffolded:
    """A new project.

    directory  as it was asked for
    files      paths in it
    task       binary, multiclass or regression
    notes      what was noticed and decided, for people
    """

    name: str
    directory: Path
    files: tuple[str, ...]
    task: str
    notes: tuple[str, ...]


def scaffold(
    directory: Path, data: Path, target: str, *, time: str | None = None, entity: str | None = None, name: str
) -> Scaffolded:
    """Make a project in `directory` that predicts column `target` of a CSV, Parquet, Arrow or NDJSON file.

    `time` is the column that says when a prediction would have been asked for, `entity` the one that names
    whom or what it is about. UsageError or ContractBroken, and nothing on disk, when it cannot end well.
    """
    asked, directory, data = directory, directory.resolve(), data.resolve()
    _check_places(directory, data)
    look = look_at(data, target, time=time, entity=entity)
    notes = notes_of(look)
    files = files_of(look, data.name, name, notes)
    draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        _write(draft, files, data)
        made = load_project(draft).config.name
        os.rename(draft, directory)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Scaffolded(made, asked, (*files, f"data/{data.name}"), look.goal.task, notes)


def look_at(data: Path, target: str, *, time: str | None, entity: str | None) -> Look:
    """Read the file once and decide what its columns are for."""
    from penstock.data import read_file

    frame, draft = read_file(data)
    if target not in frame.columns:
        raise UsageError(f"there is no column {target!r}{did_you_mean(target, frame.columns)}", where=data.name)
    if frame.height < LEAST_ROWS:
        rows = f"{frame.height} row" + ("s" if frame.height != 1 else "")
        raise UsageError(
            f"the file has {rows}", where=data.name, expected=f"at least {LEAST_ROWS}, to learn from and to judge by"
        )
    repairs = find_repairs(frame, target)
    repaired = repairs.apply(frame)
    goal = read_goal(repaired[target])
    columns = sort_columns(repaired, target=target, time=time, entity=entity)
    look = Look(repaired, draft, goal, columns, repairs)
    _check_parting(look, repaired.drop_nulls(target), data.name)
    return look


def _check_parting(look: Look, rows: "pl.DataFrame", name: str) -> None:
    """Some rows are held out together: a few different ones cannot stand on both sides of the line."""
    columns = look.columns
    if columns.time:
        _check_times(rows[columns.time].drop_nulls(), look.share, name)
        return
    different = rows.select(columns.key or columns.features).n_unique()
    if different >= LEAST_ROWS:
        return
    if columns.key:
        raise UsageError(
            f"{rows.height} rows have only {different} different values of {columns.key!r}",
            where=name,
            expected=f"at least {LEAST_ROWS}: rows of one {columns.key!r} are never parted into those to learn from "
            "and to judge by",
            hint="without --entity, or with a column that names more",
        )
    raise UsageError(
        f"of {rows.height} rows only {different} differ in what is known when a prediction is asked for",
        where=name,
        expected=f"at least {LEAST_ROWS}: equal rows are never parted into those to learn from and to judge by",
        hint="if equal rows are different events, add a column that names each of them, such as id",
    )


def _check_times(times: "pl.Series", share: float, name: str) -> None:
    """The newest rows are held out, and rows of one time together: older ones must be left."""
    oldest = int((times == times.min()).sum())
    if oldest > times.len() - round(times.len() * share):
        raise UsageError(
            f"{oldest} of {times.len()} rows have the oldest {times.name!r}",
            where=name,
            expected=f"fewer than {1 - share:.0%}: the newest {share:.0%} are kept to judge by, and rows of one time "
            "stay together",
            hint="without --time, or with a column whose times differ",
        )


def _check_places(directory: Path, data: Path) -> None:
    if data.is_dir():
        raise UsageError("this is a directory", where=str(data), expected="a CSV, Parquet, Arrow or NDJSON file")
    if not data.is_file():
        there = [path.name for path in data.parent.iterdir() if path.is_file()] if data.parent.is_dir() else []
        raise UsageError(f"there is no file {data.name!r}{did_you_mean(data.name, there)}", where=str(data.parent))
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise UsageError(
            f"{directory.name!r} exists and is not empty", where=str(directory), hint="choose another name"
        )
    if not directory.parent.is_dir():
        raise UsageError("there is no such directory", where=str(directory.parent), hint=f"mkdir -p {directory.parent}")


def _write(directory: Path, files: Mapping[str, str], data: Path) -> None:
    # mkdtemp made it readable by its owner alone; a project is as readable as any new directory
    probe = directory / "data"
    probe.mkdir()
    directory.chmod(probe.stat().st_mode)
    for path, text in files.items():
        (directory / path).parent.mkdir(exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")
    shutil.copyfile(data, directory / "data" / data.name)
