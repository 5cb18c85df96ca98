"""Real environments for tests: made with uv in no time, since the libraries of this one are looked up here."""

import base64
import os
import subprocess
import sys
import sysconfig
import zipfile
from hashlib import sha256
from pathlib import Path

from penstock.train.environment.uv import find_uv

FOUND = find_uv()
assert FOUND is not None, "the tests of environments need uv"
UV = FOUND
SOURCES = Path(__file__).resolve().parents[2]


def wheel(directory: Path, name: str, version: str, code: str) -> Path:
    """A wheel with one module."""
    directory.mkdir(exist_ok=True)
    notes = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{notes}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{notes}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = directory / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        lines = [f"{file},sha256={_hash(text)},{len(text)}\n" for file, text in files.items()]
        archive.writestr(f"{notes}/RECORD", "".join([*lines, f"{notes}/RECORD,,\n"]))
    return path


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


def environment(place: Path, *wheels: Path) -> Path:
    """The Python of a new environment with these wheels, that finds everything else here."""
    uv("venv", "--quiet", "--python", sys.executable, place)
    python = place / "bin" / "python"
    links = ["--no-index", "--find-links", wheels[0].parent]
    names = [each.name.rpartition("-py3")[0].replace("-", "==") for each in wheels]
    uv("pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, *links, *names)
    site = place / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (site / "here.pth").write_text(sysconfig.get_path("purelib"))
    return python


def index(directory: Path, *wheels: Path) -> Path:
    """A package index in a directory, which tells hashes (PEP 503)."""
    directory.mkdir()
    for each in wheels:
        page = directory / each.name.partition("-")[0] / "index.html"
        page.parent.mkdir(exist_ok=True)
        digest = sha256(each.read_bytes()).hexdigest()
        link = f'<a href="{each.as_uri()}#sha256={digest}">{each.name}</a>'
        page.write_text(page.read_text() + link if page.exists() else f"<!DOCTYPE html>{link}")
    return directory


def only(index: Path, wheels: Path | None = None) -> Path:
    """A configuration of uv that knows no index but this one, and perhaps a mere directory of wheels."""
    file = index / "uv.toml"
    links = f'find-links = ["{wheels}"]\n' if wheels else ""
    file.write_text(f'{links}cache-dir = "{index}/cache"\n[[index]]\nurl = "{index.as_uri()}"\ndefault = true\n')
    return file


def uv(*arguments: object) -> None:
    subprocess.run([str(UV), *map(str, arguments)], check=True)


def run_in(python: Path, script: str, *arguments: object, **variables: object) -> str:
    """What a script prints in that environment, with Penstock and the tests as they are here."""
    path = os.pathsep.join([str(SOURCES / "src"), str(SOURCES / "tests")])
    return subprocess.run(
        [str(python), "-c", script, *map(str, arguments)],
        env={
            **os.environ,
            "PYTHONPATH": path,
            "PATH": f"{UV.parent}:{os.environ['PATH']}",
            **{name: str(value) for name, value in variables.items()},
        },
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
