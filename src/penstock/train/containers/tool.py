"""The program that builds images or runs containers: found on the PATH, and quoted when it fails."""

import os
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which

from penstock.errors import PenstockError, UsageError

BUILDERS = ("buildah", "podman")
RUNNERS = ("podman",)
_LAST_LINES = 12
_ID = {
    "buildah": ("inspect", "--type", "image", "--format", "{{.FromImageID}}"),
    "podman": ("image", "inspect", "--format", "{{.Id}}"),
}


def find_tool(names: Sequence[str], purpose: str) -> Path:
    """The first of these programs that is on the PATH. UsageError when none is."""
    for name in names:
        if found := which(name):
            return Path(found)
    raise UsageError(f"there is nothing here to {purpose} with", expected=" or ".join(names), hint="apt install podman")


def image_id(tool: Path, image: str) -> str | None:
    """The id of an image, 64 hexadecimal characters; None where the tool has none of that name."""
    done = _run([str(tool), *_ID[tool.name], image])
    return done.stdout.strip().removeprefix("sha256:") if done.returncode == 0 else None


def find_image(name: str) -> str:
    """The id of the image that a training is to run in. UsageError when it is not here."""
    tool = find_tool(RUNNERS, "run a container")
    found = image_id(tool, name)
    if found is None:
        hint = f"penstock train image --tag {name}   # or: {tool.name} pull {name}"
        raise UsageError(f"{tool.name} has no image {name!r}", where="train.image", hint=hint)
    return found


def remove_container(tool: Path, name: str) -> None:
    """End a container at once, if it is still there."""
    _run([str(tool), "rm", "--force", "--time", "0", name])


def run_tool(
    tool: Path, *arguments: str, directory: Path, what: str, hint: str, progress: Callable[[str], None] | None = None
) -> None:
    """Run it to its end; `progress` is called with each line. PenstockError with its last lines when it fails."""
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(
        [str(tool), *arguments], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", env={**os.environ, "BUILDAH_FORMAT": "oci"},
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
