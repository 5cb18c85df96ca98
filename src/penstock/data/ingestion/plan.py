"""What an ingest has to read, from what the source has now and what the last ingest left. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.data.sources.inputs import Input, is_function
from penstock.errors import Conflict, UsageError
from penstock.ledger import Version
from penstock.store import Table

if TYPE_CHECKING:
    from penstock.project import Dataset

# name, size, mtime_ns, digest, and once ingested: good, bad (digests of its parts); where the dataset has a watermark
# also rows, how many it had when it was read, and back, its parts of bad rows some of which were readmitted; where it
# upserts also turn, its place in the order in which files were read, and before, the version that was there then
File = Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """What the last ingest left.

    files     by name, as that ingest found them
    settings  that it ran with
    current   whether `version` is the one that it made
    """

    version: Version | None = None
    aside: Version | None = None
    files: Mapping[str, File] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    current: bool = False

    def holds(self, good: Table, bad: Table) -> bool:
        """Whether these are the rows that are there."""
        if not (self.current and self.version and self.aside):
            return False
        return good.content == self.version.content and bad.content == self.aside.content


@dataclass(frozen=True)
class Plan:
    """What to do. `files` are all files of the new version in order, with their parts that stay."""

    read: tuple[Input, ...]
    files: tuple[File, ...]
    why: str
    everything: bool = False  # of the inputs that are there, nothing stays
    nothing: bool = False  # the version that is there is the one wanted
    moved: bool = False  # ... but a file has another time or name than is remembered


def make_plan(
    spec: "Dataset", settings: Mapping[str, Any], inputs: Sequence[Input], known: Known, *, refresh: bool
) -> Plan:
    """Decide what to read. UsageError when a file of a dataset that appends files was changed."""
    if spec.mode != "snapshot" and known.version and not known.current and not refresh:
        raise Conflict(
            "the dataset was moved by something else than its ingest, so nobody knows which files its rows came from",
            hint="ingest it again with --refresh: all files that are there now make the new version",
        )
    old = known.files if known.current else {}
    before = old if spec.mode == "snapshot" else _by_name_now(inputs, old)
    changed = {one.name for one in inputs if one.name not in before or before[one.name]["digest"] != one.digest}
    if spec.mode == "append" and not (spec.watermark or refresh):
        _refuse_changed([name for name in before if name in changed])
    everything = _all_again(settings, known, refresh) or (
        not spec.contract and spec.mode == "snapshot" and bool(changed or len(inputs) != len(old))
    )
    lost = {one.name for one in inputs} if everything else changed if spec.mode == "snapshot" else set()
    now = {one.name: _entry(one, None if one.name in lost else before.get(one.name)) for one in inputs}
    files = tuple(now.values()) if spec.mode == "snapshot" else tuple({**before, **now}.values())
    read = tuple(one for one in inputs if everything or one.name in changed or _may_have_more(spec, one))
    nothing = bool(known.current and not read and len(files) == len(old))
    moved = [dict(file) for file in files] != [dict(file) for file in old.values()]
    why = _why(settings, changed, before, len(old) - len(before.keys() & now.keys()), known, refresh)
    return Plan(read, files, why, everything, nothing, nothing and moved)


def _may_have_more(spec: "Dataset", one: Input) -> bool:
    """A function of a dataset that grows is asked every time."""
    return spec.mode != "snapshot" and one.is_function


def _refuse_changed(changed: Sequence[str]) -> None:
    if changed:
        raise UsageError(
            f"{changed[0]} was changed after it was ingested, but its dataset only ever appends",
            expected="new rows in new files, or a `watermark` column that tells which of its rows are new",
            hint="put the file back, or ingest with --refresh to take all files as they are now",
        )


def _by_name_now(inputs: Sequence[Input], old: Mapping[str, File]) -> dict[str, File]:
    """Files seen before, whether they are still there or not, each under the name that it has now."""
    renamed = _renamed(inputs, old)
    return {renamed.get(name, name): file for name, file in old.items()}


def _renamed(inputs: Sequence[Input], old: Mapping[str, File]) -> dict[str, str]:
    """Files that are gone while new ones have the same bytes: old name to new name, each of both once."""
    present = {one.name for one in inputs}
    gone: dict[str, list[str]] = {}
    for name, file in old.items():
        if name not in present:
            gone.setdefault(file["digest"], []).append(name)
    new = [one for one in inputs if one.name not in old]
    return {gone[one.digest].pop(0): one.name for one in new if gone.get(one.digest)}


def _entry(one: Input, old: File | None) -> File:
    now = {"name": one.name, "size": one.size, "mtime_ns": one.mtime_ns, "digest": one.digest}
    return {**(old or {}), **now}


def _all_again(settings: Mapping[str, Any], known: Known, refresh: bool) -> bool:
    return refresh or not known.current or bool(list(_changes(settings, known.settings)))


def _changes(settings: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    return (name for name in {**before, **settings} if settings.get(name) != before.get(name))


def _why(
    settings: Mapping[str, Any], changed: set[str], before: Mapping[str, File], gone: int, known: Known, refresh: bool
) -> str:
    if known.version is None:
        return "first ingest"
    if refresh:
        return "asked for again"
    if not known.current:
        return "moved by something else than its ingest"
    if different := list(_changes(settings, known.settings)):
        return f"{', '.join(different)} changed"
    source = settings["source"]
    if is_function(source):
        if changed:
            return f"code of {source} changed"
        return "source unchanged" if settings["mode"] == "snapshot" else f"asked {source}"
    if isinstance(source, dict) and "url" in source:
        return "asked the database" if changed else "source unchanged"
    new = len(changed - before.keys())
    gone = gone if settings["mode"] == "snapshot" else 0
    said = [(new, "new"), (len(changed) - new, "changed"), (gone, "gone")]
    counts = [f"{count} {word}" for count, word in said if count]
    return f"files: {', '.join(counts)}" if counts else "source unchanged"
