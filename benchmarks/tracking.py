"""Claim: tracking a run costs a fifth of what MLflow on SQLite takes, and next to nothing beside a training.

Both in one process of their own, on SQLite, turn by turn; medians of many calls, and of the turns. A call of MLflow
returns when its database has the value, one of Penstock when the journal has it; so the thousand values are timed
until they are in the ledger, too. Overhead is that of the first run of a process, which captures the environment
beside a second of work that holds Python's lock, and that of every later run.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from harness import PEERS, Claim, Job, environment, ourselves, report, run

TURNS = 3
TOOLS = Path(__file__).resolve().parent / "tracking_tools"
RIVAL = f"MLflow {PEERS['MLflow'].partition('==')[2]}"
CLAIMS = ("start + end", "log_metric", "log_params(20)", "log 1000 values", "log 1000 values, in the ledger")
TIMES = 5
OVERHEAD_MS = 20.0
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}


def main() -> int:
    taken: dict[str, list[dict[str, float]]] = {"penstock": [], "mlflow": []}
    pythons = {"penstock": ourselves().python, "mlflow": environment("MLflow").python}
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "penstock.yaml").write_text("name: benchmark\n")
        for file in TOOLS.glob("*.py"):
            shutil.copy(file, place)
        for _ in range(TURNS):
            for tool, found in taken.items():
                run(Job([pythons[tool], f"track_{tool}.py", f"{tool}.json"], place, QUIET))
                found.append(json.loads((place / f"{tool}.json").read_text()))
    ours, theirs = ({name: median(turn[name] for turn in turns) for name in turns[0]} for turns in taken.values())
    for name in ours:
        print(f"  {name:<32} ours {ours[name]:8.3f} ms   {RIVAL} {theirs[name]:8.3f} ms", file=sys.stderr)
    faster = [
        Claim(name, ours[name], theirs[name], RIVAL, f"{TIMES} times as fast", TIMES * ours[name] <= theirs[name], "ms")
        for name in CLAIMS
    ]
    return report([*faster, *(overhead(name, ours[name]) for name in ("a run around nothing", "first run around 1 s"))])


def overhead(name: str, ms: float) -> Claim:
    return Claim(f"overhead of {name}", ms, OVERHEAD_MS, "limit", "at most the limit", ms <= OVERHEAD_MS, "ms")


if __name__ == "__main__":
    raise SystemExit(main())
