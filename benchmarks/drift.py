"""Claim: finding the drifted columns of 1M + 1M rows x 20 from Parquet costs a fraction of what it costs the peers.

Every tool is a process of its own that reads both files, in CPU seconds of all of it. Evidently by its default tests;
NannyML fits its thresholds on ten chunks; whylogs makes the two profiles and compares nothing. A turn takes minutes,
so there is one, and none before it.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from drift_tools.table import DRIFTED, write
from harness import Claim, Job, Timing, environment, interleave, ourselves, report, show

ROWS = 1_000_000
TURNS = 1
TOOLS = Path(__file__).resolve().parent / "drift_tools"
GOALS = {"Evidently": 20, "NannyML": 5, "whylogs": 10}
SCRIPTS = {
    "Penstock": "drift_penstock.py",
    "Evidently": "drift_evidently.py",
    "NannyML": "drift_nannyml.py",
    "whylogs": "profile_whylogs.py",
}
QUIET = {"NML_DISABLE_USAGE_LOGGING": "1", "WHYLOGS_NO_ANALYTICS": "True"}
PEAK_MB = 500.0


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        write(place, ROWS)
        for script in (*SCRIPTS.values(), "facts.py"):
            shutil.copy(TOOLS / script, place)
        timings = interleave({tool: job(tool, place) for tool in SCRIPTS}, turns=TURNS, warm=False)
        facts = {tool: json.loads((place / f"{tool}.json").read_text()) for tool in SCRIPTS}
    show(timings)
    for tool, fact in facts.items():
        print(f"  {tool}: peak {fact['peak_mb']:.0f} MB, drifted: {', '.join(fact['drifted'])}", file=sys.stderr)
    ours = facts["Penstock"]
    found = Claim(
        "drifted columns found, none besides", len(ours["drifted"]), len(DRIFTED), "planted", "all",
        ours["drifted"] == sorted(DRIFTED), "columns",
    )  # fmt: skip
    peak = Claim("peak memory", ours["peak_mb"], PEAK_MB, "limit", "ratio < 1", ours["peak_mb"] < PEAK_MB, "MB")
    return report([*(fraction(peer, timings) for peer in GOALS), peak, found])


def job(tool: str, directory: Path) -> Job:
    place = ourselves() if tool == "Penstock" else environment(tool)
    return Job([place.python, SCRIPTS[tool]], directory, QUIET)


def fraction(peer: str, timings: dict[str, Timing]) -> Claim:
    ours, theirs = timings["Penstock"].cpu, timings[peer].cpu
    goal = GOALS[peer]
    name = f"drift of {ROWS:,} + {ROWS:,} rows x 20"
    return Claim(name, ours, theirs, peer, f"{goal} times less", ours * goal <= theirs, "CPU s")


if __name__ == "__main__":
    raise SystemExit(main())
