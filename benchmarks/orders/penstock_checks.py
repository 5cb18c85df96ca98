"""Penstock: `penstock.data.check`; or with `--file` what `penstock data check` does with the file.

The second reads Parquet a batch at a time and writes good and bad rows to a store.
"""

import sys
import time
from pathlib import Path

import polars as pl

from penstock.data import check, check_files, load_contract
from penstock.project import load_project

HERE = Path(__file__).parent
project, contract = load_project(HERE), load_contract(HERE / "orders.yaml")
if "--file" in sys.argv:
    started = time.process_time()
    verdict = check_files(project, "orders", [Path(sys.argv[1])])
    bad, reasons = verdict.bad_rows, len(verdict.reasons)
else:
    frame = pl.read_parquet(sys.argv[1])
    started = time.process_time()
    checked = check(contract, frame)
    assert checked.good.height + checked.bad.height == frame.height
    bad, reasons = checked.bad.height, len(checked.reasons)
print(f"{time.process_time() - started:.3f} CPU s, {bad} bad rows, {reasons} reasons")
