"""`uv` as a process: it locks an environment, and builds it again. Which index it asks is its own configuration."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from penstock.errors import PenstockError

_REQUIRED = re.compile(r"you require ([A-Za-z0-9][A-Za-z0-9._-]*)==")
_NAME = re.compile(r"[-_.]+")
_ATTEMPTS = 20
_SECONDS = 15.0
_COMPILE = (
    "pip", "compile", "--quiet", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate",
    "--no-emit-index-url", "--no-emit-find-links",
)  # fmt: skip


@dataclass(frozen=True)
class Lock:
    """Exact versions with the hashes of their files, and what no index has a hash of: `("inhouse==1.0",)`."""

    text: str
    missing: tuple[str, ...]


def find_uv() -> Path | None:
    """The uv of this environment, or the one on the PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else which("uv")
    return Path(found) if found else None


def require_uv(hint: str) -> Path:
    """`find_uv`. PenstockError when there is none."""
    uv = find_uv()
    if uv is None:
        raise PenstockError("uv is not installed, and only uv builds an environment from its lock", hint=hint)
    return uv


def lock(uv: Path, requirements: Sequence[str], *, directory: Path, python: str) -> Lock:
    """Lock `name==version` lines for a Python `3.11.7`: from what uv knows already, else from its index.

    What the index does not have is told apart and the rest is locked. PenstockError when no index answers.
    """
    command = [str(uv), *_COMPILE, "--python-version", python]
    known = _run([*command, "--offline", "-"], directory, "\n".join(requirements))
    if known.returncode == 0 and not _unhashed(known.stdout):
        return Lock(known.stdout, ())
    left, missing = [*requirements], list[str]()
    for _ in range(_ATTEMPTS):
        done = _run([*command, "-"], directory, "\n".join(left))
        bare = _unhashed(done.stdout) if done.returncode == 0 else set()
        if done.returncode == 0 and not bare:
            return Lock(done.stdout, tuple(missing))
        refused = bare or {normal(name) for name in _REQUIRED.findall(" ".join(done.stderr.split()))}
        unknown = [each for each in left if normal(each.partition("==")[0]) in refused]
        if not unknown:
            raise PenstockError(f"uv found no hashes: {reason(done.stderr)}")
        left = [each for each in left if each not in unknown]
        missing += unknown
    raise PenstockError(f"no index that uv knows has {', '.join(missing)}, and more")


def _unhashed(text: str) -> set[str]:
    """Names that a lock pins without a hash: a mere directory of wheels tells none."""
    pins = (line for line in text.splitlines() if line[:1].isalnum())
    return {normal(line.partition("==")[0]) for line in pins if not line.endswith("\\")}


def normal(name: str) -> str:
    """A distribution's name as every tool compares it (PEP 503): `Scikit_Learn` is `scikit-learn`."""
    return _NAME.sub("-", name).lower()


def run_uv(uv: Path, *arguments: str, directory: Path, what: str, hint: str) -> None:
    """Run uv to its end. PenstockError with its words when it fails."""
    done = _run([str(uv), *arguments], directory, None, seconds=None)
    if done.returncode:
        raise PenstockError(f"{what}: {reason(done.stderr)}", hint=hint)


def reason(stderr: str) -> str:
    """What went wrong, in uv's words, on one line."""
    words = " ".join(stderr.split())  # it breaks long lines
    return words.removeprefix("error: ").replace(" cause: ", ": ")[:500] or "it said nothing"


def _run(
    command: list[str], directory: Path, text: str | None, seconds: float | None = _SECONDS
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            cwd=directory,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {seconds:g} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
