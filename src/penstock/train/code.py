"""The code of a run: the user's sources as a blob, and where Git stood.

What a run records is what it runs: the training process imports from a fresh directory that holds
exactly the recorded files. Git is extra: a commit and a patch explain where the sources came from.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from penstock.errors import Damaged

if TYPE_CHECKING:
    from penstock.store import Store


@dataclass(frozen=True)
class Code:
    """The user's code at one moment."""

    digest: str  # blob of {path: blob digest}
    commit: str | None  # of the repository the project is in
    patch: str | None  # blob: uncommitted changes of tracked files under the project


def snapshot(root: Path, references: Sequence[str], store: "Store") -> Code:
    """Keep the sources that `references` (`module:function`) need, and say where Git stands."""
    from penstock.project import project_sources

    commit, patch = git_state(root)
    return Code(
        digest=keep(project_sources(root, references), store),
        commit=commit,
        patch=store.put_bytes(patch) if patch else None,
    )


def keep(sources: Mapping[str, Path], store: "Store") -> str:
    """Store the files and a list of them; the list's digest depends on names and bytes alone."""
    return store.put_json({path: store.put_file(file) for path, file in sorted(sources.items())})


def unpack(store: "Store", digest: str, directory: Path) -> Path:
    """Write the files of a kept snapshot into `directory`. Damaged when one is missing or altered."""
    for path, blob in store.read_json(digest).items():
        target = (directory / path).resolve()
        if not target.is_relative_to(directory.resolve()):
            raise Damaged("the list of sources names a file outside the project", where=path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(store.read_bytes(blob))
    return directory


def git_state(root: Path) -> tuple[str | None, bytes | None]:
    """The commit that `root` is at and the uncommitted changes under it; (None, None) without Git."""
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None, None
    plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--binary")
    return commit.decode().strip(), _git(root, "diff", *plain, "HEAD", "--", ".")


def commit_of(root: Path, digest: str, store: "Store") -> str | None:
    """The commit that `root` is at, when it holds exactly the kept sources `digest`: they were committed later."""
    commit, _ = git_state(root)
    if commit is None:
        return None
    sources = store.read_json(digest)
    same = (_git(root, "show", f"{commit}:./{path}") == store.read_bytes(blob) for path, blob in sources.items())
    return commit if all(same) else None


def _git(root: Path, *arguments: str) -> bytes | None:
    # A hook's GIT_DIR would point to another repository; fsmonitor is a program that the repository names.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    program = which("git")
    if program is None:
        return None
    command = [program, "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(root), *arguments]
    # No pipe, and spawned, which needs none either (close_fds): a process that another thread forks meanwhile would
    # hold its other end, and this would wait for that process.
    with TemporaryFile() as output:
        try:
            code = subprocess.call(command, env=environment, stdout=output, stderr=subprocess.DEVNULL, close_fds=False)
        except OSError:
            return None
        output.seek(0)
        return output.read() if code == 0 else None
