"""Claim: running a whole project again with nothing changed (data, training, gates) takes less than 1 s."""

import csv
import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from harness import Job, interleave, ourselves, report, show, within
from harness.five import five, name
from harness.timing import run

ROWS = 5_000
TURNS = 11


def main() -> int:
    penstock = ourselves().program("penstock")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        write_parcels(root / "parcels.csv")
        options = ["--data", "parcels.csv", "--target", "late", "--time", "sent", "--entity", "parcel"]
        run(Job([penstock, "init", "parcels", *options], root))
        run(Job([penstock, "run"], root / "parcels"))
        rival = f"{name('DVC')} on five trivial steps"
        jobs = {"penstock run": Job([penstock, "run"], root / "parcels"), rival: five("DVC", root / "dvc")["cached"]}
        timings = interleave(jobs, turns=TURNS)
    show(timings)
    ours = timings["penstock run"]
    return report([within("cached re-run of a project that trains", 1.0, ours, rival, timings[rival])])


def write_parcels(file: Path) -> None:
    """Parcels that come late when they are heavy, unless they are sent express."""
    draw = random.Random(1)
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["parcel", "sent", "depot", "weight", "express", "late"])
        for number in range(ROWS):
            sent = datetime(2024, 1, 1) + timedelta(hours=number)
            weight, express = round(draw.gammavariate(2, 3), 2), draw.random() < 0.3
            late = 0.5 * weight - 2 * express - 3 + draw.gauss(0, 1) > 0
            rows.writerow([f"p{number}", sent.isoformat(" "), draw.choice(["north", "south"]), weight, express, late])


if __name__ == "__main__":
    raise SystemExit(main())
