"""Claim: five trivial steps take Penstock less than any peer, from nothing and again with everything cached.

Every tool runs the same functions over tables. Kedro on plain lists, which it keeps in memory, is a claim of its own.
"""

import tempfile
from pathlib import Path

from harness import interleave, race, report, show
from harness.five import MAKERS, OURS, five, name

TURNS = 7


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        made = {tool: five(tool, Path(directory) / tool) for tool in MAKERS}
        jobs = {(name(tool), kind): job for tool, kinds in made.items() for kind, job in kinds.items()}
        timings = interleave({f"{tool}, {kind}": job for (tool, kind), job in jobs.items()}, turns=TURNS)
    claims = []
    for kind, what in (("fresh", "fresh process"), ("cached", "cached re-run")):
        peers = {tool: timings[f"{tool}, {kind}"] for tool, other in jobs if other == kind and tool != OURS}
        claims.append(race(f"five steps, {what}", timings[f"{OURS}, {kind}"], peers))
    lists = {f"{name('Kedro')} on lists": timings[f"{name('Kedro')}, lists"]}
    claims.append(race("five steps, fresh process, tables against lists", timings[f"{OURS}, fresh"], lists))
    show(timings)
    return report(claims)


if __name__ == "__main__":
    raise SystemExit(main())
