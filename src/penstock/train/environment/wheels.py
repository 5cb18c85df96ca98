"""A wheel of what is installed, for a distribution that no index has.

What was installed from a directory, a file or a repository is there on one machine only. Its files are packed as
they are imported: the bytes of the wheel depend on them alone, so two captures give one blob. Of an editable
installation these are the packages that this process has imported from it.
"""

import base64
import csv
import io
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

MAX_BYTES = 64 << 20
_INSTALLED = {"site-packages", "dist-packages"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_WRITTEN_BY_INSTALLERS = frozenset(
    {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"}
)


def origin(distribution: Distribution) -> Mapping[str, Any] | None:
    """Where a distribution was installed from, as PEP 610 tells it; None when it came from an index."""
    text = distribution.read_text("direct_url.json")
    value = json.loads(text) if text else None
    return value if isinstance(value, dict) else None


def from_installer(path: str) -> bool:
    """Whether an installer wrote the file, so that two installations of one wheel differ in it."""
    return path.startswith("../") or path.endswith(".pyc") or path.rsplit("/", 1)[-1] in _WRITTEN_BY_INSTALLERS


def installed_files(distribution: Distribution, source: Mapping[str, Any]) -> dict[str, Path]:
    """The files that a wheel of the distribution holds: their names in it, and where they lie."""
    editable = source.get("dir_info", {}).get("editable", False)
    recorded = [file for file in distribution.files or () if not from_installer(file.as_posix())]
    if not editable:
        return _there((file.as_posix(), Path(str(file.locate()))) for file in recorded)
    notes = [(file.as_posix(), Path(str(file.locate()))) for file in recorded if ".dist-info/" in file.as_posix()]
    return _there([*notes, *_imported_from(_directory(source))])


def _there(files: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    return {name: path for name, path in sorted(files) if path.is_file()}


def _directory(source: Mapping[str, Any]) -> Path:
    return Path(unquote(urlsplit(source["url"]).path)).resolve()


def _imported_from(directory: Path) -> Iterator[tuple[str, Path]]:
    """Every file of the packages and modules that were imported from a directory."""
    # The directory may hold environments, and the place that the user's code was written to.
    others = [place for place in (Path(sys.prefix).resolve(), Path.cwd()) if place != directory]
    for name, module in [*sys.modules.items()]:
        file = getattr(module, "__file__", None)
        if not file or "." in name or name in ("__main__", "__mp_main__"):
            continue
        path = Path(file).resolve()
        if not path.is_relative_to(directory) or any(path.is_relative_to(other) for other in others):
            continue
        if not _INSTALLED & {*path.parts}:
            yield from _package(name, path.parent) if hasattr(module, "__path__") else [(path.name, path)]


def _package(name: str, root: Path) -> Iterator[tuple[str, Path]]:
    for path in root.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield f"{name}/{path.relative_to(root).as_posix()}", path


def pack(distribution: Distribution, source: Mapping[str, Any]) -> tuple[str, bytes | None]:
    """The text of the RECORD, and the wheel's bytes; None for a wheel of more than MAX_BYTES."""
    files = installed_files(distribution, source)
    record = _record((name, path.read_bytes()) for name, path in files.items())
    return record, _zip(files, record) if is_small(files) else None


def is_small(files: Mapping[str, Path]) -> bool:
    """Whether the files are few enough bytes to be packed."""
    return sum(path.stat().st_size for path in files.values()) <= MAX_BYTES


def _record(files: Iterable[tuple[str, bytes]]) -> str:
    """Path, digest and size of each file, as the wheel format asks for it (PEP 427)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name, data in files:
        digest = base64.urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()
        writer.writerow([name, f"sha256={digest}", len(data)])
    return text.getvalue()


def _zip(files: Mapping[str, Path], record: str) -> bytes:
    """Not compressed: the bytes of a compressed one depend on the library that compresses."""
    notes = next(name.partition("/")[0] for name in files if ".dist-info/" in name)
    end = f"{notes}/RECORD"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, path in files.items():
            archive.writestr(_entry(name), path.read_bytes())
        archive.writestr(_entry(end), f"{record}{end},,\n")
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    return entry


def file_name(wheel: bytes) -> str:
    """`penstock-0.1.0-py3-none-any.whl`: what a wheel must be called, from what it says about itself."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        notes = next(name.partition("/")[0] for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        lines = archive.read(f"{notes}/WHEEL").decode().splitlines()
    tags = [line.partition(":")[2].strip().split("-") for line in lines if line.startswith("Tag:")]
    joined = [".".join(dict.fromkeys(parts)) for parts in zip(*tags, strict=True)]
    return f"{notes.removesuffix('.dist-info')}-{'-'.join(joined)}.whl"
