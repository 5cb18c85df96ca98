"""Claim: 22 checks of a million rows, the bad rows set aside, at most a fifteenth of Great Expectations' CPU time.

Each tool is given the same rows in memory in a fresh process, runs the same checks and parts good rows from bad ones;
the time begins after that. Beside it, as a line and no claim: `penstock data check` on the Parquet file, which reads it
and writes good and bad rows to a store.
"""

import re
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness import Claim, Environment, Job, environment, ourselves, report, run
from harness.environments import described

HERE = Path(__file__).parent / "orders"
TURNS = 5
BAD, REASONS = 5_000, 5
PEERS = {"Great Expectations": "gx_checks.py", "pandera": "pandera_checks.py", "pointblank": "pointblank_checks.py"}
QUIET = {"GX_ANALYTICS_ENABLED": "false", "POLARS_MAX_THREADS": "2"}


def main() -> int:
    ours = ourselves()
    with tempfile.TemporaryDirectory() as directory:
        table = Path(directory) / "orders.parquet"
        run(Job([ours.python, HERE / "table.py", table], HERE))
        jobs = {"Penstock": _job(ours, "penstock_checks.py", table)}
        jobs["penstock data check FILE"] = _job(ours, "penstock_checks.py", table, "--file")
        jobs |= {described(peer): _job(environment(peer), file, table) for peer, file in PEERS.items()}
        taken = _medians(jobs)
    mine = taken["Penstock"]
    peers = {peer: taken[described(peer)] for peer in PEERS}
    claims = [_claim(mine, peer, seconds, 15 if peer == "Great Expectations" else 1) for peer, seconds in peers.items()]
    return report(claims)


def _job(place: Environment, file: str, table: Path, *options: str) -> Job:
    return Job([place.python, HERE / file, table, *options], HERE, QUIET)


def _medians(jobs: Mapping[str, Job]) -> dict[str, float]:
    """CPU seconds of each tool, turn by turn, after one turn that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(TURNS + 1):
        for name, job in jobs.items():
            seconds = _seconds(name, run(job))
            if turn:
                taken[name].append(seconds)
    for name, seconds in taken.items():
        print(f"  {name:<28} {statistics.median(seconds):7.3f} CPU s", file=sys.stderr, flush=True)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _seconds(name: str, printed: str) -> float:
    """What a tool has printed, if it has found what is wrong."""
    found = re.search(r"([\d.]+) CPU s, (\d+) bad rows, (\d+) reasons", printed)
    assert found, printed
    assert (int(found[2]), int(found[3])) == (BAD, REASONS), f"{name}: {printed}"
    return float(found[1])


def _claim(mine: float, peer: str, seconds: float, times: int) -> Claim:
    goal = f"{times} times as fast" if times > 1 else "level or better"
    name = "22 checks of 1M rows, bad ones set aside"
    return Claim(name, mine, seconds, described(peer), goal, mine * times <= seconds, "CPU s")


if __name__ == "__main__":
    raise SystemExit(main())
