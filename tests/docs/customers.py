"""The file that the README's commands are run on: who leaves, and what was known before."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl


def write_customers(path: Path, rows: int = 3000) -> None:
    """Customers, three hours apart, some without a bill."""
    random = np.random.default_rng(3)
    plan = random.choice(["basic", "plus", "pro"], rows, p=[0.5, 0.3, 0.2])
    calls, months = random.poisson(1.3, rows), random.integers(0, 72, rows)
    bill = random.gamma(3, 12, rows).round(2)
    score = 0.55 * calls - 0.035 * months + 0.8 * (plan == "basic") + 0.012 * bill - 1.2 + random.logistic(size=rows)
    pl.DataFrame(
        {
            "customer": [f"c{i:05d}" for i in range(rows)],
            "signed_up": [datetime(2024, 1, 1) + timedelta(hours=3 * i) for i in range(rows)],
            "plan": plan,
            "months": months,
            "monthly_bill": [None if i % 17 == 0 else float(one) for i, one in enumerate(bill)],
            "support_calls": calls,
            "churned": np.where(score > 0, "yes", "no"),
        }
    ).write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")
