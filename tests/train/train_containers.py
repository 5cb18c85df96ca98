"""A base image like the official one of this Python, and an environment with nothing but Penstock."""

import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".venv-image"  # what takes minutes and does not change
BASE = f"localhost/python:{sys.version_info.major}.{sys.version_info.minor}-test"
PENSTOCK = CACHE / "bin" / "penstock"
PACKAGES = (
    "ca-certificates", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6", "libreadline8",
    "libsqlite3-0", "libssl3", "libuuid1", "zlib1g",
)  # fmt: skip
_PATH = f"/usr/sbin:/usr/bin:{os.environ['PATH']}"  # Debian's own first: what the tests are for
LEFT_OUT = ("site-packages/", "test/", "__pycache__/", "config-")
CONTAINERS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"""


PROGRAMS = {
    "buildah": ("buildah", "podman", "runc", "mmdebstrap"),
    "docker": ("docker", "dockerd", "runc", "mmdebstrap"),
    "podman": ("podman", "runc", "mmdebstrap"),
}


def lacking(tool: str) -> str:
    """What of that which the tests of a tool need is not here."""
    programs = [name for name in PROGRAMS[tool] if shutil.which(name, path=_PATH) is None]
    if programs:
        return f"not installed: {', '.join(programs)}"
    if os.getuid() != 0:
        return "a base image is made as root"
    return "" if PENSTOCK.exists() else "make test-image makes its environment"


@contextmanager
def docker(place: Path) -> Iterator[dict[str, str]]:
    """A Docker daemon of the block's own; the environment that reaches it."""
    place.mkdir(parents=True, exist_ok=True)
    socket, log = place / "docker.sock", place / "log"
    options = ["--exec-opt", "native.cgroupdriver=cgroupfs", "--host", f"unix://{socket}"]
    for name in ("data-root", "exec-root", "pidfile"):
        options += [f"--{name}", str(place / name)]
    with log.open("wb") as output:
        daemon = subprocess.Popen(["dockerd", *options], stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while b"API listen" not in log.read_bytes():
            assert daemon.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield {"DOCKER_HOST": f"unix://{socket}", "PATH": _PATH}
    finally:
        daemon.terminate()
        daemon.wait(60)


def variables(place: Path) -> dict[str, str]:
    """The environment of podman and buildah, with a storage of their own."""
    place.mkdir(parents=True, exist_ok=True)
    storage = f'[storage]\ndriver = "overlay"\ngraphroot = "{place}/graph"\nrunroot = "{place}/run"\n'
    (place / "storage.conf").write_text(storage)
    (place / "containers.conf").write_text(CONTAINERS)
    return {
        "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
        "CONTAINERS_CONF": str(place / "containers.conf"),
        "BUILDAH_ISOLATION": "chroot",  # the others want more of the kernel than a container in CI has
    }


def import_base(runner: str) -> None:
    """The base image, from a Debian that is made once, with this Python in /usr/local."""
    file = CACHE / f"base-{sys.version.split()[0]}.tar"
    if not file.exists():
        _make(file)
    call(runner, "import", file, BASE)


def _make(file: Path) -> None:
    python, draft = file.with_name("python.tar"), file.with_suffix(".draft.tar")
    home = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    with tarfile.open(python, "w") as archive:
        for name in ("bin/python3", f"bin/{version}", f"lib/{version}"):
            archive.add(home / name, name, filter=_wanted)
        for library in (home / "lib").glob("libpython3*.so*"):
            archive.add(library, f"lib/{library.name}")
    hooks = [f"--customize-hook=tar-in {python} /usr/local", '--customize-hook=chroot "$1" ldconfig']
    call("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", *hooks, "bookworm", draft)
    draft.rename(file)
    python.unlink()


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    below = entry.name.partition("/")[2].partition("/")[2]
    return None if below.startswith(LEFT_OUT) or "__pycache__" in entry.name else entry


def call(*command: object) -> str:
    """Run a command to its end; what it printed."""
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def penstock(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """`penstock ARGUMENTS` in the environment with nothing but Penstock."""
    return subprocess.run([PENSTOCK, *map(str, arguments)], capture_output=True, text=True, check=False)
