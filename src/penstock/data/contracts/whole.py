"""Rules about all rows of a version: how many there are, what is unique among them, shares, and how old they are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import polars as pl

from penstock.data.contracts.conditions import sql
from penstock.data.contracts.contract import Contract, Ratio
from penstock.data.contracts.schema import Change
from penstock.data.contracts.unique import repeated

ROUNDING = 1e-12  # 0.06 - 0.05 is not 0.01


class Fault(NamedTuple):
    """A rule about the whole that is broken.

    rule      id is unique
    found     2 values more than once
    expected  at least 1,000                    "" where the rule says it
    example   id=7 (3 times)                    "" where there is none
    rows      how many rows it is about
    fatal     whether it stops an ingest, or is only told
    """

    rule: str
    found: str
    expected: str = ""
    example: str = ""
    rows: int = 0
    fatal: bool = True

    @property
    def row(self) -> Change:
        """The line of a table."""
        facts = {"rule": self.rule, "expected": self.expected, "found": self.found, "example": self.example}
        return {key: value for key, value in facts.items() if value}

    @property
    def sentence(self) -> str:
        """`cancelled: 7.2% of the rows, expected at most 5%`"""
        return f"{self.rule}: {self.found}" + (f", expected {self.expected}" if self.expected else "")


def dataset_faults(contract: Contract, good: pl.LazyFrame, rows: int) -> Iterator[Fault]:
    """What all good rows of a version, `rows` of them, break together."""
    if rows < contract.rows.min:
        yield Fault("rows", f"{rows:,}", f"at least {contract.rows.min:,}", rows=rows)
    if contract.rows.max is not None and rows > contract.rows.max:
        yield Fault("rows", f"{rows:,}", f"at most {contract.rows.max:,}", rows=rows)
    if contract.keys:
        yield from _duplicates(good, contract.keys, contract, rows)
    for name, column in contract.columns.items():
        if column.unique and (name,) != contract.keys:
            yield from _duplicates(good, (name,), contract, rows)
    if contract.ratios and rows:
        yield from _ratios(good, contract.ratios, rows)


def _duplicates(good: pl.LazyFrame, names: tuple[str, ...], contract: Contract, rows: int) -> Iterator[Fault]:
    found = repeated(good, names)
    only = contract.columns[names[0]] if names != contract.keys else None  # a key tolerates nothing
    if found is None or (only and found.rows <= only.tolerance * rows):
        return
    pairs = zip(names, found.example, strict=True)
    example = ", ".join(f"{name}={contract.shown(name, value)}" for name, value in pairs)
    yield Fault(
        _unique(names),
        f"{found.keys:,} value{'s' * (found.keys != 1)} more than once",
        example=f"{example} ({found.times} times)",
        rows=found.rows,
        fatal=only is None or only.severity != "warn",
    )


def key_rule(contract: Contract) -> str:
    """What the rule is called that every key is there once."""
    return _unique(contract.keys)


def _unique(names: tuple[str, ...]) -> str:
    return f"{' + '.join(names)} is unique"


def _ratios(good: pl.LazyFrame, ratios: tuple[Ratio, ...], rows: int) -> Iterator[Fault]:
    """All of them in one pass; where a condition is neither true nor false it does not hold."""
    holds = good.select(sql(ratio.expression).fill_null(False).sum().alias(str(n)) for n, ratio in enumerate(ratios))
    for ratio, count in zip(ratios, holds.collect().row(0), strict=True):
        share = count / rows
        beyond = max(ratio.min - share, share - ratio.max)
        intolerable = beyond > ratio.tolerance + ROUNDING
        if beyond > 0 and (intolerable or ratio.severity == "error"):
            bound = f"at least {_percent(ratio.min)}" if share < ratio.min else f"at most {_percent(ratio.max)}"
            fatal = intolerable and ratio.severity == "error"
            yield Fault(ratio.name, f"{_percent(share)} of the rows", bound, rows=count, fatal=fatal)


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def stale(good: pl.LazyFrame, contract: Contract, time: str, now: datetime) -> list[Fault]:
    """Whether the newest row is older than the contract allows. Times without a zone are UTC."""
    if contract.freshness is None:
        return []
    newest = (
        good.select(pl.col(time).cast(pl.Datetime("us", "UTC") if _is_aware(good, time) else pl.Datetime("us")).max())
        .collect()
        .item()
    )
    age = now - (newest if newest.tzinfo else newest.replace(tzinfo=UTC)) if newest else timedelta()
    found = f"{age} since {contract.shown(time, newest)}"
    return [Fault("freshness", found, f"at most {contract.freshness}")] if age > contract.freshness else []


def _is_aware(frame: pl.LazyFrame, column: str) -> bool:
    return getattr(frame.collect_schema()[column], "time_zone", None) is not None
