"""Claims: ten million rows of twelve columns are ingested under a contract with unique keys in at most 2 GB of memory.

From CSV and from Parquet, and then one per cent of them again by key: an upsert. Memory is the most that the process of
the command ever had (`ru_maxrss`).
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from harness import Claim, ourselves, report

ROWS, AGAIN, LIMIT = 10_000_000, 100_000, 2.0
TYPES = {"Int64": ("i1", "i2", "i3"), "Float64": ("f1", "f2", "f3", "f4"), "String": ("s1", "s2"), "Boolean": ("b",)}
CONTRACT = (
    "keys: [id]\ncolumns:\n  id: {type: Int64, min: 0}\n"
    + "".join(f"  {name}: {{type: {dtype}}}\n" for dtype, names in TYPES.items() for name in names)
    + "  t: {type: 'Datetime[us]'}\n"
)
MODES = {"csv": "snapshot", "parquet": "upsert"}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="penstock-ingest-") as place:
        root = Path(place)
        _write(root, _rows(0, ROWS), "a")
        (root / "contract.yaml").write_text(CONTRACT)
        datasets = ", ".join(
            f"{kind}: {{source: {kind}/*.{kind}, mode: {mode}, key: id, contract: contract.yaml}}"
            for kind, mode in MODES.items()
        )
        (root / "penstock.yaml").write_text(f"name: ingest\ndata: {{datasets: {{{datasets}}}}}\n")
        claims = [_claim(f"10M x 12 from {kind}", _ingest(root, kind)) for kind in MODES]
        _rows(ROWS // 2, AGAIN).with_columns(pl.col("f1") + 1).write_parquet(root / "parquet/b.parquet")
        claims.append(_claim("upsert of 1 % of them", _ingest(root, "parquet")))
        return report(claims)


def _rows(start: int, count: int) -> pl.DataFrame:
    """Rows whose ids count on from `start`; nothing in them can be guessed from the row before but id and time."""
    number = pl.int_range(start, start + count)
    noise = [number.hash(seed) for seed in range(9)]
    return pl.select(
        number.alias("id"),
        *((noise[i] % 10 ** (3 * i + 3)).cast(pl.Int64).alias(f"i{i + 1}") for i in range(3)),
        *((noise[i + 3] / 2.0**64 * 10**i).alias(f"f{i + 1}") for i in range(4)),
        (noise[7] % 50).cast(pl.String).alias("s1"),
        pl.format("user-{}", number).alias("s2"),
        (noise[8] % 2 == 0).alias("b"),
        (number * 1_000_000 + 1_600_000_000_000_000).cast(pl.Datetime("us")).alias("t"),
    )


def _write(root: Path, rows: pl.DataFrame, name: str) -> None:
    for kind in MODES:
        (root / kind).mkdir()
    rows.write_csv(root / f"csv/{name}.csv")
    rows.write_parquet(root / f"parquet/{name}.parquet")


def _ingest(root: Path, dataset: str) -> Mapping[str, float]:
    """What the command cost: GB at most, CPU seconds, seconds."""
    command: Sequence[str | Path] = [ourselves().program("penstock"), "data", "ingest", dataset]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=root, stdout=sys.stderr)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"penstock data ingest {dataset} ended with {os.waitstatus_to_exitcode(status)}")
    cost = {"GB": used.ru_maxrss / 1e6, "CPU": used.ru_utime + used.ru_stime, "s": time.perf_counter() - began}
    print(
        f"  {dataset}: {', '.join(f'{value:.2f} {unit}' for unit, value in cost.items())}", file=sys.stderr, flush=True
    )
    return cost


def _claim(name: str, cost: Mapping[str, float]) -> Claim:
    return Claim(name, cost["GB"], LIMIT, "limit", f"at most {LIMIT:g} GB", cost["GB"] <= LIMIT, "GB")


if __name__ == "__main__":
    raise SystemExit(main())
