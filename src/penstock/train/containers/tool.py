"""The program that builds images or runs containers: found on the PATH, and quoted when it fails."""

import os
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which

from penstock.errors import PenstockError, UsageError

RUNNERS = ("podman", "docker")
BUILDERS = (*RUNNERS, "buildah")  # a runner first: it finds what it built itself, and podman what buildah built
_LAST_LINES = 12
_ID = {
    "buildah": ("inspect", "--type", "image", "--format", "{{.FromImageID}}"),
    "docker": ("image", "inspect", "--format", "{{.Id}}"),
    "podman": ("image", "inspect", "--format", "{{.Id}}"),
}
_REMOVE = {"docker": ("rm", "--force"), "podman": ("rm", "--force", "--time", "0")}
# Docker has BuildKit read a Containerfile: its older builder knows no secrets.
_VARIABLES = {"BUILDAH_FORMAT": "oci", "DOCKER_BUILDKIT": "1"}


def find_tool(names: Sequence[str], purpose: str) -> Path:
    """The first of these programs that is on the PATH. UsageError when none is."""
    for name in names:
        if found := which(name):
            return Path(found)
    raise UsageError(f"there is nothing here to {purpose} with", expected=" or ".join(names), hint="apt install podman")


def image_id(tool: Path, image: str) -> str:
    """The id of an image, 64 hexadecimal characters. UsageError in the tool's words where it has none of it."""
    done = _run([str(tool), *_ID[tool.name], image])
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise UsageError(f"{tool.name} has no image {image!r}: {said[-1]}")
    return done.stdout.strip().removeprefix("sha256:")


def find_image(name: str) -> tuple[Path, str]:
    """The program that can run an image, by its name or id, and the image's id. UsageError when none here has it."""
    runners = [Path(found) for each in RUNNERS if (found := which(each))] or [find_tool(RUNNERS, "run a container")]
    lacking = []
    for tool in runners:
        try:
            return tool, image_id(tool, name)
        except UsageError as error:
            lacking.append(error.what)
    hint = f"penstock train image --tag {name}   # or: {runners[0].name} pull {name}"
    raise UsageError("; ".join(lacking), where="train.image", hint=hint)


def process_id(tool: Path, container: str) -> int | None:
    """That of a container's first process, as this machine counts; None when it does not run."""
    done = _run([str(tool), "container", "inspect", "--format", "{{.State.Pid}}", container])
    said = done.stdout.strip()
    return int(said) or None if said.isdecimal() else None


def remove_container(tool: Path, name: str) -> None:
    """End a container at once, if it is still there."""
    _run([str(tool), *_REMOVE[tool.name], name])


def run_tool(
    tool: Path, *arguments: str, directory: Path, what: str, hint: str, progress: Callable[[str], None] | None = None
) -> None:
    """Run it to its end; `progress` is called with each line. PenstockError with its last lines when it fails."""
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(
        [str(tool), *arguments], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", env={**os.environ, **_VARIABLES},
    ) as child:  # fmt: skip
        assert child.stdout is not None
        for line in child.stdout:
            last.append(line.rstrip())
            if progress:
                progress(line.rstrip())
    if child.returncode:
        raise PenstockError(f"{what}: {tool.name} ended with {child.returncode}\n  " + "\n  ".join(last), hint=hint)


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
