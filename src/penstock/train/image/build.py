"""Build the image of a run's environment, and record which environment it holds."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from penstock.errors import UsageError
from penstock.ledger import Artifact, Run, node
from penstock.train.containers.lock import BUILT
from penstock.train.containers.tool import BUILDERS, find_tool, image_id, run_tool
from penstock.train.image.context import source_date_epoch, write_context
from penstock.train.run import find_run

if TYPE_CHECKING:
    from penstock.ledger import Ledger, Reader
    from penstock.project import ProjectFile
    from penstock.store import Store

CONTAINERFILE = "Containerfile"  # the artifact of the run
_INDEX = re.compile(r"(UV|PIP)_(\w*INDEX\w*|TRUSTED_HOST|INSECURE_HOST)")


@dataclass(frozen=True)
class Image:
    """An image of a run's environment.

    directory  what it is built from, Containerfile and all
    digest     its id; None when only the Containerfile was asked for
    """

    run: Run
    directory: Path
    tag: str | None = None
    digest: str | None = None
    tool: str | None = None


def make_image(
    project: "ProjectFile",
    ledger: "Ledger",
    store: "Store",
    run: str | None = None,
    *,
    tag: str | None = None,
    base: str | None = None,
    tool: str | None = None,
    only_containerfile: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Image:
    """Build an image with the environment of a run, of the newest one if none is named.

    tag       churn:latest; the project's name otherwise
    base      an image with the run's Python; the official one of that version otherwise
    tool      podman, docker or buildah: what is there otherwise, in this order
    progress  called with each line of the build

    The index that is asked, its password and certificates are those of this environment (UV_DEFAULT_INDEX,
    PIP_INDEX_URL, SSL_CERT_FILE …); they reach the build as secrets. Raises UsageError when there is no such run or
    tool, PenstockError with the tool's last lines when the build fails.
    """
    with ledger.read() as reader:
        found = _run(reader, run)
        directory = write_context(reader, store, found, project.home / "images", base=base)
    if only_containerfile:
        return Image(found, directory)
    program = find_tool(_tools(tool), "build an image")
    tag = tag or f"{project.config.name}:latest"
    _build(program, directory, tag, progress)
    digest = image_id(program, tag)
    _record(ledger, store, found, directory, digest)
    return Image(found, directory, tag, digest, program.name)


def _run(reader: "Reader", name: str | None) -> Run:
    """The run that is named, or the newest that made a model."""
    if name is None:
        newest = reader.find(Run, status="finished", kind="training", order_by="-number", limit=1)
        if not newest:
            raise UsageError("nothing was trained yet, so there is no environment of a run", hint="penstock run")
        return newest[0]
    found = find_run(reader, name)
    if not found.environment:
        raise UsageError(
            f"run {found.number} is {found.status}, and recorded no environment", hint="penstock train runs"
        )
    return found


def _tools(asked: str | None) -> tuple[str, ...]:
    if asked is None:
        return BUILDERS
    if asked not in BUILDERS:
        raise UsageError.unknown("tool", asked, BUILDERS)
    return (asked,)


def _build(tool: Path, directory: Path, tag: str, progress: Callable[[str], None] | None) -> None:
    with _secrets() as secrets:
        run_tool(
            tool, "build", *_times(tool.name), *secrets, "--file", CONTAINERFILE, "--tag", tag, ".",
            directory=directory, what="the image was not built", hint=f"look into {directory}/{CONTAINERFILE}",
            progress=progress,
        )  # fmt: skip


def _times(tool: str) -> tuple[str, ...]:
    """The options that give files and history one time; Docker does it for the history alone."""
    epoch = str(source_date_epoch())
    if tool == "docker":
        return ("--progress", "plain", "--build-arg", f"SOURCE_DATE_EPOCH={epoch}")
    return ("--layers", "--timestamp", epoch)


@contextmanager
def _secrets() -> Iterator[list[str]]:
    """The options that give a build what it may know and must not keep."""
    with TemporaryDirectory(prefix="penstock-") as place:  # for its owner alone
        options = []
        if lines := [f"export {name}={quote(value)}\n" for name, value in index_variables(os.environ).items()]:
            (Path(place) / "index").write_text("".join(lines))
            options += ["--secret", f"id=index,src={place}/index"]
        if certificates := os.environ.get("SSL_CERT_FILE"):
            options += ["--secret", f"id=certificates,src={certificates}"]
        yield options


def index_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that say which index is asked; pip, which installs uv, asks the same one."""
    found = {name: value for name, value in sorted(variables.items()) if _INDEX.fullmatch(name) and value}
    index = found.get("UV_DEFAULT_INDEX", found.get("UV_INDEX_URL"))
    return {**({"PIP_INDEX_URL": index} if index else {}), **found}


def _record(ledger: "Ledger", store: "Store", run: Run, directory: Path, digest: str) -> None:
    text = (directory / CONTAINERFILE).read_bytes()
    blob = store.put_bytes(text)
    with ledger.write() as transaction:
        transaction.put(Artifact(run.id, CONTAINERFILE, blob, len(text)))
        transaction.link(node("environment", run.environment), node("image", digest), BUILT)
