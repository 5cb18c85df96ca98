"""Claim: hashing a file takes at most 1.25 times what the slower of its two limits takes.

The limits are BLAKE3 itself, on the same bytes in memory and in the same one thread, and reading the file without
hashing it: from the disk, its pages dropped from memory before, and from memory. `digest_file` is what ingest and
`penstock data verify` hash files with.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from blake3 import blake3
from harness import Claim, report

from penstock.digest import CHUNK, digest_bytes, digest_file

BYTES = 1 << 30
TURNS = 9
LIMIT = 1.25


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="penstock-hashing-") as directory:
        file = Path(directory) / "file"
        data = write(file)
        assert digest_file(file) == digest_bytes(data)
        return report([measured(name, file, data, drop) for name, drop in (("disk", forget), ("memory", keep))])


def measured(name: str, file: Path, data: bytes, before: Callable[[Path], None]) -> Claim:
    """Ours and both limits, turn by turn; by the clock, since a disk takes no CPU seconds."""
    jobs: dict[str, Callable[[], object]] = {
        "digest_file": lambda: digest_file(file),
        "BLAKE3 in memory": lambda: blake3(data),
        "reading": lambda: read(file),
    }
    taken: dict[str, list[float]] = {job: [] for job in jobs}
    for _ in range(TURNS):
        for job, work in jobs.items():
            before(file)
            started = time.perf_counter()
            work()
            taken[job].append(time.perf_counter() - started)
    seconds = {job: median(times) for job, times in taken.items()}
    for job, one in seconds.items():
        print(f"  from {name}: {job:<18} {one:6.3f} s  {BYTES / one / 1e9:5.2f} GB/s", file=sys.stderr, flush=True)
    ours = seconds.pop("digest_file")
    rival = max(seconds, key=lambda job: seconds[job])
    title = f"hashing a file of {BYTES / 1e9:.2f} GB from {name}"
    return Claim(title, ours, seconds[rival], rival, f"at most {LIMIT} of it", ours <= LIMIT * seconds[rival])


def write(file: Path) -> bytes:
    """Bytes that nothing compresses, on the disk."""
    data = os.urandom(BYTES)
    with file.open("wb") as made:
        made.write(data)
        made.flush()
        os.fsync(made.fileno())  # only clean pages can be dropped
    return data


def read(file: Path) -> None:
    """As `digest_file` reads, and nothing else."""
    with file.open("rb") as opened:
        while opened.read(CHUNK):
            pass


def forget(file: Path) -> None:
    """Drop what of the file is in memory."""
    descriptor = os.open(file, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def keep(file: Path) -> None:
    """Have it in memory."""
    read(file)


if __name__ == "__main__":
    raise SystemExit(main())
