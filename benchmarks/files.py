"""Claim: a directory of 10,000 small files is versioned at least five times as fast as by DVC, in CPU seconds."""

import random
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness import Environment, Job, ahead, environment, interleave, ourselves, report, show
from harness.environments import described
from harness.timing import run

FILES, BYTES = 10_000, 10_240
TURNS = 5
PROJECT = "name: files\ndata:\n  datasets:\n    images: {source: images/}\n"


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        ours = penstock(ourselves(), Path(directory) / "penstock")
        theirs = dvc(environment("DVC"), Path(directory) / "dvc")
        pairs = {(side, what): job for side, jobs in ((0, ours), (1, theirs)) for what, job in jobs.items()}
        timings = interleave(
            {f"{'Penstock' if not side else 'DVC'} {what}": job for (side, what), job in pairs.items()}, turns=TURNS
        )
    show(timings)
    goals = {"add": 5, "nothing changed": 1, "write out": 1}
    rival = described("DVC")
    return report(
        [
            ahead(f"10,000 files, {what}", least, timings[f"Penstock {what}"], rival, timings[f"DVC {what}"])
            for what, least in goals.items()
        ]
    )


def penstock(place: Environment, root: Path) -> Mapping[str, Job]:
    write_files(root / "images")
    (root / "penstock.yaml").write_text(PROJECT)
    shutil.copytree(root, kept := root.with_name("penstock-kept"))
    add = [place.program("penstock"), "data", "ingest"]
    out = [place.program("penstock"), "data", "show", "images", "-o", "out"]

    def forget() -> None:
        shutil.rmtree(root / ".penstock", ignore_errors=True)
        (root / "penstock.lock").unlink(missing_ok=True)

    run(Job(add, kept))
    return {
        "add": Job(add, root, before=forget),
        "nothing changed": Job(add, kept),
        "write out": Job(out, kept, before=lambda: shutil.rmtree(kept / "out", ignore_errors=True)),
    }


def dvc(place: Environment, root: Path) -> Mapping[str, Job]:
    write_files(root / "images")
    program = place.program("dvc")
    variables = {"DVC_NO_ANALYTICS": "1"}
    run(Job([program, "init", "--quiet", "--no-scm"], root, variables))
    shutil.copytree(root, kept := root.with_name("dvc-kept"))

    def forget() -> None:
        shutil.rmtree(root / ".dvc" / "cache", ignore_errors=True)
        shutil.rmtree(root / ".dvc" / "tmp", ignore_errors=True)
        (root / "images.dvc").unlink(missing_ok=True)

    run(Job([program, "add", "images"], kept, variables))
    return {
        "add": Job([program, "add", "images"], root, variables, before=forget),
        "nothing changed": Job([program, "status"], kept, variables),
        "write out": Job(
            [program, "checkout"], kept, variables, before=lambda: shutil.rmtree(kept / "images", ignore_errors=True)
        ),
    }


def write_files(directory: Path) -> None:
    """Files that nothing compresses, in ten directories."""
    draw = random.Random(1)
    for number in range(FILES):
        path = directory / f"class-{number % 10}" / f"{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw.randbytes(BYTES))


if __name__ == "__main__":
    raise SystemExit(main())
