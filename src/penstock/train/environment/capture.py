"""The environment a model was made in: what of it can change the model, and nothing that cannot.

Two captures on an unchanged machine are equal, so an environment is a node of the lineage graph
that many runs share. A distribution is named by its version and a digest of its installed files
that survives a rebuild: what an installer adds (scripts, byte code, its own notes) is left out.
One that came from no index is kept whole, as a wheel.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.digest import digest_bytes
from penstock.train.environment.wheels import from_installer, installed_files, origin, pack

if TYPE_CHECKING:
    from importlib.metadata import Distribution

Environment = Mapping[str, Any]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip
_VARIABLES = ("PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG", *THREAD_VARIABLES)
# What numerical libraries choose their code by.
_CPU_FLAGS = frozenset(
    {
        "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni",
        "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "asimd", "asimdhp", "asimddp", "sve", "sve2", "bf16",
    }
)  # fmt: skip


def capture(keep: Callable[[bytes], str], switches: Mapping[str, str] = {}) -> dict[str, Any]:
    """The environment of this process, as JSON. Call it where the libraries of the model are loaded.

    `keep` stores the wheels of distributions that came from no index, and returns their digests. `switches` are
    those that were set for determinism, by library.
    """
    return {
        "python": python_facts(),
        "platform": {
            "system": platform.system(),
            "machine": platform.machine(),
            "libc": " ".join(platform.libc_ver()).strip(),
        },
        "cpu": {"model": cpu_model(), "count": os.cpu_count(), "flags": cpu_flags()},
        "threads": threadpools(),
        "switches": dict(switches),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "distributions": {name: _described(each, keep) for name, each in distributions().items()},
    }


def python_facts() -> dict[str, str]:
    """Which Python this is: two builds of one version may compute differently."""
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "build": " ".join(platform.python_build()),
        "compiler": platform.python_compiler(),
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
def distributions() -> "Mapping[str, Distribution]":
    """Every installed distribution by name; of several with one name, the first one on the path is imported."""
    from importlib.metadata import distributions as installed

    found: dict[str, Distribution] = {}
    for each in installed():
        if name := each.metadata["Name"]:
            found.setdefault(name, each)
    return dict(sorted(found.items()))


def _described(distribution: "Distribution", keep: Callable[[bytes], str]) -> dict[str, str]:
    """Version, digest of the files, and the blob of the wheel where no index has one."""
    source = origin(distribution)
    if source is None:
        return {"version": distribution.version, "digest": record_digest(distribution.read_text("RECORD") or "")}
    record, wheel = pack(distribution, source)
    described = {"version": distribution.version, "digest": record_digest(record)}
    return described if wheel is None else {**described, "wheel": keep(wheel)}


def imported() -> tuple[str, ...]:
    """The distributions of which this process has imported something."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    return tuple(name for name, each in distributions().items() if loaded & _top_level(each))


def _top_level(distribution: "Distribution") -> set[str]:
    """The names that a distribution is imported by, from its list of files."""
    source = origin(distribution)
    lines = installed_files(distribution, source) if source else (distribution.read_text("RECORD") or "").splitlines()
    first = {line.partition("/")[0].partition(",")[0] for line in lines}
    return {each.partition(".")[0] for each in first}  # six.py, _cffi.cpython-311-x86_64-linux-gnu.so


def record_digest(record: str) -> str:
    """Digest of a RECORD file, the same for every installation of the same wheel.

    >>> record_digest("a.py,sha256=x,1\\n../../bin/a,sha256=y,2\\n") == record_digest("a.py,sha256=x,1\\n")
    True
    """
    lines = sorted(line for line in record.splitlines() if line and not from_installer(_path(line)))
    return digest_bytes("\n".join(lines).encode())


def _path(line: str) -> str:
    return line.rsplit(",", 2)[0].strip('"')


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


def cpu_flags() -> str:
    """`avx avx2 avx512f fma`: what of the CPU's abilities numerical libraries choose their code by."""
    known = ("flags", "Features")  # as x86 and ARM call them
    lines = (line.partition(":") for line in _read("/proc/cpuinfo").splitlines())
    flags = next((value.split() for name, _, value in lines if name.strip() in known), [])
    return " ".join(sorted(_CPU_FLAGS.intersection(flags)))


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
        if before is None or after is None or before["version"] != after["version"]:
            yield f"{name}: {_version(before)} then, {_version(after)} now"
        elif before["digest"] != after["digest"]:  # which may come from an index here, and from a kept wheel there
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
