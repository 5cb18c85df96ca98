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

File = Mapping[str, Any]  # name, size, mtime_ns, digest, and once ingested: good, bad (digests of its parts)


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
    """What to do. Of `files`, all files of the new version in order, those in `read` have no parts yet."""

    read: tuple[Input, ...]
    files: tuple[File, ...]
    why: str
    nothing: bool = False  # the version that is there is the one wanted
    moved: bool = False  # ... but a file has another time or name than is remembered


def make_plan(
    spec: "Dataset", settings: Mapping[str, Any], inputs: Sequence[Input], known: Known, *, refresh: bool
) -> Plan:
    """Decide what to read. UsageError when a file of an append-only dataset was changed."""
    if spec.mode == "append" and known.version and not known.current and not refresh:
        raise Conflict(
            "the dataset was moved by something else than its ingest, so nobody knows which files its rows came from",
            hint="ingest it again with --refresh: all files that are there now make the new version",
        )
    old = known.files if known.current else {}
    files = (
        _appended(inputs, old, refresh)
        if spec.mode == "append"
        else tuple(_entry(one, old.get(one.name)) for one in inputs)
    )
    everything = _all_again(spec, settings, known, refresh) or (
        not spec.contract and spec.mode == "snapshot" and _differs(files, old)
    )
    if everything:
        present = {one.name for one in inputs}
        files = tuple(_bare(file) if file["name"] in present else file for file in files)
    unread = {file["name"] for file in files if "good" not in file}
    read = tuple(one for one in inputs if one.name in unread)
    nothing = bool(known.current and not read and len(files) == len(old))
    moved = [dict(file) for file in files] != [dict(file) for file in old.values()]
    return Plan(read, files, _why(settings, files, known, refresh), nothing, nothing and moved)


def _appended(inputs: Sequence[Input], old: Mapping[str, File], refresh: bool) -> tuple[File, ...]:
    """Files seen before, whether they are still there or not, then those not seen before."""
    now = {one.name: one for one in inputs}
    changed = [one.name for one in inputs if one.name in old and old[one.name]["digest"] != one.digest]
    if changed and not refresh:
        raise UsageError(
            f"{changed[0]} was changed after it was ingested, but its dataset only ever appends",
            expected="new rows in new files",
            hint="put the file back, or ingest with --refresh to take all files as they are now",
        )
    renamed = _renamed(inputs, old)
    kept = [_entry(now[name], file) if (name := renamed.get(was, was)) in now else file for was, file in old.items()]
    new = [_entry(one, None) for one in inputs if one.name not in old and one.name not in renamed.values()]
    return (*kept, *new)


def _renamed(inputs: Sequence[Input], old: Mapping[str, File]) -> dict[str, str]:
    """Files that are gone while a new one has the same bytes: old name to new name."""
    present = {one.name for one in inputs}
    gone = {file["digest"]: name for name, file in old.items() if name not in present}
    return {gone[one.digest]: one.name for one in reversed(inputs) if one.name not in old and one.digest in gone}


def _entry(one: Input, old: File | None) -> File:
    now = {"name": one.name, "size": one.size, "mtime_ns": one.mtime_ns, "digest": one.digest}
    same = old is not None and old["digest"] == one.digest
    return {**now, "good": old["good"], "bad": old["bad"]} if old and same else now


def _bare(file: File) -> File:
    return {key: value for key, value in file.items() if key not in ("good", "bad")}


def _differs(files: Sequence[File], old: Mapping[str, File]) -> bool:
    return len(files) != len(old) or any("good" not in file for file in files)


def _all_again(spec: "Dataset", settings: Mapping[str, Any], known: Known, refresh: bool) -> bool:
    return refresh or not known.current or bool(list(_changes(settings, known.settings)))


def _changes(settings: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    return (name for name in settings if settings[name] != before.get(name))


def _why(settings: Mapping[str, Any], files: Sequence[File], known: Known, refresh: bool) -> str:
    if known.version is None:
        return "first ingest"
    if refresh:
        return "asked for again"
    if not known.current:
        return "moved by something else than its ingest"
    if changed := list(_changes(settings, known.settings)):
        return f"{', '.join(changed)} changed"
    if is_function(settings["source"]):
        return f"code of {settings['source']} changed" if "good" not in files[0] else "source unchanged"
    new = sum(file["name"] not in known.files and "good" not in file for file in files)
    other = sum(file["name"] in known.files and "good" not in file for file in files)
    gone = len(known.files) - len(files) + new
    said = [f"{count} {word}" for count, word in ((new, "new"), (other, "changed"), (gone, "gone")) if count]
    return f"files: {', '.join(said)}" if said else "source unchanged"
