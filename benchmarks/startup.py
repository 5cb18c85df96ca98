"""Claims: `import penstock` takes at most 0.1 s and `penstock --help` at most 0.15 s."""

from pathlib import Path

from harness import Job, environment, interleave, ourselves, report, show, within
from harness.environments import described

TURNS = 21


def main() -> int:
    here, us, dvc, kedro = Path.cwd(), ourselves(), environment("DVC"), environment("Kedro")
    version = f"{described('DVC')} --version"
    package = f"{described('Kedro')} import"
    timings = interleave(
        {
            "python -c pass": Job([us.python, "-c", "pass"], here),
            "import penstock": Job([us.python, "-c", "import penstock"], here),
            "penstock --help": Job([us.program("penstock"), "--help"], here),
            package: Job([kedro.python, "-c", "import kedro.pipeline"], here),
            version: Job([dvc.program("dvc"), "--version"], here, {"DVC_NO_ANALYTICS": "1"}),
        },
        turns=TURNS,
    )
    show(timings)
    return report(
        [
            within("import penstock", 0.1, timings["import penstock"], package, timings[package]),
            within("penstock --help", 0.15, timings["penstock --help"], version, timings[version]),
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
