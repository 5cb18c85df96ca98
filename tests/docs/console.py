"""Runs the `console` blocks of a page, and compares what they print with what the page says they print.

A line that begins with `$ ` is a command; what follows is its output, in which `...` stands for any lines. Digests,
times and numbers may differ from run to run. A command that ends with `&` goes on while the next ones run.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ID = re.compile(r"\b[0-9a-f]{32}\b")
MASKS = (
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b"), "ID"),
    (re.compile(r"  \d+\.\d s\b"), ""),  # a step that takes no time says none
    (re.compile(r"\d+(?:[-:.,]\d+)*"), "N"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Command:
    """A command of a page, and what the page says that it prints."""

    text: str
    output: str

    @property
    def in_background(self) -> bool:
        """Whether the next commands run beside it."""
        return self.text.endswith("&")


def commands(page: str) -> Iterator[Command]:
    """Every command in the `console` blocks of a Markdown text."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            text, _, output = entry.partition("\n")
            while text.endswith("\\"):
                more, _, output = output.partition("\n")
                text = f"{text[:-1].rstrip()} {more.strip()}"
            yield Command(text, output)


@dataclass
class Shell:
    """A terminal: a place, variables, and what runs in the background."""

    directory: Path
    variables: Mapping[str, str]
    port: int
    ids: dict[str, str] = field(default_factory=dict)
    background: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, command: Command) -> str:
        """What the command printed. Ids and the port are this run's instead of the page's."""
        text = ID.sub(lambda match: self.ids.get(match[0], match[0]), command.text).replace("8080", str(self.port))
        if command.in_background:
            return self._start(text.removesuffix("&").strip(), command)
        done = subprocess.run(["bash", "-c", f"{text}\necho; pwd"], **self._setting(), check=False, timeout=120)
        printed, _, place = done.stdout.rstrip("\n").rpartition("\n")
        self.directory = Path(place)
        shown = (printed.rstrip("\n") + "\n" if printed.strip() else "").replace(str(self.port), "8080")
        self.ids.update(zip(ID.findall(command.output), ID.findall(shown), strict=False))
        return shown

    def _start(self, text: str, command: Command) -> str:
        """Start it, and wait until it has printed as many lines as the page shows."""
        process = subprocess.Popen(["bash", "-c", f"exec {text}"], **self._setting())
        self.background.append(process)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in command.output.splitlines()]
        return "".join(lines).replace(str(self.port), "8080")

    def _setting(self) -> dict[str, Any]:
        return {
            "cwd": self.directory, "env": {**os.environ, **self.variables}, "text": True,
            "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
        }  # fmt: skip

    def close(self) -> None:
        """End what runs in the background."""
        for process in self.background:
            process.terminate()
            process.communicate(timeout=60)


def says_so(page: str, printed: str) -> bool:
    """Whether the page's output is what was printed, but for numbers, ids and lines left out."""
    pattern = r"\s*".join(".*" if line.strip() == "..." else re.escape(masked(line)) for line in page.splitlines())
    return re.fullmatch(pattern, "\n".join(masked(line) for line in printed.splitlines()), re.DOTALL) is not None


def masked(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, replacement in MASKS:
        line = pattern.sub(replacement, line)
    return line.strip()
