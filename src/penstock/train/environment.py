"""The environment a model was made in: what of it can change the model, and nothing that cannot.

Two captures on an unchanged machine are equal, so an environment is a node of the lineage graph
that many runs share. A distribution is named by its version and a digest of its installed files
that survives a rebuild: what an installer adds (scripts, byte code, its own notes) is left out.
"""

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from penstock.digest import digest_bytes

Environment = Mapping[str, Any]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip
_VARIABLES = ("PYTHONHASHSEED", *THREAD_VARIABLES)
_WRITTEN_BY_INSTALLERS = frozenset(
    {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"}
)


def capture() -> dict[str, Any]:
    """The environment of this process, as JSON. Call it where the libraries of the model are loaded."""
    return {
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "build": " ".join(platform.python_build()),
            "compiler": platform.python_compiler(),
        },
        "platform": {
            "system": platform.system(),
            "machine": platform.machine(),
            "libc": " ".join(platform.libc_ver()).strip(),
        },
        "cpu": {"model": cpu_model(), "count": os.cpu_count()},
        "threads": threadpools(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "distributions": dict(distributions()),
    }


def summary(environment: Environment) -> dict[str, Any]:
    """What a person would install to have it again: Python, the platform and every version."""
    versions = {name: each["version"] for name, each in environment["distributions"].items()}
    python, platform_ = environment["python"], environment["platform"]
    return {
        "python": python["version"],
        "platform": f"{platform_['system']} {platform_['machine']}",
        "versions": versions,
    }


def host() -> dict[str, Any]:
    """Where this process runs and since when: tells later whether it still does (`process.is_gone`)."""
    import psutil

    return {
        "name": platform.node(),
        "machine": _machine(),
        "boot": _read("/proc/sys/kernel/random/boot_id").strip(),
        "pid_namespace": _pid_namespace(),
        "created": psutil.Process().create_time(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "memory": psutil.virtual_memory().total,
    }


@cache
def distributions() -> Mapping[str, Mapping[str, str]]:
    """Every installed distribution: name -> version and digest of its files."""
    from importlib.metadata import distributions as installed

    found: dict[str, Mapping[str, str]] = {}
    for each in installed():
        name = each.metadata["Name"]
        if name and name not in found:  # the first one on the path is the one that is imported
            found[name] = {"version": each.version, "digest": record_digest(each.read_text("RECORD") or "")}
    return dict(sorted(found.items()))


def record_digest(record: str) -> str:
    """Digest of a RECORD file, the same for every installation of the same wheel.

    >>> record_digest("a.py,sha256=x,1\\n../../bin/a,sha256=y,2\\n") == record_digest("a.py,sha256=x,1\\n")
    True
    """
    lines = sorted(line for line in record.splitlines() if line and not _from_installer(line))
    return digest_bytes("\n".join(lines).encode())


def _from_installer(line: str) -> bool:
    path = line.rsplit(",", 2)[0].strip('"')
    return path.startswith("../") or path.endswith(".pyc") or path.rsplit("/", 1)[-1] in _WRITTEN_BY_INSTALLERS


def threadpools() -> list[dict[str, Any]]:
    """The native thread pools loaded into this process, without where their files lie."""
    from threadpoolctl import threadpool_info

    kept = ("internal_api", "version", "num_threads", "architecture", "threading_layer")
    pools = [{key: pool[key] for key in kept if pool.get(key) is not None} for pool in threadpool_info()]
    return sorted(pools, key=repr)


def cpu_model() -> str:
    """`Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz`"""
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def differences(then: Environment, now: Environment) -> tuple[str, ...]:
    """What is not the same, in words, distributions first.

    >>> differences({"python": {"version": "3.11.7"}}, {"python": {"version": "3.12.1"}})
    ('python version: 3.11.7 then, 3.12.1 now',)
    """
    return (
        *_distribution_differences(then.get("distributions", {}), now.get("distributions", {})),
        *_pool_differences(then.get("threads", []), now.get("threads", [])),
        *_value_differences(_flat(then), _flat(now)),
    )


def _distribution_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    for name in sorted({*then, *now}):
        before, after = then.get(name), now.get(name)
        if before == after:
            continue
        if before is None or after is None:
            yield f"{name}: {_version(before)} then, {_version(after)} now"
        elif before["version"] != after["version"]:
            yield f"{name}: {before['version']} then, {after['version']} now"
        else:
            yield f"{name} {before['version']}: same version, other files"


def _version(distribution: Mapping[str, str] | None) -> str:
    return distribution["version"] if distribution else "not installed"


def _pool_differences(then: list[dict[str, Any]], now: list[dict[str, Any]]) -> Iterable[str]:
    before, after = ({_pool_name(pool) for pool in pools} for pools in (then, now))
    if before != after:
        yield f"native threads: {', '.join(sorted(before)) or 'none'} then, {', '.join(sorted(after)) or 'none'} now"


def _pool_name(pool: Mapping[str, Any]) -> str:
    known = [pool.get("internal_api"), pool.get("version"), pool.get("architecture")]
    return f"{' '.join(str(part) for part in known if part)} x{pool.get('num_threads')}"


def _value_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            yield f"{name}: {then.get(name, 'unset')} then, {now.get(name, 'unset')} now"


def _flat(environment: Environment) -> dict[str, Any]:
    """`{"python": {"version": …}}` as `{"python version": …}`, without lists and distributions."""
    sections = [name for name, part in environment.items() if name != "distributions" and isinstance(part, Mapping)]
    return {f"{section} {name}": value for section in sections for name, value in environment[section].items()}


def _machine() -> str:
    """Tells apart machines of one name; empty where the system does not say. The id itself is not for others."""
    found = _read("/etc/machine-id").strip()
    return digest_bytes(f"penstock {found}".encode())[:16] if found else ""


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid") if sys.platform == "linux" else ""
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
