"""Claims: versions cost what is new in them. Ten million rows of twelve columns, then 1 % more, then back.

DVC keeps files as they are. Penstock reads each row, holds it against the columns that it must have, and writes it
again, so its first version costs more CPU; what is measured here is what a version costs after that. The search for
what is wrong in a version (the bench) is off: DVC has none, and it reads all rows.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import polars as pl
from harness import Claim, Job, Timing, environment, interleave, ourselves, report, show
from harness.environments import Environment, described
from harness.timing import run

ROWS, MORE, TURNS = 10_000_000, 100_000, 1
SUM = "import sys, polars as pl; print(pl.scan_parquet(sys.argv[1]).select(pl.col('i0').sum(), pl.len()).collect())"
OURS = (
    "import sys, polars as pl, penstock; at = penstock.Project.open('.').data.show('flights@' + sys.argv[1]); "
    "print(at.select(pl.col('i0').sum(), pl.len()).collect())"
)
HASH = """
import sys
from pathlib import Path
from blake3 import blake3
for path in Path(sys.argv[1]).rglob("*"):
    if path.is_file():
        hasher = blake3()
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                hasher.update(chunk)
"""
READ = """
import sys
from pathlib import Path
for path in Path(sys.argv[1]).rglob("*"):
    if path.is_file():
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
"""
PROJECT = """name: versions
data: {datasets: {flights: {source: data/*.parquet, mode: MODE, bench: {depth: "off"}}}}
"""
NO_ANALYTICS = {"DVC_NO_ANALYTICS": "1"}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="penstock-versions-") as place:
        return _measure(Path(place))


def _measure(place: Path) -> int:
    us, dvc = ourselves(), environment("DVC")
    files = _files(place / "files")
    ours, theirs = place / "ours", place / "theirs"
    name = described("DVC")
    jobs = _our_jobs(us, ours, files) | _their_jobs(dvc, theirs, files, name)
    order = [f"{tool} {step}" for step in ("add", "append", "back") for tool in ("Penstock", name)]
    checks = {
        "data verify": Job([us.program("penstock"), "data", "verify"], ours),
        "bare blake3": Job([us.python, "-c", HASH, ours / ".penstock" / "store"], ours),
        "bare reading": Job([us.python, "-c", READ, ours / ".penstock" / "store"], ours),
    }
    timings = interleave({**{step: jobs[step] for step in order}, **checks}, turns=TURNS)
    show(timings)
    grown = _grown(us, dvc, place, files)
    return report([*_times(timings, name), *_sizes(ours, theirs, files, name), *_growing(grown, name)])


def _files(directory: Path) -> dict[str, Path]:
    """A file of ten million rows, one of 1 % more, and one with both."""
    directory.mkdir()
    rows = _table(ROWS, seed=1)
    rows.write_parquet(directory / "a.parquet", compression="zstd")
    more = _table(MORE, seed=2)
    more.write_parquet(directory / "b.parquet", compression="zstd")
    pl.concat([rows, more]).write_parquet(directory / "both.parquet", compression="zstd")
    return {path.stem: path for path in directory.iterdir()}


def _table(rows: int, *, seed: int) -> pl.DataFrame:
    """Four whole numbers, four others, two texts, a truth value, a time."""
    row = pl.int_range(rows)
    noise = [row.hash(seed * 100 + n) for n in range(12)]
    columns = {f"i{n}": (noise[n] % 1_000_000).cast(pl.Int64) for n in range(4)}
    columns |= {f"f{n}": (noise[4 + n] % 1_000_000) / 1e6 for n in range(4)}
    columns |= {f"s{n}": pl.format("name-{}", noise[8 + n] % (50 if n else 5000)) for n in range(2)}
    columns |= {"flag": noise[10] % 2 == 0}
    columns |= {"at": (noise[11] % 31_536_000_000_000).cast(pl.Datetime("us"))}
    return pl.select(**columns)


def _our_jobs(us: Environment, directory: Path, files: dict[str, Path]) -> dict[str, Job]:
    ingest = [us.program("penstock"), "data", "ingest"]
    code = [us.python, "-c", f"import sys; sys.argv[1] = open('first').read()\n{OURS.replace('; ', chr(10))}", "first"]

    def begin() -> None:
        _project(directory, files["a"], "append")

    def arrive() -> None:
        log = run(Job([us.program("penstock"), "data", "log", "flights", "--json"], directory))
        (directory / "first").write_text(log.partition('"commit": "')[2][:64])
        shutil.copy(files["b"], directory / "data" / "b.parquet")

    return {
        "Penstock add": Job(ingest, directory, before=begin),
        "Penstock append": Job(ingest, directory, before=arrive),
        "Penstock back": Job(code, directory),
    }


def _their_jobs(dvc: Environment, directory: Path, files: dict[str, Path], name: str) -> dict[str, Job]:
    add = [dvc.program("dvc"), "add", "--quiet", "data"]
    back = f"{dvc.program('dvc')} checkout --quiet && {dvc.python} -c \"{SUM}\" 'data/*.parquet'"

    def begin() -> None:
        _dvc(dvc, directory, files["a"])

    def arrive() -> None:
        shutil.copy(directory / "data.dvc", directory / "first.saved")
        shutil.copy(files["b"], directory / "data" / "b.parquet")

    def restore() -> None:
        shutil.copy(directory / "first.saved", directory / "data.dvc")

    return {
        f"{name} add": Job(add, directory, NO_ANALYTICS, before=begin),
        f"{name} append": Job(add, directory, NO_ANALYTICS, before=arrive),
        f"{name} back": Job(["sh", "-c", back], directory, NO_ANALYTICS, before=restore),
    }


def _project(directory: Path, file: Path, mode: str) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "data").mkdir(parents=True)
    (directory / "penstock.yaml").write_text(PROJECT.replace("MODE", mode))
    shutil.copy(file, directory / "data" / "a.parquet")


def _dvc(dvc: Environment, directory: Path, file: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "data").mkdir(parents=True)
    run(Job([dvc.program("dvc"), "init", "--quiet", "--no-scm"], directory, NO_ANALYTICS))
    shutil.copy(file, directory / "data" / "a.parquet")


def _grown(us: Environment, dvc: Environment, place: Path, files: dict[str, Path]) -> tuple[int, int]:
    """Bytes that a second version takes when the file itself has grown by 1 %: ours, theirs."""
    ours, theirs = place / "ours-grown", place / "theirs-grown"
    _project(ours, files["a"], "snapshot")
    _dvc(dvc, theirs, files["a"])
    jobs = (
        Job([us.program("penstock"), "data", "ingest"], ours),
        Job([dvc.program("dvc"), "add", "--quiet", "data"], theirs, NO_ANALYTICS),
    )
    stores = (ours / ".penstock" / "store", theirs / ".dvc" / "cache")
    for job in jobs:
        run(job)
    before = [_bytes(store) for store in stores]
    for job in jobs:
        shutil.copy(files["both"], job.directory / "data" / "a.parquet")
        run(job)
    mine, others = (_bytes(store) - was for store, was in zip(stores, before, strict=True))
    return mine, others


def _bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _times(timings: dict[str, Timing], name: str) -> list[Claim]:
    claims = []
    for step, goal in (("add", "shown"), ("append", "less"), ("back", "less")):
        mine, other = timings[f"Penstock {step}"].cpu, timings[f"{name} {step}"].cpu
        holds = goal == "shown" or mine < other
        claims.append(Claim(f"{step}, {ROWS:,} rows", mine, other, name, goal, holds, "CPU s"))
    mine, bare = timings["data verify"], timings["bare blake3"]
    # the program itself takes about 0.3 s to start
    claims.append(Claim("verify", mine.cpu, bare.cpu, "bare blake3", "0.5 s more", mine.cpu <= bare.cpu + 0.5, "CPU s"))
    reading = timings["bare reading"].wall
    print(f"  hashing alone takes {bare.wall / reading:.2f} times as long as reading alone", file=sys.stderr)
    return claims


def _sizes(ours: Path, theirs: Path, files: dict[str, Path], name: str) -> list[Claim]:
    mine, other = _bytes(ours / ".penstock" / "store"), _bytes(theirs / ".dvc" / "cache")
    copies = other + _bytes(theirs / "data")
    given = sum(files[one].stat().st_size for one in ("a", "b"))
    goal = "at most 1.05 times the files"
    return [
        Claim("store, two versions", mine / 1e6, other / 1e6, name, goal, mine <= 1.05 * given, "MB"),
        Claim("all copies, two versions", (mine + given) / 1e6, copies / 1e6, name, "shown", True, "MB"),
    ]


def _growing(grown: tuple[int, int], name: str) -> list[Claim]:
    mine, other = grown
    title = "bytes added when one file grows by 1 %"
    return [Claim(title, mine / 1e6, other / 1e6, name, "a tenth", mine <= other / 10, "MB")]


if __name__ == "__main__":
    raise SystemExit(main())
