"""A process in a container: it sees what it needs at the paths where the host has it, and nothing else.

No network, a root that cannot be written, no capabilities. It runs as the user who started it, so that what it
writes is theirs.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.train.containers.tool import find_image, process_id, remove_container

NOT_STARTED = frozenset({125, 126, 127})  # the tool's own failure, a command that cannot be run, or none of that name
_SIGNALLED = 128  # exit codes above are 128 + the signal
_FLAGS = (
    "--rm", "--interactive", "--network", "none", "--read-only", "--cap-drop", "all",
    "--security-opt", "no-new-privileges", "--security-opt", "label=disable", "--shm-size", "1g",
)  # fmt: skip


@dataclass(frozen=True)
class Container:
    """Where a process runs.

    tool    podman or docker, which has the image
    image   the id of the image
    name    of the container
    mounts  directories of the host that it may write
    """

    tool: Path
    image: str
    name: str
    mounts: tuple[Path, ...]

    @classmethod
    def of(cls, image: str, name: str, mounts: Sequence[Path]) -> "Container":
        """A container for a process that is given `mounts`. UsageError when nothing here has the image."""
        tool, found = find_image(image)
        return cls(tool, found, name, tuple(dict.fromkeys(mounts)))

    def command(self, arguments: Sequence[str], directory: Path, variables: Mapping[str, str]) -> list[str]:
        """Python with `arguments`, in `directory`, with these environment variables and no others of the host."""
        volumes = [f"--volume={place}:{place}" for place in self.mounts]
        values = [f"--env={name}={value}" for name, value in {**variables, "HOME": "/tmp"}.items()]
        return [
            str(self.tool), "run", *_FLAGS, "--tmpfs", "/tmp:rw,exec", *_user(self.tool.name), "--name", self.name,
            *volumes, *values, "--workdir", str(directory), "--entrypoint", "python", self.image, *arguments,
        ]  # fmt: skip

    def pid(self) -> int | None:
        """The process as the host sees it; None before it is started. A question to the tool: ask once in a while."""
        return process_id(self.tool, self.name)

    def remove(self) -> None:
        """End it, whatever it does."""
        remove_container(self.tool, self.name)


def _user(tool: str) -> list[str]:
    """The user here. Without root podman's own root is the user: its numbers have to be kept."""
    given = [f"--user={os.getuid()}:{os.getgid()}"]
    return ["--userns=keep-id", *given] if tool == "podman" and os.getuid() else given


def process_code(code: int) -> int:
    """That of the process, negative for a signal, from that of the tool."""
    return _SIGNALLED - code if code > _SIGNALLED else code
