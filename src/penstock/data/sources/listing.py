"""What a source gives now, and whether it changed. Nothing here reads a row.

A source is a path or a glob relative to the project, a URL with a glob in an object store, a function of the
project, a query, or several of these. A file is recognised by its size and modification time; when only the time
moved, by its digest. An object is recognised by its size and ETag, a file under DVC by its MD5, a query by the answer
to another one. A function is recognised by the digest of its code: it is called again when its code changes, or when
the caller asks for it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from glob import escape, glob
from os import stat_result
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.data.sources.inputs import FORMATS, Input, each, extension, is_directory, is_function
from penstock.digest import digest_file, digest_value
from penstock.errors import ContractBroken, UsageError, did_you_mean
from penstock.store.objects import is_url

if TYPE_CHECKING:
    from penstock.project import FileSource, Source, SqlSource


def inputs_of(
    root: Path, source: "Source", known: Mapping[str, Mapping[str, Any]] | None = None, *, may_be_none: bool = False
) -> tuple[Input, ...]:
    """The inputs that a source has now, with their digests: one entry of it after the other, each by name.

    `known` holds what an earlier call found, by name; a file of the same size and time keeps that digest
    and is not read. UsageError when there is no file, unless there `may_be_none`, one that we cannot read,
    or one that two entries give.
    """
    found = listed(root, source, may_be_none=may_be_none)
    return tuple(_digested(one, (known or {}).get(one.name, {})) for one in found)


def listed(root: Path, source: "Source", *, may_be_none: bool = False) -> tuple[Input, ...]:
    """The same inputs, but files of a directory without their digests: none of them is read."""
    found = [one for entry in each(source) for one in _inputs(root, entry, may_be_none)]
    twice = [name for name, count in Counter(one.name for one in found).items() if count > 1]
    if twice:
        hint = "take it out of one of them: its rows would be read twice"
        raise UsageError(f"two entries of the source give {twice[0]}", where=str(root), hint=hint)
    return tuple(found)


def function_digest(root: Path, reference: str) -> str:
    """The digest of a function's code: its name and every file of the project that it imports. Runs none of it."""
    files = {name: digest_file(path) for name, path in function_files(root, reference).items()}
    return digest_value({"function": reference, "files": files})


def function_files(root: Path, reference: str) -> Mapping[str, Path]:
    """Every file of the project that a function's code is in, by name."""
    from penstock.project import project_sources

    return project_sources(root, [reference])


def _inputs(root: Path, source: "str | FileSource | SqlSource", may_be_none: bool) -> list[Input]:
    from penstock.project import SqlSource

    if isinstance(source, SqlSource):
        from penstock.data.sources.database import query_input

        return [query_input(root, source)]
    if isinstance(source, str) and is_function(source):
        return [Input(source, None, digest=function_digest(root, source))]
    if is_directory(source):
        what = f"{source!r} is a directory of files, which is a dataset by itself: a row per file"
        hint = f"name its files, such as {source}*.csv, to take their rows"
        raise UsageError(what, where=str(root), hint=hint)
    pattern, reading = (source, None) if isinstance(source, str) else (source.path, source)
    if is_url(pattern):
        found = _objects(pattern, may_be_none)
    elif pattern.endswith(".dvc"):
        found = [one for path, _ in _files(root, pattern, may_be_none) for one in _under_dvc(root, path)]
    else:
        found = [_listed(root, path, stat) for path, stat in _files(root, pattern, may_be_none)]
    _refuse_unknown_kinds(found)
    return [one._replace(reading=reading) for one in found]


def _refuse_unknown_kinds(inputs: Iterable[Input]) -> None:
    wrong = [one for one in inputs if extension(one.name) not in FORMATS]
    if wrong:
        raise UsageError(
            f"cannot tell what kind of file this is: {Path(wrong[0].name).name}",
            where=str(wrong[0].path or wrong[0].name),
            expected=f"a name that ends in {', '.join(FORMATS)}",
        )


# --- files ---------------------------------------------------------------------------------------


def _files(root: Path, source: str, may_be_none: bool) -> list[tuple[Path, stat_result]]:
    pattern = source if Path(source).is_absolute() else f"{escape(str(root))}/{source}"
    # a file whose name happens to hold glob characters is meant as it is
    exact = root / source
    found = [exact] if exact.is_file() else sorted({Path(match) for match in glob(pattern, recursive=True)})
    files = [(path, stat) for path in found if path.is_file() and (stat := _stat(path))]
    if not files and not may_be_none:
        raise UsageError(
            f"no file matches {source!r}",
            where=str(root),
            expected="a path or a glob such as data/*.csv",
            hint=_nearby(root, source, found),
        )
    return files


def _nearby(root: Path, source: str, found: Iterable[Path]) -> str | None:
    if any(path.is_dir() for path in found):
        return f"{source!r} is a directory: name its files, such as {source}/*.csv; {source}/ takes each file as a row"
    parent = (root / source).parent
    there = [path.name for path in parent.iterdir() if path.is_file()] if parent.is_dir() else []
    meant = did_you_mean(Path(source).name, there).strip()
    return f"look into {parent} {meant}".strip() if there else None


def _stat(path: Path) -> stat_result | None:
    """None where the file is gone since its directory was read."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _listed(root: Path, path: Path, stat: stat_result) -> Input:
    name = path.relative_to(root) if path.is_relative_to(root) else path
    return Input(name.as_posix(), path, stat.st_size, stat.st_mtime_ns)


def _digested(one: Input, known: Mapping[str, Any]) -> Input:
    if one.path is None:
        return one
    try:
        return one._replace(digest=str(known["digest"]) if one.same_stat(known) else digest_file(one.path))
    except FileNotFoundError:
        raise ContractBroken("the file went away while it was read", where=one.name, hint="ingest again") from None


def _under_dvc(root: Path, file: Path) -> Iterator[Input]:
    from penstock.data.sources.dvc import tracked

    for one in tracked(file):
        name = (file.parent / one.path).relative_to(root) if file.is_relative_to(root) else file.parent / one.path
        yield Input(name.as_posix(), None, digest=digest_value({"md5": one.md5}), tracked=one)


# --- objects -------------------------------------------------------------------------------------


def _objects(url: str, may_be_none: bool) -> list[Input]:
    from penstock.data.sources.objectfiles import list_objects

    found = list_objects(url)
    if not found and not may_be_none:
        raise UsageError(
            f"no object matches {url!r}",
            expected="a key or a glob such as s3://BUCKET/2024/*.parquet",
            hint=f"to take all that is under it: {url.rstrip('/')}/**/*.parquet" if "*" not in url else None,
        )
    return found
