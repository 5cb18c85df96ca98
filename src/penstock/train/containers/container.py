"""A process in a container: it sees what it needs at the paths where the host has it, and nothing else.

No network, a root that cannot be written, no capabilities. It runs as the user who started it, so that what it
writes is theirs.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.train.containers.tool import RUNNERS, find_tool, remove_container

NOT_STARTED = frozenset({125, 126, 127})  # the tool's own failure, a command that cannot be run, or none of that name
_SIGNALLED = 128  # exit codes above are 128 + the signal
_FLAGS = (
    "--rm", "--interactive", "--network", "none", "--read-only", "--cap-drop", "all",
    "--security-opt", "no-new-privileges", "--security-opt", "label=disable", "--shm-size", "1g",
)  # fmt: skip


@dataclass(frozen=True)
class Container:
    """Where a process runs.

    image   the id of the image
    name    of the container
    mounts  directories of the host that it may write
    note    the file that the tool writes the id of the process to
    """

    tool: Path
    image: str
    name: str
    mounts: tuple[Path, ...]
    note: Path

    @classmethod
    def of(cls, image: str, name: str, mounts: Sequence[Path], note: Path) -> "Container":
        """A container for a process that is given `mounts`."""
        return cls(find_tool(RUNNERS, "run a container"), image, name, tuple(dict.fromkeys(mounts)), note)

    def command(self, arguments: Sequence[str], directory: Path, variables: Mapping[str, str]) -> list[str]:
        """Python with `arguments`, in `directory`, with these environment variables and no others of the host."""
        volumes = [f"--volume={place}:{place}" for place in self.mounts]
        values = [f"--env={name}={value}" for name, value in {**variables, "HOME": "/tmp"}.items()]
        return [
            str(self.tool), "run", *_FLAGS, "--tmpfs", "/tmp:rw,exec", *_user(), "--name", self.name,
            "--pidfile", str(self.note),
            *volumes, *values, "--workdir", str(directory), "--entrypoint", "python", self.image, *arguments,
        ]  # fmt: skip

    def pid(self) -> int | None:
        """The process as the host sees it; None before it is started."""
        text = self.note.read_text() if self.note.exists() else ""
        return int(text) if text else None

    def remove(self) -> None:
        """End it, whatever it does."""
        remove_container(self.tool, self.name)


def _user() -> list[str]:
    """The user here. Without root the tool's own root is the user: its numbers have to be kept."""
    given = [f"--user={os.getuid()}:{os.getgid()}"]
    return given if os.getuid() == 0 else ["--userns=keep-id", *given]


def process_code(code: int) -> int:
    """That of the process, negative for a signal, from that of the tool."""
    return _SIGNALLED - code if code > _SIGNALLED else code
