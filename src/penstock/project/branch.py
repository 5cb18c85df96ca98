"""Which branch of the data a project works on: the one of its Git checkout, unless the project file names one."""

from pathlib import Path

from penstock.errors import UsageError

FOLLOW = "git"  # the setting that means: as Git says
MAIN = "main"
DEFAULTS = ("main", "master")  # what Git calls the branch that data call `main`
_HEADS = "ref: refs/heads/"


def branch_of(root: Path, setting: str) -> str:
    """The branch that `setting` names; for `git` the one that is checked out at `root`.

    `main` without Git, on a detached HEAD, and on Git's own default branch.
    """
    if setting != FOLLOW:
        return setting
    directory = _git_directory(root.resolve())
    head = _text(directory / "HEAD") if directory else ""
    if not head.startswith(_HEADS):
        return MAIN
    name = head.removeprefix(_HEADS)
    if name == ".invalid":  # what Git writes there when it keeps its refs in a reftable
        what = "this Git repository keeps its refs in a reftable, so its branch cannot be read"
        raise UsageError(what, where=str(directory), hint="name the branch in penstock.yaml: data.branch")
    return MAIN if name in DEFAULTS else name


def _git_directory(start: Path) -> Path | None:
    """Where Git keeps what belongs to the checkout around `start`. In a worktree `.git` is a file that says where."""
    for directory in (start, *start.parents):
        found = directory / ".git"
        if found.is_dir():
            return found
        if found.is_file():
            return directory / _text(found).removeprefix("gitdir:").strip()
    return None


def _text(path: Path) -> str:
    """What a file says; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
